import { expect, test } from 'vitest'
import { answered } from '../../../db/paygo/terminal-commands.ts'
import * as terminals from '../../../db/paygo/terminals.ts'
import { startApiServer } from '../server.ts'
import { type Person, refusal, stage } from './paygo-stage.ts'

const built = await startApiServer()
const { call, db, lines } = built
const world = stage(built)
const { member, terminal, number, kept, paid } = world
const [admin, operator, user] = [await member('admin'), await member('terminal_operator'), await member()]

const get = ({ token }: Person, path: string) => call('GET', `/api/v1${path}`, { token })
const statusOf = async (terminalId: string) => (await get(user, `/terminals/${terminalId}`)).body.status
const tell = ({ token }: Person, terminalId: string, body: object, key?: string) =>
  call('POST', `/api/v1/terminals/${terminalId}/commands`, {
    token,
    body,
    ...(key ? { headers: { 'idempotency-key': key } } : {}),
  })

test('a terminal is online by its line, unless people or commands say otherwise', async () => {
  const { id, terminalId } = await terminal()
  expect(await statusOf(terminalId)).toBe('online')
  await db.sql`update terminals set condition = 'error' where id = ${id}`
  expect(await statusOf(terminalId)).toBe('error')
  await db.sql`update terminals set condition = 'working' where id = ${id}`
  await db.sql`update device_sessions set node = null, disconnected_at = now() where device_id = ${id}`
  expect(await statusOf(terminalId)).toBe('offline')
  for (const [status, is] of [
    ['offline', true],
    ['online', false],
  ] as const) {
    const { body } = await get(user, `/terminals?status=${status}`)
    expect(body.terminals.some((one: any) => one.id === terminalId)).toBe(is)
  }
})

test('a terminal that is switched off is seen by admins only', async () => {
  const { id, terminalId } = await terminal()
  await db.transaction((tx) => terminals.disable(tx, null, id))
  expect(await get(user, `/terminals/${terminalId}`)).toMatchObject(refusal(404, 'TERMINAL_NOT_FOUND'))
  expect((await get(user, '/terminals')).body.terminals.map((one: any) => one.id)).not.toContain(terminalId)
  const { body } = await get(admin, '/admin/terminals?limit=100')
  expect(body.terminals.find((one: any) => one.id === terminalId)).toMatchObject({ is_active: false })
  expect(await tell(admin, terminalId, { command_type: 'ping' })).toMatchObject(refusal(404, 'TERMINAL_NOT_FOUND'))
})

test('turnover is for staff', async () => {
  const { id, terminalId } = await terminal()
  const own = number()
  await kept(user, own)
  for (const amountMinor of [10_000, 20_000, 105]) await paid(id, own, amountMinor)
  expect((await get(user, `/terminals/${terminalId}`)).body).not.toHaveProperty('statistics')
  const takings = { total_transactions: 3, total_amount: 300, successful_transactions: 2 }
  expect((await get(operator, `/terminals/${terminalId}`)).body.statistics).toEqual(takings)
  expect((await get(operator, `/terminals/${terminalId}/stats`)).body).toMatchObject({
    ...takings,
    ...{ terminal_id: terminalId, failed_transactions: 1, status: 'online' },
  })
  expect(await get(user, `/terminals/${terminalId}/stats`)).toMatchObject(refusal(403, 'INSUFFICIENT_PERMISSIONS'))
})

test('a command waits, is answered by the terminal, and can be read to its end', async () => {
  const { id, terminalId } = await terminal()
  const made = await tell(operator, terminalId, { command_type: 'maintenance_on' })
  expect(made).toMatchObject({
    status: 201,
    body: {
      terminal_id: terminalId,
      command_type: 'maintenance_on',
      command_data: {},
      status: 'pending',
      result: null,
    },
  })
  const commandId = made.body.id.replace('command', '')
  await db.sql`update device_commands set status = 'sent', attempts = 1 where id = ${Number(commandId)}`
  const path = `/terminals/${terminalId}/commands`
  expect((await get(operator, `${path}/${commandId}`)).body.status).toBe('executing')
  await db.transaction((tx) => answered(tx, id, { stan: '000001', code: '00', text: 'готово' }, 'ff'))
  expect((await get(operator, `${path}/${made.body.id}`)).body).toMatchObject({
    ...{ status: 'completed', result: 'готово', executed_at: expect.stringMatching(/Z$/) },
  })
  expect(await statusOf(terminalId)).toBe('maintenance')
  expect((await get(operator, path)).body).toMatchObject({ commands: [{ id: made.body.id }], pagination: { total: 1 } })
  const other = await terminal()
  expect(await get(operator, `/terminals/${other.terminalId}/commands/${commandId}`)).toMatchObject(
    refusal(404, 'COMMAND_NOT_FOUND'),
  )
  for (const one of [path, `${path}/${commandId}`]) expect((await get(user, one)).status).toBe(403)
})

