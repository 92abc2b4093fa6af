import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { live } from '../../../api/live.ts'
import { startApi } from '../../../api/main.ts'
import { sockets } from '../../../api/sockets.ts'
import { api } from '../../../api/surfaces.ts'
import { sign } from '../../../api/token.ts'
import * as identity from '../../../db/identity/identity.ts'
import { record, recordAll } from '../../../db/messages/events.ts'
import { tell } from '../../../db/paygo/notices.ts'
import { answered } from '../../../db/paygo/terminal-commands.ts'
import * as sessions from '../../../db/paygo/terminal-sessions.ts'
import * as terminals from '../../../db/paygo/terminals.ts'
import { journal } from '../journal.ts'
import { startApiServer } from '../server.ts'
import { stage } from './paygo-stage.ts'
import { client } from './socket-client.ts'

const built = await startApiServer()
const { db, call } = built
const { member, terminal, number, kept, paid, config } = stage(built)
const [operator, user] = [await member('terminal_operator'), await member()]

/** Two processes over one database. */
const { log, lines, said, until } = journal()
const [one, other] = [await startApi({ config, db, log }), await startApi({ config, db, log })]
afterAll(() => Promise.all([one.close(), other.close()]))
const at = (path: string, { port } = one) => `ws://127.0.0.1:${port}${path}`

/** A socket of somebody's, opened and greeted. */
async function opened(path: string, { token }: { token: string }, process = one) {
  const socket = client(at(path, process), ['bearer', token])
  return { ...socket, hello: await socket.next() }
}
const signed = (who: { id: number; sessionId: string }, expiresAt: Date, secret = config.jwtSecret) =>
  sign({ userId: who.id, sessionId: who.sessionId }, { surface: 'paygo', expiresAt }, secret)
const soon = (seconds: number) => new Date(Math.ceil(Date.now() / 1000 + seconds) * 1000)

test('a token comes in three ways and at two bases, and the first message is the whole picture', async () => {
  const { terminalId } = await terminal()
  const { token } = operator
  for (const base of ['', '/api/v1']) {
    const path = `${base}/ws/terminals/${terminalId}`
    for (const socket of [
      client(at(`${path}?token=${token}`)),
      client(at(path), [], { authorization: `Bearer ${token}` }),
      client(at(`${path}/`), ['bearer', token]),
    ])
      expect(await socket.next()).toEqual({
        type: 'connected',
        data: { terminal: expect.objectContaining({ id: terminalId, status: 'online', name: 'Терминал №1' }) },
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      })
  }
  const asked = client(at(`/ws/terminals/${terminalId}`), ['bearer', token])
  await asked.next()
  expect(asked.socket.protocol).toBe('bearer')
})

test('who has no token, or none that is good, hears 4401', async () => {
  const gone = await member('admin')
  await db.transaction((tx) => identity.revoke(tx, gone.id, gone.sessionId))
  const forged = await signed(operator, soon(60), 'a secret of somebody else, long enough for HS256')
  const expired = await signed(operator, new Date(Date.now() - 60_000))
  for (const token of ['', 'nonsense', forged, expired, gone.token])
    for (const path of ['/ws/notifications', '/ws/terminals/terminal1'])
      expect(await client(at(`${path}?token=${token}`)).closed, token).toBe(4401)
  expect(await client(at('/ws/notifications')).closed).toBe(4401)
})

test('a terminal is watched by staff only: 4403, whether there is such a terminal or not', async () => {
  const { terminalId } = await terminal()
  for (const who of [user, await member(null)])
    for (const id of [terminalId, 'terminal999999999'])
      expect(await client(at(`/ws/terminals/${id}`), ['bearer', who.token]).closed).toBe(4403)
  for (const role of ['admin', 'finance_manager', 'terminal_operator'] as const)
    expect((await opened(`/ws/terminals/${terminalId}`, await member(role))).hello.type).toBe('connected')
})

test('a terminal that is not there, or not any more, is 4404', async () => {
  for (const id of ['terminal999999999', 'nonsense', '%00', '99999999999999999999'])
    expect(await client(at(`/ws/terminals/${id}`), ['bearer', operator.token]).closed).toBe(4404)
  const { id, terminalId } = await terminal()
  const watching = await opened(`/ws/terminals/${terminalId}`, operator)
  await db.transaction((tx) => terminals.disable(tx, null, id))
  expect(await watching.closed).toBe(4404)
})

