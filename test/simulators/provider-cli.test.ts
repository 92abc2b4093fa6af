import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { receiver } from '../api/providers/receiver.ts'

const main = new URL('../../simulators/main.ts', import.meta.url).pathname

const start = (args: string[]) => spawn(process.execPath, [main, 'provider', ...args])
async function run(...args: string[]) {
  const child = start(args)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, stderr, lines: stdout.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : [])) }
}

test('a notice is told with its proof, and the answer is a line of JSON', async () => {
  const { url, bodies, headers } = await receiver()
  const order = ['--id', '528890', '--order', '42', '--amount', '10.5']
  const { code, stderr, lines } = await run(
    'cryptopay',
    '--url',
    url,
    '--secret',
    'token',
    '--event',
    'invoice_paid',
    ...order,
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(lines).toEqual([{ event: 'invoice_paid', attempt: 1, status: 200, answer: '', isTaken: true }])
  expect(JSON.parse(bodies[0]!).payload).toMatchObject({ invoice_id: 528_890, amount: '10.5', payload: '42' })
  expect(headers[0]!['crypto-pay-api-signature']).toMatch(/^[0-9a-f]{64}$/)
})

test('bytes of a file are signed as they are, from whichever address it should be', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'voltbay-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'notice.json')
  await writeFile(file, '{"event": "payment.succeeded"}\n')
  const { url, bodies, headers } = await receiver(() => ({ status: 403 }))
  const from = ['--from', '185.71.76.1', '--body', file, '--retry', '1ms']
  const { code, lines } = await run('yookassa', '--url', url, '--event', 'payment.succeeded', ...from)
  expect({ code, attempts: lines.map(({ attempt }) => attempt) }).toEqual({ code: 1, attempts: [1, 2] })
  expect(bodies).toEqual(Array(2).fill('{"event": "payment.succeeded"}\n'))
  expect(headers[0]!['x-forwarded-for']).toBe('185.71.76.1')
})

test('served, its API is asked, paid by itself and told of; it ends when it is told to', async () => {
  const { url, bodies } = await receiver()
  const credential = ['--credential', '1:key', '--pay-after', '1ms', '--fault', '429:1']
  const child = start(['yookassa', '--serve', '0', '--url', url, ...credential])
  const lines: Record<string, unknown>[] = []
  const closed = once(child, 'close')
  const paid = Promise.withResolvers<void>()
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line)
    lines.push(said)
    if (said.event === 'told') {
      paid.resolve()
      break
    }
    if (said.event === 'listening') void pay(said.url)
  }
  await paid.promise
  child.kill('SIGTERM')
  expect(await closed).toEqual([0, null])
  expect(lines.map(({ event }) => event)).toEqual(['listening', 'asked', 'asked', 'told'])
  expect(JSON.parse(bodies[0]!)).toMatchObject({ event: 'payment.succeeded', object: { amount: { value: '1.00' } } })
})

/** Asks twice: the first time the API is busy. */
async function pay(url: string) {
  const headers = {
    authorization: `Basic ${Buffer.from('1:key').toString('base64')}`,
    'idempotence-key': '1',
    'content-type': 'application/json',
  }
  const confirmation = { type: 'redirect', return_url: 'https://example.org' }
  const body = JSON.stringify({ amount: { value: '1.00', currency: 'RUB' }, capture: true, confirmation })
  for (const status of [429, 200])
    expect((await fetch(`${url}/payments`, { method: 'POST', headers, body })).status).toBe(status)
}

test.each([
  [['yookasa'], '"yookasa": one of yookassa,'],
  [['yookassa', 'panel'], '"panel": one word too many'],
  [['yookassa', '--event', 'payment.succeeded'], '--url and --event, or --serve, are wanted'],
  [['yookassa', '--url', 'http://localhost/', '--event', 'paid'], '--event paid: one of payment.succeeded,'],
  [['yookassa', '--url', 'localhost', '--event', 'deal.closed'], '--url localhost: an address of http is wanted'],
  [['yookassa', '--url', 'https://example.org/', '--event', 'deal.closed'], 'example.org is not this machine'],
  [['yookassa', '--serve', '0', '--fault', 'mood'], '--fault mood: one of timeout,'],
  [['yookassa', '--serve', '0', '--fault', '429:0'], '--fault 429:0: one of'],
  [['freekassa', '--serve', '0', '--scheme', 'sha1'], '--scheme sha1: md5 or hmac-seed is wanted'],
  [['panel', '--serve', '0', '--panel-version', '1'], '--panel-version 1: 2 or 3 is wanted'],
  [['panel', '--url', 'http://localhost/', '--event', 'user.created', '--amount', '1,5'], '--amount 1,5: 299 or'],
  [['panel', '--url', 'http://localhost/', '--event', 'user.created', '--body', '/nowhere'], '--body /nowhere:'],
])('a mistake is one line and exit code 2: %j', async (args, message) => {
  const { code, stderr, lines } = await run(...args)
  expect({ code, lines }).toEqual({ code: 2, lines: [] })
  expect(stderr).toMatch(/^provider: [^\n]*\n$/)
  expect(stderr).toContain(message)
})
