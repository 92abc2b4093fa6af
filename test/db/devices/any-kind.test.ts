import { beforeEach, expect, test } from 'vitest'
import { answered } from '../../../db/devices/command-results.ts'
import * as commands from '../../../db/devices/commands.ts'
import * as connections from '../../../db/devices/connections.ts'
import { quarantine } from '../../../db/devices/quarantine.ts'
import { afterwards } from '../../../db/powerbank/aftermath.ts'
import * as pendingCabinets from '../../../db/powerbank/quarantine.ts'
import { lock } from '../../../db/powerbank/station-lock.ts'
import { settle } from '../../../gateway/device-handlers.ts'
import { testDb } from '../../postgres.ts'
import { act, asked, cabinet, next, orderOf, scene, travel } from '../world.ts'

const { db } = await testDb()
const NODE = 'node-of-terminals'

beforeEach(async () => {
  await db.sql`update device_commands set status = 'answered' where status in ('queued', 'sent')`
})

/** Nothing hangs on a terminal yet. */
const hold = async () => []

/** A payment terminal that has logged in; nothing but the devices' own tables knows of it. */
async function terminal(): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into devices (kind, serial) values ('terminal', ${`TERM${next()}`}) returning id`
  await open(row!.id)
  return row!.id
}
const open = (deviceId: number) =>
  act(db, (tx) => connections.open(tx, { deviceId, node: NODE, dialect: 'iso8583', address: '192.0.2.1' }))
const enqueue = async (deviceId: number, kind: string, more: Partial<commands.NewCommand> = {}) =>
  (await act(db, (tx) => commands.enqueue(tx, { deviceId, kind, requestedBy: null, origin: 'api', ...more }))).id
const claim = (id: number, epoch = 1) => commands.claim(db.sql, NODE, [{ id, epoch, hex: '0800' }])
const statusOf = async (id: number) => (await commands.get(db.sql, id))!.status
const ended = (deviceId: number, id: number, about: object) => ({ id, deviceId, deviceKind: 'terminal', ...about })
const events = async () => (await db.sql`select 1 from events`).length
const sleeping = { kind: 'sale', isMovement: true }

test('a device of another kind is sent a command and answers it, and the older build sees none of it', async () => {
  const id = await terminal()
  const commandId = await enqueue(id, 'sale', { isMovement: true, args: { amountMinor: 19_900 } })
  expect(await commands.waiting(db.sql, NODE)).toEqual([
    {
      id: commandId,
      deviceId: id,
      epoch: 1,
      kind: 'sale',
      args: { amountMinor: 19_900 },
      isMovement: true,
      attempts: 0,
    },
  ])
  expect(await claim(commandId)).toEqual([commandId])
  const said = { kind: 'sale', approval: '123456' }
  const answer = () => act(db, (tx) => answered(tx, id, said, '0210', tx`args->>'amountMinor' = '19900'`))
  expect(await answer()).toMatchObject({ id: commandId, deviceId: id, isLate: false })
  expect(await answer()).toBeUndefined()
  expect(await commands.get(db.sql, commandId)).toMatchObject({ status: 'answered', answer: { approval: '123456' } })
  expect(await db.sql`select station_id from device_commands where device_id = ${id}`).toEqual([{ stationId: null }])
  expect(await db.sql`select station_id from device_sessions where device_id = ${id}`).toEqual([{ stationId: null }])
})

test('a movement is matched by what its business says, and by its slot where that says nothing', async () => {
  const id = await terminal()
  const commandId = await enqueue(id, 'sale', { isMovement: true, slot: 3, args: { amountMinor: 100 } })
  await claim(commandId)
  const other = (amount: string) =>
    act(db, (tx) => answered(tx, id, { kind: 'sale' }, '', tx`args->>'amountMinor' = ${amount}`))
  expect(await other('200')).toBeUndefined()
  expect(await act(db, (tx) => answered(tx, id, { kind: 'sale', slot: 4 }, ''))).toBeUndefined()
  expect(await act(db, (tx) => answered(tx, id, { kind: 'sale', slot: 3 }, ''))).toMatchObject({ isLate: false })
})

test('what ends by the clock is told with the kind of its device, and a late answer says that it is late', async () => {
  const id = await terminal()
  const sent = await enqueue(id, 'sale', { isMovement: true })
  const queued = await enqueue(id, 'sale', { isMovement: true })
  const query = await enqueue(id, 'status')
  await claim(sent)
  await claim(query)
  await travel(db, 16)
  const told = await act(db, (tx) => commands.expire(tx, hold))
  expect(told.toSorted((one, other) => one.id - other.id)).toEqual([
    ended(id, sent, { ...sleeping, status: 'unknown' }),
    ended(id, queued, { ...sleeping, status: 'expired' }),
    ended(id, query, { kind: 'status', isMovement: false, status: 'queued' }),
  ])
  expect(await act(db, (tx) => commands.expire(tx, hold))).toEqual([])
  expect(await act(db, (tx) => answered(tx, id, { kind: 'sale' }, '', tx`true`))).toMatchObject({
    id: sent,
    isLate: true,
  })
})

test('what a connection had under way ends with it, and what its wire cannot say at once', async () => {
  const id = await terminal()
  const first = await enqueue(id, 'sale', { isMovement: true })
  await claim(first)
  const again = await open(id)
  expect(again).toMatchObject({ epoch: 2, ended: [ended(id, first, { ...sleeping, status: 'unknown' })] })
  const second = await enqueue(id, 'sale', { isMovement: true })
  await claim(second, 2)
  const close = (epoch: number) =>
    act(db, (tx) => connections.close(tx, { deviceId: id, node: NODE, epoch, reason: 'reset' }))
  expect(await close(1)).toBeNull()
  expect(await close(2)).toEqual([ended(id, second, { ...sleeping, status: 'unknown' })])
  const unsaid = await enqueue(id, 'status')
  expect(await act(db, (tx) => commands.fail(tx, id, [unsaid], 'no word for it'))).toEqual([
    ended(id, unsaid, { kind: 'status', isMovement: false, status: 'failed' }),
  ])
})

test('a node gives back devices of every kind', async () => {
  const [id, station] = [await terminal(), await cabinet(db, { node: NODE })]
  const commandId = await enqueue(id, 'sale', { isMovement: true })
  await claim(commandId)
  const released = await act(db, (tx) => connections.releaseNode(tx, NODE, hold))
  expect(released.deviceIds).toEqual(expect.arrayContaining([id, station]))
  expect(released.ended).toEqual([ended(id, commandId, { ...sleeping, status: 'unknown' })])
})

test('each business hears of its own devices, whatever ends together, and no other is touched', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await asked(db, it)
  const id = await terminal()
  const mine = await enqueue(id, 'sale', { isMovement: true })
  await claim(mine)
  await travel(db, 16)
  const before = await events()
  const heard: commands.Ended[] = []
  await act(db, async (tx) => {
    const told = await commands.expire(tx, hold)
    const terminals = {
      kind: 'terminal' as const,
      ended: async (_tx: unknown, some: readonly commands.Ended[]) => void heard.push(...some),
    }
    await settle(tx, [{ kind: 'cabinet', ended: afterwards }, terminals], told)
  })
  expect(heard).toEqual([ended(id, mine, { ...sleeping, status: 'unknown' })])
  expect(await statusOf(commandId)).toBe('unknown')
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'pending' })
  expect(await events()).toBe(before)
})

test('who knocks is kept with its kind, and no operator of cabinets makes a station of a terminal', async () => {
  const about = { dialect: 'iso8583', reason: 'unknown_box_id', address: '192.0.2.7' } as const
  await quarantine(db.sql, { kind: 'terminal', boxId: 'TERM-UNKNOWN', ...about })
  expect(await db.sql`select kind from quarantine where box_id = 'TERM-UNKNOWN'`).toEqual([{ kind: 'terminal' }])
  expect(await pendingCabinets.list(db.sql, { page: 1, limit: 10 })).toEqual({ rows: [], total: 0 })
})

test('a station is a device under the same id, however it is written', async () => {
  const unitRows = await db.sql<{ id: number }[]>`
    insert into org_units (unit_type, name, default_powerbank_limit) values ('group', 'here', 3), ('group', 'there', 3) returning id`
  const [here, there] = unitRows.map(({ id }) => id)
  const [made] = await db.sql<{ id: number }[]>`
    insert into stations (box_id, slots_declared, org_unit_id) values ('SAME', 8, ${here!}) returning id`
  const { id } = made!
  const device = async () =>
    (await db.sql`select kind, serial, org_unit_id, deleted_at is null as is_there from devices where id = ${id}`)[0]
  expect(await device()).toEqual({ kind: 'cabinet', serial: 'SAME', orgUnitId: here, isThere: true })
  const taken = await db.sql`
    insert into stations (box_id, slots_declared) values ('SAME', 8) on conflict (box_id) where deleted_at is null do nothing
    returning id`
  expect(taken).toEqual([])
  await db.sql`update stations set box_id = 'OTHER', org_unit_id = ${there!} where id = ${id}`
  expect(await device()).toEqual({ kind: 'cabinet', serial: 'OTHER', orgUnitId: there, isThere: true })
  await db.sql`update stations set deleted_at = now() where id = ${id}`
  expect(await device()).toMatchObject({ isThere: false })
  const [again] = await db.sql<{ id: number }[]>`
    insert into stations (box_id, slots_declared) values ('OTHER', 8) returning id`
  expect(again!.id).not.toBe(id)
  await db.sql`delete from stations where id = ${again!.id}`
  expect(await db.sql`select 1 from devices where id = ${again!.id}`).toEqual([])
})

test('whoever works on a cabinet holds its device too, so that the clock leaves it for the next time', async () => {
  const it = await scene(db)
  const { commandId } = await asked(db, it)
  await travel(db, 16)
  await act(db, async (tx) => {
    await lock(tx, it.station)
    expect(await act(db, (other) => commands.expire(other, hold))).toEqual([])
  })
  expect(await act(db, (tx) => commands.expire(tx, hold))).toMatchObject([{ id: commandId, deviceKind: 'cabinet' }])
})
