import { expect, test } from 'vitest'
import * as commands from '../../../db/paygo/terminal-commands.ts'
import type { CommandType } from '../../../db/paygo/words.ts'
import type { Command } from '../../../protocol/terminal.ts'
import { testDb } from '../../postgres.ts'
import { lineTo, newTerminal, now, signedOn, terminalGateway } from './terminal-stage.ts'

const { db } = await testDb()

const tell = async (terminalId: number, type: CommandType, data: Record<string, unknown> = {}) =>
  (await db.transaction((tx) => commands.enqueue(tx, null, { terminalId, type, data }))).id
const stateOf = async ({ id }: { id: number }, command: number) => (await commands.get(db.sql, id, command))?.status
/** Its time is over. */
const overdue = (command: number) => db.sql`update device_commands set deadline = now() where id = ${command}`
const deadlineOf = async (command: number) => {
  const [row] = await db.sql<{ seconds: number }[]>`
    select extract(epoch from deadline - now())::int as seconds from device_commands where id = ${command}`
  return row!.seconds
}
const done = ({ stan }: Command, more: Record<string, unknown> = {}) => ({
  kind: 'result' as const,
  stan,
  code: '00',
  ...more,
})

async function stage() {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal)
  return { gateway, terminal, line, hear: async () => (await line.hear()) as Command }
}

test('a terminal is told, answers by the STAN of the host, and the command is completed', async () => {
  const { gateway, terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'set_volume', { volume: 40 })
  const command = await hear()
  expect(command).toEqual({ kind: 'set_volume', stan: '000001', data: { volume: 40 } })
  expect(await stateOf(terminal, id)).toBe('executing')
  expect(await deadlineOf(id)).toBeGreaterThan(5)
  line.say(done(command, { text: 'громкость 40' }))
  await expect.poll(() => stateOf(terminal, id)).toBe('completed')
  expect(await commands.get(db.sql, terminal.id, id)).toMatchObject({
    type: 'set_volume',
    data: { volume: 40 },
    result: 'громкость 40',
    executedAt: expect.any(Date),
  })
  expect(gateway.node.counts).toMatchObject({ told: { set_volume: 1 }, heard: { result: 1 } })
  const kinds = await db.sql`select kind from events where (data->>'commandId')::bigint = ${id} order by id`
  expect(kinds.map(({ kind }) => kind)).toEqual(['terminal.command', 'terminal.command_sent', 'terminal.command_ended'])
})

test('an answer that is no 00 is a failure, and says why', async () => {
  const { terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'print_receipt', { text: 'Спасибо' })
  line.say(done(await hear(), { code: '96' }))
  await expect.poll(() => stateOf(terminal, id)).toBe('failed')
  expect(await commands.get(db.sql, terminal.id, id)).toMatchObject({ result: 'code 96' })
})

test('what is not answered is said once more under its STAN, then given up; a late answer still counts', async () => {
  const { terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'ping')
  const first = await hear()
  expect(await deadlineOf(id)).toBeLessThanOrEqual(10)
  await overdue(id)
  const second = await hear()
  expect(second).toEqual({ ...first, isRepeat: true })
  expect(await deadlineOf(id)).toBeGreaterThan(45)
  await overdue(id)
  await expect.poll(() => stateOf(terminal, id)).toBe('expired')
  line.say(done(first))
  await expect.poll(() => stateOf(terminal, id)).toBe('completed')
})

test('an answer said twice counts once, and one of another STAN is of nothing', async () => {
  const { terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'ping')
  const command = await hear()
  line.say(done({ ...command, stan: '999999' }))
  line.say(done(command))
  line.say(done(command, { code: '96' }))
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ code: '00' })
  const next = await tell(terminal.id, 'ping')
  line.say(done(await hear()))
  await expect.poll(() => stateOf(terminal, next)).toBe('completed')
  expect(await stateOf(terminal, id)).toBe('completed')
})

test('a restart is never said again: the next sign-on is its answer, or a minute without one the end', async () => {
  const { gateway, terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'restart')
  expect(await hear()).toMatchObject({ kind: 'restart' })
  expect(await deadlineOf(id)).toBeGreaterThan(55)
  line.socket.destroy()
  const again = await signedOn(gateway, terminal)
  await expect.poll(() => stateOf(terminal, id)).toBe('completed')
  const second = await tell(terminal.id, 'restart')
  expect(await again.hear()).toMatchObject({ kind: 'restart' })
  await overdue(second)
  await expect.poll(() => stateOf(terminal, second)).toBe('expired')
  expect(await again.ask({ kind: 'heartbeat' })).toMatchObject({ kind: 'answer', code: '00' })
})

test('a line that is lost with a command under way: it is said again over the next', async () => {
  const { gateway, terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'update_config', { theme: 'dark' })
  const first = await hear()
  line.socket.destroy()
  await expect
    .poll(async () => (await db.sql`select status from device_commands where id = ${id}`)[0])
    .toMatchObject({ status: 'queued' })
  expect(await stateOf(terminal, id)).toBe('executing')
  const again = await signedOn(gateway, terminal)
  expect(await again.hear()).toEqual({ ...first, isRepeat: true })
  again.say(done(first))
  await expect.poll(() => stateOf(terminal, id)).toBe('completed')
})