test('a command has two spellings, and a key that makes it once', async () => {
  const { terminalId } = await terminal()
  const body = { command: 'set_volume', parameters: { volume: 40 } }
  const same = await Promise.all(Array.from({ length: 10 }, () => tell(operator, terminalId, body, 'volume-1')))
  expect(new Set(same.map((one) => `${one.status} ${one.body.id}`)).size).toBe(1)
  expect(same[0]!.body).toMatchObject({ command_type: 'set_volume', command_data: { volume: 40 } })
  const otherwise = await tell(operator, terminalId, { ...body, parameters: { volume: 41 } }, 'volume-1')
  expect(otherwise).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
})

test.each([
  [{}, 'command_type'],
  [{ command_type: 'explode' }, 'command_type'],
  [{ command_type: 'restart', command_data: { now: true } }, 'command_data.now'],
  [{ command_type: 'set_volume' }, 'command_data.volume'],
  [{ command_type: 'set_volume', command_data: { volume: 101 } }, 'command_data.volume'],
  [{ command: 'set_server_address', parameters: { host: 'a b', port: 1 } }, 'parameters.host'],
])('the command %j is 422 and names %s', async (body, field) => {
  const { terminalId } = await terminal()
  const refused = await tell(admin, terminalId, body)
  expect(refused).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect(refused.body.errors.map((one: any) => one.field)).toEqual([field])
})

test('a command is for admins and operators, and for terminals that there are', async () => {
  const { terminalId } = await terminal()
  for (const role of ['user', 'finance_manager'] as const)
    expect((await tell(await member(role), terminalId, { command_type: 'ping' })).status).toBe(403)
  expect(await tell(admin, 'terminal999999999', { command_type: 'ping' })).toMatchObject(
    refusal(404, 'TERMINAL_NOT_FOUND'),
  )
})

test('the dashboard counts what there is', async () => {
  const before = (await get(admin, '/admin/dashboard')).body
  const { id } = await terminal({ isOnline: false })
  const payer = await member()
  const own = number()
  await kept(payer, own)
  await paid(id, own, 50_000)
  const old = await paid(id, own, 70_000)
  await db.sql`update transactions set created_at = now() - interval '31 days' where id = ${old}`
  const after = (await get(admin, '/admin/dashboard')).body
  const grown = (key: string) => Math.round((after[key] - before[key]) * 100) / 100
  expect(['total_users', 'total_terminals', 'total_transactions', 'recent_transactions'].map(grown)).toEqual([
    1, 1, 2, 1,
  ])
  expect(['total_amount', 'recent_amount'].map(grown)).toEqual([1200, 500])
  expect(after.terminal_status.offline - before.terminal_status.offline).toBe(1)
})

test('people are found by role and by words, without what they must not be found by', async () => {
  const finance = await member('finance_manager')
  const found = async (query: string) =>
    (await get(admin, `/admin/users?${query}`)).body.users.map((one: any) => one.id)
  expect(await found(`search=${encodeURIComponent(finance.phone)}`)).toEqual([finance.userId])
  expect(await found('role=finance_manager&limit=100')).toContain(finance.userId)
  expect(await found('role=user&limit=100')).not.toContain(finance.userId)
  expect(await found('search=%25%25%25')).toEqual([])
  const { body } = await get(admin, '/admin/users')
  expect(JSON.stringify(body)).not.toMatch(/password|argon2/)
})

test('the system says how it is, and what waits for people', async () => {
  const { id } = await terminal()
  const health = async () => (await get(admin, '/admin/system-health')).body
  expect(await health()).toMatchObject({
    status: 'healthy',
    components: { database: { status: 'healthy' }, terminals: { status: 'healthy' }, payments: { exceptions: 0 } },
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
  })
  await db.sql`insert into payment_exceptions (terminal_id, what) values (${id}, 'a test')`
  expect(await health()).toMatchObject({ status: 'degraded', components: { payments: { exceptions: 1 } } })
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