test('a terminal is told of in order, by any process: how it stands, what is paid, what it is told to do', async () => {
  const { id, terminalId } = await terminal({ isOnline: false })
  const elsewhere = await terminal()
  const path = `/ws/terminals/${terminalId}`
  const watching = await Promise.all([one, other].map((process) => opened(path, operator, process)))
  const arrival = { terminalId: id, node: 'node-1', dialect: 'iso8583', address: '127.0.0.1' }
  const line = await db.transaction((tx) => sessions.open(tx, arrival as any))
  for (const { next } of watching)
    expect(await next()).toMatchObject({ type: 'status', data: { terminal_id: terminalId, status: 'online' } })
  const own = number()
  await paid(elsewhere.id, own, 5_000)
  const txn = await paid(id, own)
  const seen = { id: `txn${txn}`, terminal_id: terminalId, amount: 1500, refunded_amount: 0 }
  for (const { next } of watching)
    for (const status of ['pending', 'completed']) expect((await next('transaction')).data).toEqual({ ...seen, status })
  const body = { command_type: 'maintenance_on' }
  const made = await call('POST', `/api/v1/terminals/${terminalId}/commands`, { token: operator.token, body })
  for (const { next } of watching) expect((await next('command')).data).toEqual(made.body)
  await db.sql`update device_commands set status = 'sent', attempts = 1 where device_id = ${id}`
  await db.transaction((tx) => answered(tx, id, { stan: '000001', code: '00' }, 'ff'))
  for (const { next } of watching) {
    expect((await next('status')).data).toMatchObject({ terminal_id: terminalId, status: 'maintenance' })
    expect((await next('command')).data).toMatchObject({ id: made.body.id, status: 'completed' })
  }
  await db.transaction((tx) => record(tx, 'transaction.exception', { data: { terminalId: id, what: 'a test' } }))
  expect(line.epoch).toBeGreaterThan(0)
  for (const { next, messages } of watching) {
    for (let told = await next('log'); told.data.event !== 'transaction.exception'; told = await next('log'));
    expect(messages.at(-1).data).toEqual({
      ...{ terminal_id: terminalId, event: 'transaction.exception' },
      details: { what: 'a test' },
    })
    expect(messages.filter(({ type }) => type === 'transaction')).toHaveLength(2)
    expect(messages.slice(1).every(({ data }) => data.terminal_id === terminalId)).toBe(true)
  }
})

test('what happens while a socket opens is in the picture or is told: nothing falls between', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => terminal()))
  const change = (id: number) =>
    db.transaction(async (tx) => {
      await tx`update terminals set condition = 'error' where id = ${id}`
      await record(tx, 'terminal.condition_changed', { data: { terminalId: id, condition: 'error' } })
    })
  await Promise.all(
    all.map(async ({ id, terminalId }) => {
      const [{ hello, next }] = await Promise.all([opened(`/ws/terminals/${terminalId}`, operator), change(id)])
      if (hello.data.terminal.status !== 'error') expect((await next()).data.status).toBe('error')
    }),
  )
})

test('people hear their own news and nobody else’s, and of payments unless they do not want to', async () => {
  const [me, somebody] = [await member(), await member()]
  const locked = (who: { id: number }) =>
    db.transaction((tx) => tell(tx, who.id, 'account.locked', { minutes: 15 }, 'securityAlerts'))
  await locked(me)
  const mine = await opened('/ws/notifications', me)
  expect(mine.hello).toMatchObject({ type: 'connected', data: { unread: 1 } })
  const card_id = await kept(me)
  const { terminalId } = await terminal()
  const body = { amount: 10, terminal_id: terminalId, card_id, payment_method: 'nfc' }
  const pay = () => call('POST', '/api/v1/transactions', { token: me.token, body })
  const payment = await pay()
  expect(payment.status).toBe(201)
  expect(await mine.next()).toMatchObject({
    type: 'notification',
    data: { kind: 'transaction.completed', about: { id: payment.body.id, amount: 10, terminal_id: terminalId } },
  })
  const settings = { transaction_alerts: false }
  await call('PUT', '/api/v1/users/notification-settings', { token: me.token, body: settings })
  await pay()
  await locked(somebody)
  await locked(me)
  expect(await mine.next()).toMatchObject({
    type: 'notification',
    data: { kind: 'account.locked', about: { minutes: 15 } },
  })
})

test('a ping is answered, other words are not, and too much or binary ends it', async () => {
  const { say, next, socket, closed } = await opened('/ws/notifications', user)
  for (const what of [{ type: 'else' }, null, 'ping', [1]]) say(what)
  socket.send('no JSON')
  say({ type: 'ping' })
  expect(await next()).toMatchObject({ type: 'pong', timestamp: expect.stringMatching(/Z$/) })
  socket.send(Buffer.from([1]))
  expect(await closed).toBe(1003)
  const long = await opened('/ws/notifications', user)
  long.say('x'.repeat(5_000))
  expect(await long.closed).toBe(1009)
  const flood = await opened('/ws/notifications', user)
  for (let n = 0; n < 301; n++) flood.say({ type: 'ping' })
  expect(await flood.closed).toBe(1008)
})

