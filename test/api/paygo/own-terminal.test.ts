import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { startApi } from '../../../api/main.ts'
import { expire } from '../../../db/devices/commands.ts'
import * as sessions from '../../../db/paygo/terminal-sessions.ts'
import * as terminals from '../../../db/paygo/terminals.ts'
import { journal } from '../journal.ts'
import { startApiServer } from '../server.ts'
import { stage } from './paygo-stage.ts'
import { client } from './socket-client.ts'

const built = await startApiServer()
const { db, call } = built
const { member, terminal, number, paid, config } = stage(built)
const operator = await member('terminal_operator')

const { log, lines } = journal()
const one = await startApi({ config, db, log })
afterAll(() => one.close())
const at = (path: string, { port } = one) => `ws://127.0.0.1:${port}${path}`

/** A terminal on its own socket and on no other line, and whoever tells it things. */
async function onSocket(made?: Awaited<ReturnType<typeof terminal>>) {
  const known = made ?? (await terminal({ isOnline: false }))
  const socket = client(at(`/ws/terminals/${known.terminalId}`), ['bearer', known.key])
  const hello = await socket.next()
  const path = `/api/v1/terminals/${known.terminalId}`
  return {
    ...known,
    ...socket,
    hello,
    tell: async (command_type = 'ping', command_data: object = {}) =>
      (await call('POST', `${path}/commands`, { token: operator.token, body: { command_type, command_data } })).body,
    shown: async (id: string) => (await call('GET', `${path}/commands/${id}`, { token: operator.token })).body,
    status: async () => (await call('GET', path, { token: operator.token })).body.status,
    line: async () => (await db.sql`select node, dialect from device_sessions where device_id = ${known.id}`)[0],
    asks: async (type: string, data?: object) => {
      socket.say({ type, data })
      return await socket.next('accepted', 'refused')
    },
  }
}
/** Another line of a terminal's, as a gateway opens it. */
const dials = (terminalId: number) =>
  db.transaction((tx) =>
    sessions.open(tx, { terminalId, node: 'node-2', dialect: 'iso8583', address: '127.0.0.1', heartbeatSeconds: 60 }),
  )

test('a terminal shows its key in three ways, is online by it, and away when it is gone', async () => {
  const { terminalId, key, ...own } = await onSocket()
  expect(own.hello).toMatchObject({ type: 'connected', data: { terminal: { id: terminalId, status: 'online' } } })
  own.socket.close()
  await expect.poll(own.status).toBe('offline')
  const path = `/ws/terminals/${terminalId}`
  for (const again of [
    () => client(at(`${path}?token=${key.toUpperCase()}`)),
    () => client(at(`/api/v1${path}`), [], { authorization: `Bearer ${key}` }),
  ])
    expect(await again().next()).toMatchObject({ type: 'connected', data: { terminal: { status: 'online' } } })
})

test('a command over HTTP reaches a terminal that has its socket only, and its result counts once', async () => {
  const own = await onSocket()
  const watching = client(at(`/ws/terminals/${own.terminalId}`), ['bearer', operator.token])
  await watching.next()
  const made = await own.tell('set_volume', { volume: 40 })
  const told = { ...made, status: 'executing' }
  expect((await own.next()).data).toEqual(told)
  const result = { id: made.id, status: 'completed', result: 'громкость 40' }
  for (let n = 0; n < 3; n++)
    expect(await own.asks('command_result', result)).toMatchObject({
      type: 'accepted',
      data: { type: 'command_result', id: made.id, status: 'completed' },
    })
  expect(await own.asks('command_result', { id: made.id, status: 'failed' })).toMatchObject({
    data: { status: 'completed' },
  })
  expect(await own.shown(made.id)).toMatchObject({ status: 'completed', result: 'громкость 40' })
  const seen = []
  for (const _ of ['pending', 'executing', 'completed']) seen.push((await watching.next('command')).data.status)
  expect(seen).toEqual(['pending', 'executing', 'completed'])
  await own.tell('maintenance_on')
  const failed = { id: (await own.next('command')).data.id, status: 'failed', result: 'занят' }
  await own.asks('command_result', failed)
  expect((await watching.next('command')).data.status).toBe('pending')
  expect(await own.shown(failed.id)).toMatchObject(failed)
  expect(await own.status()).toBe('online')
})

test('a command that waited for the terminal is told when it comes, and again under its id when it is silent', async () => {
  const made = await terminal({ isOnline: false })
  const body = { command_type: 'print_receipt', command_data: { text: 'Спасибо' } }
  const path = `/api/v1/terminals/${made.terminalId}/commands`
  const { id } = (await call('POST', path, { token: operator.token, body })).body
  const own = await onSocket(made)
  expect((await own.next('command')).data).toMatchObject({ id, command_data: { text: 'Спасибо' } })
  await db.sql`update device_commands set deadline = now() where device_id = ${own.id}`
  await db.transaction((tx) => expire(tx, async () => []))
  expect((await own.next('command')).data.id).toBe(id)
  await own.asks('command_result', { id, status: 'completed' })
  expect(await own.shown(id)).toMatchObject({ status: 'completed', result: null })
  await own.tell('restart')
  await own.next('command')
  own.socket.close()
  const again = await onSocket(made)
  await expect
    .poll(async () => (await call('GET', path, { token: operator.token })).body.commands[0].status)
    .toBe('completed')
  expect(again.messages.filter(({ type }) => type === 'command')).toEqual([])
})

