import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Access, caller, done, type Question, refusal } from '../../../api/providers/call.ts'
import { cert, key } from '../../gateway/localhost.ts'

const ask: Question<unknown> = {
  method: 'GET',
  path: '/',
  read: ({ status, body }) => (status === 200 ? done(body) : null),
}
const json = { 'content-type': 'application/json' }

async function provider(listener: RequestListener) {
  const server = createServer(listener)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    if (server.listening) await once(server.close(), 'close')
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, server }
}
const to = (url: string, more: Partial<Access> = {}, secrets: string[] = []) =>
  caller({ url, timeoutSeconds: 5, callsMax: 20, ...more }, {}, secrets)

test('where nobody listens nothing was said: it may be asked again', async () => {
  const { url, server } = await provider(() => {})
  await once(server.close(), 'close')
  expect(await to(url)(ask)).toEqual({ kind: 'later', seconds: 5, why: 'not reached: ECONNREFUSED' })
  expect(await to('http://nobody.invalid')(ask)).toMatchObject({
    kind: 'later',
    why: expect.stringMatching(/^not reached/),
  })
})

test.each([
  ['7', 7],
  ['0', 0],
  ['999999999', 86_400],
  ['-3', 5],
  ['soon', 5],
  [undefined, 5],
  [new Date(0).toUTCString(), 0],
])('Retry-After %s is %d s, whatever stands in the body', async (header, seconds) => {
  const { url } = await provider((_, response) => {
    response.writeHead(429, header === undefined ? {} : { 'retry-after': header }).end('<html>')
  })
  expect(await to(url)(ask)).toEqual({ kind: 'later', seconds, why: 'too many requests' })
})

test('Retry-After may be a date', async () => {
  const { url } = await provider((_, response) => {
    response.writeHead(429, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }).end()
  })
  const reply = await to(url)(ask)
  expect(reply).toMatchObject({ kind: 'later', seconds: expect.any(Number) })
  expect(reply.kind === 'later' && reply.seconds).toBeGreaterThan(50)
})

test.each([
  ['a redirect is not followed', 302, { location: 'http://127.0.0.1:9/' }, '', 'answered 302'],
  ['half an answer is none', 200, { ...json, 'content-length': '10' }, '{"a', 'no answer: UND_ERR_SOCKET'],
  ['bytes that are no text are none', 200, json, Buffer.from([0x22, 0xff, 0x22]), 'answered 200 without JSON'],
  ['an answer without end is none', 200, json, ' '.repeat(5_000_000), 'answered 200 at too great length'],
  ['a status that nobody knows', 418, json, '{}', 'answered 418 with something else'],
  ['their own time-out', 408, json, '{}', 'answered 408'],
])('%s: in doubt', async (_, status, headers, body, why) => {
  const { url } = await provider((__, response) => {
    response.writeHead(status, headers).write(body)
    if (why.startsWith('no answer')) response.socket?.end()
    else response.end()
  })
  expect(await to(url)(ask)).toEqual({ kind: 'doubtful', why })
})

test('a length that is too great is not waited for', async () => {
  const { url } = await provider((_, response) => {
    response.writeHead(200, { ...json, 'content-length': '5000000' }).write('1')
  })
  expect(await to(url)(ask)).toEqual({ kind: 'doubtful', why: 'answered 200 at too great length' })
})

test('a certificate that nobody signed is not spoken to', async () => {
  let asked = 0
  const server = createTlsServer({ cert, key }, () => void asked++)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => void (await once(server.close(), 'close')))
  const { port } = server.address() as AddressInfo
  const reply = await to(`https://127.0.0.1:${port}`)(ask)
  expect(reply).toMatchObject({ kind: 'later', why: expect.stringMatching(/^not reached: \w*CERT\w*$/) })
  expect(asked).toBe(0)
})

test('a deadline holds for the whole answer, not for its beginning', async () => {
  const { url } = await provider((_, response) => {
    response.writeHead(200, json).write('{"a":')
  })
  expect(await to(url, { timeoutSeconds: 0.3 })(ask)).toEqual({ kind: 'doubtful', why: 'no answer in time' })
})

test('no more calls are open than may be; who waits too long has said nothing', async () => {
  let [open, most] = [0, 0]
  const { promise: release, resolve } = Promise.withResolvers<void>()
  const { url } = await provider(async (_, response) => {
    most = Math.max(most, ++open)
    await release
    open--
    response.writeHead(200, json).end('1')
  })
  const patient = to(url, { callsMax: 3 })
  const calls = Array.from({ length: 10 }, () => patient(ask))
  await expect.poll(() => open).toBe(3)
  const hasty = to(url, { callsMax: 1, timeoutSeconds: 0.2 })
  const [first, second] = await Promise.all([hasty(ask), hasty(ask)])
  expect(first).toEqual({ kind: 'doubtful', why: 'no answer in time' })
  expect(second).toEqual({ kind: 'later', seconds: 5, why: 'too many calls are open' })
  resolve()
  expect(await Promise.all(calls)).toEqual(Array(10).fill({ kind: 'done', value: 1 }))
  expect(most).toBeLessThanOrEqual(4)
  // Who gave up took nobody's turn.
  expect(await hasty(ask)).toEqual({ kind: 'done', value: 1 })
})

test('one provider that hangs delays no other', async () => {
  const hanging = await provider(() => {})
  const quick = await provider((_, response) => void response.writeHead(200, json).end('1'))
  const stuck = to(hanging.url, { callsMax: 2, timeoutSeconds: 3 })
  const calls = Array.from({ length: 50 }, () => stuck(ask))
  const began = performance.now()
  const lively = to(quick.url)
  for (let times = 0; times < 20; times++) expect((await lively(ask)).kind).toBe('done')
  expect(performance.now() - began).toBeLessThan(2_500)
  const kinds = (await Promise.all(calls)).map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'doubtful').length).toBeGreaterThanOrEqual(2)
  expect(kinds).not.toContain('done')
})

test('what is told holds no secret, no control character, and is short', async () => {
  const { url } = await provider((_, response) => void response.writeHead(400, json).end('{}'))
  const echo: Question<never> = {
    ...ask,
    read: () => refusal(400, 'bad hush', `your\r\nkey hush\u202e is wrong${'!'.repeat(999)}`),
  }
  const reply = await to(url, {}, ['hush'])(echo)
  expect(reply).toMatchObject({
    kind: 'refused',
    code: 'bad ***',
    why: expect.stringMatching(/^your key \*\*\* {1,2}is wrong!+$/),
  })
  expect(JSON.stringify(reply).length).toBeLessThan(300)
})
