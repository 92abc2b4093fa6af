import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Faults, faultOf } from '../../simulators/provider/fault.ts'
import type { Scheme } from '../../simulators/provider/freekassa-notices.ts'
import type { About } from '../../simulators/provider/notice.ts'
import { postman } from '../../simulators/provider/postman.ts'
import { isProvider, type ProviderName, providerNames, tellerOf } from '../../simulators/provider/provider-simulator.ts'
import { receiver } from '../api/providers/receiver.ts'

interface Vector {
  id: string
  provider: string
  headers: Record<string, string>
  raw_body: string
  raw_body_base64?: string
  query?: string
  secret: string | null
  valid: boolean
  direction?: 'outgoing'
  signature_scheme?: Scheme
}
const path = new URL('../vectors/providers-payments.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: Vector[] }
const about: About = {
  id: '528890',
  order: '42',
  amountMinor: 29_900,
  currency: 'RUB',
  telegramId: 123_456,
  at: new Date('2026-04-01T10:00:05.123Z'),
}
const teller = (name: ProviderName, scheme: Scheme = 'md5') =>
  tellerOf(name, {
    merchantId: '12345',
    firstSecret: '',
    scheme,
    telegramId: 123_456,
    panelVersion: '3',
    needsReceipts: false,
  })
const nameOf = ({ provider }: Vector): ProviderName => {
  const name = provider === 'remnawave' ? 'panel' : provider
  if (!isProvider(name)) throw new Error(provider)
  return name
}
const bytesOf = ({ raw_body: text, raw_body_base64: base64, query }: Vector) =>
  base64 === undefined ? Buffer.from(query ?? text) : Buffer.from(base64, 'base64')
const proofs = [
  'crypto-pay-api-signature',
  'trbt-signature',
  'x-remnawave-signature',
  'x-telegram-bot-api-secret-token',
]
const proofOf = (headers: Record<string, string>) =>
  Object.entries(headers).flatMap(([name, value]) => (proofs.includes(name.toLowerCase()) ? [value] : []))
const signed = vectors.filter(({ secret, direction }) => secret !== null && direction === undefined)

test.each(signed.filter(({ valid }) => valid).map((vector) => [vector.id, vector] as const))(
  '%s is reproduced byte for byte',
  (_, vector) => {
    const bytes = bytesOf(vector)
    const { headers, body } = teller(nameOf(vector), vector.signature_scheme).sign(bytes, vector.secret!)
    // A published digest in capitals is the same digest.
    const text = (of: Buffer) =>
      vector.provider === 'freekassa'
        ? of.toString().replace(/SIGN=.*/, (hex) => hex.toLowerCase())
        : of.toString('hex')
    expect(text(body)).toBe(text(bytes))
    expect(proofOf(headers)).toEqual(proofOf(vector.headers))
  },
)

test.each(signed.filter(({ valid }) => !valid).map((vector) => [vector.id, vector] as const))(
  '%s is what nobody would send who signs so',
  (_, vector) => {
    const bytes = bytesOf(vector)
    const { headers, body } = teller(nameOf(vector), vector.signature_scheme).sign(bytes, vector.secret!)
    const isSame = body.equals(bytes) && JSON.stringify(proofOf(headers)) === JSON.stringify(proofOf(vector.headers))
    expect(isSame).toBe(false)
  },
)

const deliver = (url: string, retryMs: number[] = []) => ({
  url,
  secret: 'secret',
  retryMs,
  lateMs: 200,
  allowRemote: false,
})
const tell = async (
  name: ProviderName,
  url: string,
  events: string[],
  faults: Faults = new Map(),
  retryMs: number[] = [],
) => {
  const notices = postman(teller(name), deliver(url, retryMs), faults)
  const told = events.map((event) => notices.tell(event, teller(name).body(event, about)))
  return { notices, told: await Promise.all(told) }
}

describe.each(providerNames)('%s', (name) => {
  const ok = name === 'freekassa' ? 'YES' : ''
  const { events } = teller(name)

  test('tells every kind of event there is, each with its proof', async () => {
    const { url, bodies, headers } = await receiver(() => ({ status: 200, body: ok }))
    const { told } = await tell(name, url, [...events])
    expect(told.map(({ isTaken }) => isTaken)).toEqual(events.map(() => true))
    expect(new Set(bodies).size).toBe(events.length)
    for (const [at, body] of bodies.entries()) {
      const again = teller(name).sign(Buffer.from(body), 'secret')
      expect(again.body.toString()).toBe(body)
      expect(headers[at]).toMatchObject(again.headers)
      if (name !== 'freekassa') expect(JSON.parse(body)).toEqual(expect.any(Object))
    }
  })

  test('is told again until it is taken, the same bytes', async () => {
    const { url, bodies } = await receiver((_, nth) => ({ status: [0, 503, 200][nth - 1] ?? 200, body: ok }))
    const { told } = await tell(name, url, [events[0]!], new Map(), [1, 1, 1])
    expect(told[0]).toMatchObject({ attempt: 3, isTaken: true })
    expect(bodies).toEqual(Array(3).fill(bodies[0]))
  })
})

test('FreeKassa takes nothing but a bare YES', async () => {
  for (const body of ['"YES"', 'YES\n', 'yes', '']) {
    const { url } = await receiver(() => ({ status: 200, body }))
    expect((await tell('freekassa', url, ['paid'])).told[0]!.isTaken).toBe(false)
  }
})

test('duplicate: at once and the same; late: later; out of order: the next first', async () => {
  const events = ['user.created', 'user.expired']
  const kinds = (bodies: string[]) => bodies.map((body) => JSON.parse(body).event)
  const twice = await receiver()
  await tell('panel', twice.url, ['user.created'], new Map([faultOf('duplicate:1')]))
  expect(twice.bodies).toEqual([twice.bodies[0], twice.bodies[0]])
  const late = await receiver()
  await tell('panel', late.url, events, new Map([faultOf('late:1')]))
  expect(kinds(late.bodies)).toEqual([...events].reverse())
  const mixed = await receiver()
  await tell('panel', mixed.url, [...events, 'user.deleted'], new Map([faultOf('out-of-order:1')]))
  expect(kinds(mixed.bodies)[0]).toBe('user.expired')
  expect(kinds(mixed.bodies).sort()).toEqual(['user.created', 'user.deleted', 'user.expired'])
  const alone = await receiver()
  await tell('panel', alone.url, ['user.created'], new Map([faultOf('out-of-order')]))
  expect(alone.bodies).toHaveLength(1)
})

test('whoever is told out of order is told as soon as another has gone', async () => {
  const { url, bodies } = await receiver()
  const patient = { ...deliver(url), lateMs: 3_600_000 }
  const notices = postman(teller('panel'), patient, new Map([faultOf('out-of-order:1')]))
  const events = ['user.created', 'user.expired']
  await Promise.all(events.map((event) => notices.tell(event, teller('panel').body(event, about))))
  await notices.idle()
  expect(bodies.map((body) => JSON.parse(body).event)).toEqual([...events].reverse())
  notices.close()
})

test('other machines are told nothing unless somebody says so', async () => {
  const notices = postman(teller('panel'), deliver('http://203.0.113.1/'), new Map())
  await expect(notices.tell('user.created', '{}')).rejects.toThrow(/not this machine/)
})
