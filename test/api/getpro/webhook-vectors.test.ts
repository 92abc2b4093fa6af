import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { addressList } from '../../../api/client-ip.ts'
import { freekassaSchemes } from '../../../api/providers/freekassa.ts'
import type { NoticeConfig } from '../../../api/providers/notice-settings.ts'
import { type House, heard, notices, stored, tell } from './stage.ts'

interface Vector {
  id: string
  provider: string
  name: string
  method: string
  headers: Record<string, string>
  raw_body: string
  raw_body_base64?: string
  query?: string
  secret: string | null
  signature_scheme?: string
  valid: boolean
  direction?: 'outgoing'
  suggested_answer: { status: number; body: string } | null
  tcp_peer_ip?: string
  trusted_proxies?: string[]
}
const file = new URL('../../vectors/providers-payments.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }
const told = vectors.filter(({ direction }) => direction !== 'outgoing')
const nameOf = ({ provider }: Vector) => (provider === 'remnawave' ? 'panel' : provider)

/** What a house must know to judge this one. FreeKassa's shop is named by what its notice says. */
function settingsOf({
  secret,
  raw_body: body,
  query,
  signature_scheme: scheme,
  ...vector
}: Vector): Partial<NoticeConfig> {
  const known = notices()
  const merchantId = new URLSearchParams(query ?? body).get('MERCHANT_ID') ?? ''
  if (secret === null) return {}
  switch (nameOf(vector as Vector)) {
    case 'cryptopay':
      return { cryptopay: { token: secret } }
    case 'freekassa': {
      const one = freekassaSchemes.find((name) => name === scheme) ?? 'md5'
      const addresses = addressList(['168.119.157.136'])
      return { freekassa: { ...known.freekassa!, merchantId, secret, scheme: one, addresses } }
    }
    case 'tribute':
      return { tribute: { apiKey: secret, encoding: 'hex' } }
    case 'stars':
      return { stars: { secrets: [secret] } }
    default:
      return { panel: { secrets: [secret], maxAgeSeconds: null } }
  }
}

// One house for all vectors with the same settings.
const houses = new Map<string, House>()
async function houseOf(vector: Vector): Promise<House> {
  const settings = settingsOf(vector)
  const trustedProxies = vector.trusted_proxies ?? []
  const { addresses: _, ...freekassa } = settings.freekassa ?? {}
  const key = JSON.stringify([{ ...settings, freekassa }, trustedProxies])
  if (!houses.has(key)) houses.set(key, await heard(settings, { trustedProxies }))
  return houses.get(key)!
}
for (const vector of told) await houseOf(vector)

describe('a notice of the published ones', () => {
  test.each(told.map((vector) => [vector.id, vector.name, vector] as const))(
    '%s (%s) hears what its sender needs',
    async (_, __, vector) => {
      const house = await houseOf(vector)
      const body = vector.raw_body_base64 ? Buffer.from(vector.raw_body_base64, 'base64') : vector.raw_body
      const { headers, method, query, tcp_peer_ip: peer } = vector
      const about = {
        body,
        headers,
        method,
        ...(query === undefined ? {} : { query }),
        ...(peer === undefined ? {} : { peer }),
      }
      const send = () => tell(house, `/webhook/${nameOf(vector)}`, about)
      const count = async () => (await stored(house)).reduce((sum, { repeats }) => sum + 1 + repeats, 0)
      const before = await count()
      const first = await send()
      expect(first.status).toBe(vector.suggested_answer!.status)
      const second = await send()
      expect({ ...second, text: second.text.replace(/"timestamp":"[^"]+"/, '') }).toEqual({
        ...first,
        text: first.text.replace(/"timestamp":"[^"]+"/, ''),
      })
      const isStored = vector.valid || vector.suggested_answer!.status === 400
      expect((await count()) - before).toBe(isStored ? 2 : 0)
      if (first.status === 200) return rightAnswer(vector, first.text)
      const { status, error } = JSON.parse(first.text)
      expect([status, error.code]).toEqual(['error', first.status === 403 ? 'INVALID_SIGNATURE' : 'INVALID_REQUEST'])
      expect(error.details).toEqual({})
    },
  )
})

/** Success, in each provider's own words. */
function rightAnswer({ id, provider }: Vector, text: string) {
  if (provider === 'freekassa') return expect(text).toBe('YES')
  if (provider === 'tribute') return expect(JSON.parse(text)).toEqual({ status: 'ok' })
  // The one answer that is a call: the checkout, which has to be answered in time.
  if (id === 'stars-01')
    return expect(JSON.parse(text)).toEqual({
      method: 'answerPreCheckoutQuery',
      pre_checkout_query_id: '530216410129343222',
      ok: false,
      error_message: 'Заказ не найден',
    })
  if (provider === 'stars') return expect(text).toBe('')
  return expect(JSON.parse(text)).toMatchObject({ status: 'success', data: {} })
}

test('all of them were tried, of every provider', () => {
  const counts = Object.fromEntries(
    Map.groupBy(told, nameOf)
      .entries()
      .map(([name, list]) => [name, list.length]),
  )
  expect(counts).toEqual({ yookassa: 20, cryptopay: 14, freekassa: 16, tribute: 12, stars: 7, panel: 11 })
})

test('nothing that was kept of them names a secret of anybody', async () => {
  for (const house of houses.values()) {
    for (const { raw } of await stored(house)) {
      const text = raw.toString('utf8')
      expect(text).not.toMatch(
        /test-trojan-password|test-ss-password|7b44e483|sub\.example\.org|payer_account=\d|SIGN=[0-9a-f]/,
      )
    }
    const logged = JSON.stringify(house.lines)
    expect(logged).not.toMatch(/secret_key|12345:AAtoken|tribute-api-key|Secret-Token|vsmu67Km|[0-9a-f]{64}/)
  }
})