test('no key, another’s key and one that has ended are 4401, a terminal that is switched off is 4404', async () => {
  const [mine, other] = [await terminal({ isOnline: false }), await terminal({ isOnline: false })]
  const path = (id: string) => at(`/ws/terminals/${id}`)
  for (const [id, key] of [
    [mine.terminalId, other.key],
    [mine.terminalId, randomBytes(32).toString('hex')],
    ['terminal999999999', mine.key],
    ['nonsense', mine.key],
  ] as const)
    expect(await client(path(id), ['bearer', key]).closed).toBe(4401)
  expect(await client(at('/ws/notifications'), ['bearer', mine.key]).closed).toBe(4401)
  const own = await onSocket(mine)
  await db.sql`update device_keys set valid_until = now() where device_id = ${mine.id}`
  own.say({ type: 'heartbeat' })
  expect(await own.closed).toBe(4401)
  const off = await onSocket(other)
  await db.transaction((tx) => terminals.disable(tx, null, other.id))
  expect(await off.closed).toBe(4404)
  expect(await client(path(other.terminalId), ['bearer', other.key]).closed).toBe(4404)
})

test('a terminal hears and says only its own', async () => {
  const [mine, other] = [await onSocket(), await onSocket()]
  const foreign = await other.tell()
  const txn = await paid(other.id, number())
  expect(await mine.asks('command_result', { id: foreign.id, status: 'completed' })).toMatchObject({
    ...{ type: 'refused', data: { error_code: 'COMMAND_NOT_FOUND' } },
  })
  expect(await mine.asks('transaction_result', { id: `txn${txn}`, status: 'failed' })).toMatchObject({
    ...{ type: 'refused', data: { error_code: 'TRANSACTION_NOT_FOUND' } },
  })
  expect(await other.shown(foreign.id)).toMatchObject({ status: 'executing' })
  for (const status of ['pending', 'completed'])
    expect((await other.next('transaction')).data).toMatchObject({ id: `txn${txn}`, status })
  expect(mine.messages.map(({ type }) => type)).toEqual(['connected', 'refused', 'refused'])
})

test('what a terminal has otherwise than the books is for people, once, and moves no money', async () => {
  const own = await onSocket()
  const id = await paid(own.id, number())
  const says = (status: string) => own.say({ type: 'transaction_result', data: { id: `txn${id}`, status } })
  for (const status of ['completed', 'failed', 'failed']) says(status)
  for (let n = 0; n < 3; n++)
    expect(await own.next('accepted')).toMatchObject({ data: { type: 'transaction_result', status: 'completed' } })
  const exceptions = await db.sql`select what from payment_exceptions where transaction_id = ${id}`
  expect(exceptions).toEqual([{ what: 'a terminal has as failed what is completed' }])
  await db.sql`update transactions set status = 'pending' where id = ${id}`
  expect(await own.asks('transaction_result', { id: `txn${id}`, status: 'failed' })).toMatchObject({
    data: { status: 'pending' },
  })
  expect(await db.sql`select 1 from payment_exceptions where transaction_id = ${id}`).toHaveLength(1)
})

test('beside the line that carries its money a socket takes no command, and takes over when that is gone', async () => {
  const own = await onSocket()
  expect(await own.line()).toMatchObject({ dialect: 'websocket' })
  const { epoch } = await dials(own.id)
  expect(await own.asks('heartbeat')).toMatchObject({ type: 'accepted', data: { type: 'heartbeat' } })
  expect(await own.line()).toEqual({ node: 'node-2', dialect: 'iso8583' })
  const { id } = await own.tell()
  expect(await own.asks('heartbeat')).toMatchObject({ type: 'accepted' })
  expect(await own.shown(id)).toMatchObject({ status: 'pending' })
  await db.transaction((tx) => sessions.close(tx, { deviceId: own.id, node: 'node-2', epoch, reason: 'closed' }))
  expect((await own.next('command')).data.id).toBe(id)
  expect(await own.line()).toMatchObject({ dialect: 'websocket' })
})

test('of two sockets of a terminal the newer one has it', async () => {
  const old = await onSocket()
  const young = await onSocket(old)
  expect(await old.closed).toBe(4409)
  await young.tell()
  expect((await young.next('command')).data.command_type).toBe('ping')
  expect(old.messages.some(({ type }) => type === 'command')).toBe(false)
})

test('what cannot be read is refused as over HTTP, each in its turn, and the socket stays', async () => {
  const own = await onSocket()
  const bad: [unknown, string][] = [
    ['nothing', 'body'],
    [null, 'body'],
    [{ type: 'else' }, 'type'],
    [{ type: 'command_result' }, 'data'],
    [{ type: 'command_result', data: { id: 'txn1', status: 'completed' } }, 'data.id'],
    [{ type: 'command_result', data: { id: 'command1', status: 'done' } }, 'data.status'],
    [{ type: 'command_result', data: { id: 'command1', status: 'failed', result: 'x'.repeat(1_000) } }, 'data.result'],
    [{ type: 'transaction_result', data: { id: 'txn1', status: 'authorised' } }, 'data.status'],
  ]
  for (const [said] of bad) own.say(said)
  for (const [, field] of bad)
    expect(await own.next('refused')).toMatchObject({ data: { error_code: 'VALIDATION_ERROR', errors: [{ field }] } })
  expect(await own.asks('heartbeat')).toMatchObject({ type: 'accepted' })
})

test('a process that stops gives its terminals back, and no key is in its log', async () => {
  const own = await onSocket()
  await one.close()
  expect(await own.closed).toBe(1001)
  expect(await own.line()).toMatchObject({ node: null })
  expect(JSON.stringify(lines)).not.toMatch(/[0-9a-f]{64}|token=/i)
  expect(lines.filter(({ event }) => !['request.answered', 'socket.closed', 'ledger.proved'].includes(event))).toEqual(
    [],
  )
})