test('a socket ends with its token, with its session, and with the role it needs', async () => {
  const { terminalId } = await terminal()
  const path = `/ws/terminals/${terminalId}`
  const short = await opened(path, { token: await signed(operator, soon(2)) })
  const leaving = await member('admin')
  const [watching, elsewhere] = [await opened(path, leaving), await opened('/ws/notifications', leaving, other)]
  await call('POST', '/api/v1/auth/logout', { token: leaving.token })
  expect([await watching.closed, await elsewhere.closed]).toEqual([4401, 4401])
  const former = await member('terminal_operator')
  const [seen, news] = [await opened(path, former), await opened('/ws/notifications', former)]
  await db.sql`delete from user_roles where user_id = ${former.id}`
  await db.transaction((tx) => record(tx, 'user.role_revoked', { userId: former.id }))
  expect(await seen.closed).toBe(4403)
  news.say({ type: 'ping' })
  expect(await news.next()).toMatchObject({ type: 'pong' })
  expect(await short.closed).toBe(4401)
})

test('a client that does not read is closed with 1013, and the others hear on', async () => {
  const { id, terminalId } = await terminal()
  const path = `/ws/terminals/${terminalId}`
  const [slow, quick] = [await opened(path, operator), await opened(path, operator)]
  slow.socket.pause()
  const before = said('socket.closed').length
  const details = { terminalId: id, text: 'x'.repeat(100_000) }
  const many = Array.from({ length: 50 }, () => ({ kind: 'terminal.test', data: details }))
  for (let n = 0; n < 6; n++) await db.transaction((tx) => recordAll(tx, many))
  for (let n = 0; n < 300; n++) await quick.next('log')
  slow.socket.resume()
  expect(await slow.closed).toBe(1013)
  await until('socket.closed', before + 1)
  expect(slow.messages.length).toBeLessThan(300)
})

test('one person has so many sockets at most: one more is told to come later', async () => {
  const me = await member()
  const all = await Promise.all(Array.from({ length: 64 }, () => opened('/ws/notifications', me)))
  const late = client(at('/ws/notifications'), ['bearer', me.token])
  expect(await late.closed).toBe(1013)
  all[0]!.socket.close()
  await all[0]!.closed
  expect((await opened('/ws/notifications', me)).hello.type).toBe('connected')
  const admin = await member('admin')
  const headers = { authorization: `Bearer ${admin.token}` }
  const health = await fetch(`http://127.0.0.1:${one.port}/api/v1/admin/system-health`, { headers })
  const { connections } = ((await health.json()) as any).components.websocket
  expect(connections).toBeGreaterThanOrEqual(64)
})

test('who does not answer a protocol ping is dropped, who does stays', async () => {
  const streams = live(db, log)
  const ground = { ...built.stage, log, live: streams }
  const own = sockets(ground, api({ ...ground, metrics: new (await import('prom-client')).Registry() }).sockets, {
    beatMs: 100,
  })
  const server = createServer().on('upgrade', own.upgrade).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const near = { port: (server.address() as AddressInfo).port, close: own.close }
  onTestFinished(async () => {
    await Promise.all([own.close(), streams.close()])
    server.close()
  })
  const [deaf, well] = [await opened('/ws/notifications', user, near), await opened('/ws/notifications', user, near)]
  expect([own.count(), streams.count()]).toEqual([2, 2])
  deaf.socket.pong = () => {}
  Object.assign(deaf.socket, { _autoPong: false })
  expect(await deaf.closed).toBe(1006)
  await new Promise((pinged) => well.socket.once('ping', pinged))
  expect(own.count()).toBe(1)
})

test('what is no WebSocket of ours is answered by the rest of the house', async () => {
  const status = (path: string, upgrade: string) =>
    new Promise((done, failed) =>
      get({ port: one.port, host: '127.0.0.1', path, headers: { connection: 'upgrade', upgrade } }, (response) => {
        response.resume()
        done(response.statusCode)
      }).on('error', failed),
    )
  expect(await status('/health', 'h2c')).toBe(200)
  expect(await status('/health', 'websocket')).toBe(200)
  expect(await status('/ws/elsewhere', 'websocket')).toBe(404)
})

test('a stopping process says goodbye', async () => {
  const third = await startApi({ config, db, log })
  const mine = await opened('/ws/notifications', user, third)
  await third.close()
  expect(await mine.closed).toBe(1001)
})

test('no token is in the log, and nothing there was a bug of ours', () => {
  expect(JSON.stringify(lines)).not.toMatch(/eyJ|token=/)
  // The proof of the ledger is made as soon as a process starts late in the day.
  const usual = ['request.answered', 'socket.closed', 'ledger.proved']
  expect(lines.filter(({ event }) => !usual.includes(event))).toEqual([])
  expect(said('socket.closed').length).toBeGreaterThan(30)
})