test('a terminal that is away: restart and payment wait a quarter of a minute, the others a day', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const [restart, payment, volume] = [
    await tell(terminal.id, 'restart'),
    await tell(terminal.id, 'payment', { id: 1 }),
    await tell(terminal.id, 'set_volume', { volume: 1 }),
  ]
  for (const id of [restart, payment]) expect(await deadlineOf(id)).toBeLessThanOrEqual(15)
  expect(await deadlineOf(volume)).toBeGreaterThan(86_000)
  for (const id of [restart, payment]) await overdue(id)
  await expect.poll(() => stateOf(terminal, restart)).toBe('expired')
  await expect.poll(() => stateOf(terminal, payment)).toBe('expired')
  expect(await stateOf(terminal, volume)).toBe('pending')
  const line = await signedOn(gateway, terminal)
  expect(await line.hear()).toEqual({ kind: 'set_volume', stan: '000003', data: { volume: 1 } })
})

test('maintenance begins and ends when the terminal says it has', async () => {
  const { terminal, line, hear } = await stage()
  const conditionOf = async () =>
    (await db.sql`select condition from terminals where id = ${terminal.id}`)[0]!.condition
  await tell(terminal.id, 'maintenance_on')
  const on = await hear()
  expect(await conditionOf()).toBe('working')
  line.say(done(on))
  await expect.poll(conditionOf).toBe('maintenance')
  const refused = await tell(terminal.id, 'maintenance_off')
  line.say(done(await hear(), { code: '12' }))
  await expect.poll(() => stateOf(terminal, refused)).toBe('failed')
  expect(await conditionOf()).toBe('maintenance')
  await tell(terminal.id, 'maintenance_off')
  line.say(done(await hear()))
  await expect.poll(conditionOf).toBe('working')
})

test('commands carry the routing header that was heard last, turned round', async () => {
  const gateway = await terminalGateway(db)
  const terminal = await newTerminal(db)
  const line = await signedOn(gateway, terminal, { tpdu: Buffer.from('6000010002', 'hex') })
  await tell(terminal.id, 'ping')
  expect((await line.frame())!.toString('hex', 2, 7)).toBe('6000020001')
})

test('what no message can carry is refused, and what slips through fails at once', async () => {
  const { terminal } = await stage()
  const refused = (type: CommandType, data: Record<string, unknown>) =>
    expect(tell(terminal.id, type, data)).rejects.toMatchObject({ code: 'invalid', about: { field: 'command_data' } })
  await refused('set_volume', { volume: 101 })
  await refused('set_volume', {})
  await refused('set_server_address', { host: 'a b', port: 1 })
  await refused('set_server_address', { host: 'host', port: 0 })
  await refused('print_receipt', { text: 'я'.repeat(600) })
  await expect(tell(9_999_999, 'ping')).rejects.toMatchObject({ code: 'not_found' })
  const id = await tell(terminal.id, 'print_receipt', { text: '\u007f' })
  await expect.poll(() => stateOf(terminal, id)).toBe('failed')
})

test('the same key twice is one command, and twenty at once have twenty numbers', async () => {
  const terminal = await newTerminal(db)
  const idempotency = { key: 'k', hash: 'h' }
  const ask = (hash: string) =>
    db.transaction((tx) =>
      commands.enqueue(
        tx,
        { userId: 1, roles: [] },
        { terminalId: terminal.id, type: 'ping', idempotency: { ...idempotency, hash } },
      ),
    )
  const [first, second] = await Promise.all([ask('h'), ask('h')])
  expect(first.id).toBe(second.id)
  await expect(ask('other')).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  const ids = await Promise.all(Array.from({ length: 20 }, () => tell(terminal.id, 'ping')))
  const rows = await db.sql`select distinct args->>'stan' as stan from device_commands where id = any(${ids}::bigint[])`
  expect(rows).toHaveLength(20)
  const { rows: page, total } = await commands.list(db.sql, terminal.id, { page: 1, limit: 5 })
  expect({ total, ids: page.map(({ id }) => id) }).toEqual({
    total: 21,
    ids: ids.toSorted((a, b) => b - a).slice(0, 5),
  })
})

test('a forged answer is no answer', async () => {
  const { gateway, terminal, line, hear } = await stage()
  const id = await tell(terminal.id, 'ping')
  const { stan } = await hear()
  const forged = lineTo(gateway, { ...terminal, key: '22'.repeat(32) }).codec.encode({
    kind: 'result',
    stan,
    code: '00',
    sentAt: now(),
  })
  line.write(forged)
  // To an answer there is no answer: the next thing that is heard is that of the heartbeat.
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ mti: '0810', code: '00' })
  expect(await stateOf(terminal, id)).toBe('executing')
})
