import { expect, test } from 'vitest'
import * as commands from '../../../db/devices/commands.ts'
import { answer } from '../../../db/powerbank/answers.ts'
import { borrow } from '../../../db/powerbank/borrow.ts'
import * as orders from '../../../db/powerbank/orders.ts'
import { testDb } from '../../postgres.ts'
import {
  act,
  actor,
  ask,
  asked,
  bank,
  happened,
  later,
  lists,
  lookDue,
  orderOf,
  person,
  says,
  scene,
  seen,
  send,
  travel,
} from '../world.ts'

const { db } = await testDb()

const inSlot = async (station: number) =>
  (await db.sql`select slot_number from station_powerbanks where station_id = ${station} order by 1`).map(
    (row) => row.slotNumber,
  )
const forceEject = async (station: number, slot: number, requestedBy: number | null) => {
  const about = { deviceId: station, kind: 'force_eject', slot, isMovement: true, requestedBy, origin: 'api' as const }
  return (await act(db, (tx) => commands.enqueue(tx, about))).id
}

test('the cabinet lets the bank out: the order is a loan, the slot is empty, and a look is due', async () => {
  const it = await scene(db, { banks: 2 })
  const { orderId, commandId } = await asked(db, it)
  expect(await says(db, it.station, 1, it.bank.bankId)).toEqual({ commandId, orderId })
  expect(await orders.get(db.sql, orderId)).toMatchObject({
    status: 'borrow',
    powerbankId: it.bank.id,
    slotNumber: 1,
    evidence: 'eject answer',
    completedAt: null,
  })
  expect((await orders.get(db.sql, orderId))!.borrowedAt).toBeInstanceOf(Date)
  expect(await commands.get(db.sql, commandId)).toMatchObject({ status: 'answered', hexReceived: 'FF' })
  expect(await inSlot(it.station)).toEqual([2])
  expect(await lookDue(db, it.station)).toBe(6)
})

test('an answer said twice counts once', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  const answers = await Promise.all([1, 2, 3].map(() => says(db, it.station, 1, it.bank.bankId)))
  expect(answers.filter((answer) => answer !== null).length).toBe(1)
  expect((await happened(db, it.station, 'order.borrowed')).length).toBe(1)
  expect((await orderOf(db, orderId)).status).toBe('borrow')
})

test('an answer for another slot moves nothing, and the slots are asked at once', async () => {
  const it = await scene(db, { banks: 2 })
  const { orderId, commandId } = await asked(db, it)
  expect(await says(db, it.station, 2, it.banks[1]!.bankId)).toBeNull()
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect((await commands.get(db.sql, commandId))!.status).toBe('sent')
  expect(await inSlot(it.station)).toEqual([1, 2])
  expect(await lookDue(db, it.station)).toBeLessThanOrEqual(0)
})

test('an answer nobody asked for moves nothing', async () => {
  const it = await scene(db)
  const { orderId } = await ask(db, it)
  expect(await says(db, it.station, 1, it.bank.bankId)).toBeNull()
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect((await happened(db, it.station, 'answer.unmatched')).length).toBe(1)
})

test('the order follows the metal when another bank left the slot', async () => {
  const it = await scene(db)
  const other = await bank(db)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, other.bankId)
  const order = await orderOf(db, orderId)
  expect(order).toMatchObject({ status: 'borrow', powerbankId: other.id })
  expect(order.evidence).toMatch(/another bank/)
})

test('a bank nobody registered that left a slot is registered and on loan', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, '4443484AFFFFFF01')
  const order = await orderOf(db, orderId)
  const [stranger] = await db.sql`select id, status, org_unit_id from powerbanks where device_id = '4443484AFFFFFF01'`
  expect(order).toMatchObject({ status: 'borrow', powerbankId: stranger!.id })
  expect(stranger).toMatchObject({ status: 'unknown', orgUnitId: it.unitId })
})

test('an answer that names a bank somebody else has is an old one, said again: the order waits for its own', async () => {
  const it = await scene(db, { banks: 2 })
  const somebody = await person(db, { unitId: it.unitId })
  await asked(db, { ...it, user: somebody }, 2)
  await says(db, it.station, 2, it.banks[1]!.bankId)
  const { orderId, commandId } = await asked(db, it, 1)
  expect(await says(db, it.station, 1, it.banks[1]!.bankId)).toBeNull()
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'pending', powerbankId: it.bank.id })
  expect((await commands.get(db.sql, commandId))!.status).toBe('sent')
  expect((await happened(db, it.station, 'answer.unmatched')).length).toBe(1)
  expect(await lookDue(db, it.station)).toBeLessThanOrEqual(0)
})

test('a refusal leaves the order pending until an inventory lists the bank', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await asked(db, it)
  expect(await says(db, it.station, 1, it.bank.bankId, { ok: false })).toEqual({ commandId, orderId: null })
  expect((await commands.get(db.sql, commandId))!.status).toBe('failed')
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect(await inSlot(it.station)).toEqual([1])
  expect(await lookDue(db, it.station)).toBeLessThanOrEqual(0)
  await lists(db, it.station, [seen(1, it.bank)])
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'cancelled', evidence: 'inventory: the bank stayed' })
})

test('a refusal is a loan when the inventory no longer lists the bank', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, null, { ok: false })
  await lists(db, it.station, [])
  expect((await orderOf(db, orderId)).status).toBe('borrow')
})

test('a command that never left takes its order with it', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await ask(db, it)
  await later(db, 16)
  expect((await commands.get(db.sql, commandId))!.status).toBe('expired')
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'cancelled', evidence: 'the command was never sent' })
})

test('a silent eject leaves the order pending and the slots to be asked', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await asked(db, it)
  await later(db, 16)
  expect((await commands.get(db.sql, commandId))!.status).toBe('unknown')
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect(await lookDue(db, it.station)).toBeLessThanOrEqual(0)
})

test('a late answer is still an answer', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await asked(db, it)
  await later(db, 16)
  expect(await says(db, it.station, 1, it.bank.bankId)).toEqual({ commandId, orderId })
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'borrow', evidence: 'late eject answer' })
  expect((await commands.get(db.sql, commandId))!.status).toBe('answered')
})

test('an order cancelled too soon comes back when the bank did leave', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await later(db, 16)
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('cancelled')
  await says(db, it.station, 1, it.bank.bankId)
  expect(await orders.get(db.sql, orderId)).toMatchObject({ status: 'borrow', completedAt: null })
})

test('a repeated answer is not taken for a late one of an older command', async () => {
  const it = await scene(db)
  const first = await asked(db, it)
  await later(db, 16)
  await lists(db, it.station, [seen(1, it.bank)])
  const second = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  expect((await orderOf(db, second.orderId)).status).toBe('borrow')
  expect(await says(db, it.station, 1, it.bank.bankId)).toBeNull()
  await lists(db, it.station, [])
  await travel(db, 60)
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, second.orderId)).status).toBe('return')
  expect(await says(db, it.station, 1, it.bank.bankId)).toBeNull()
  expect((await orderOf(db, first.orderId)).status).toBe('cancelled')
  expect((await commands.get(db.sql, first.commandId))!.status).toBe('unknown')
})

test('a forced ejection is a closed order of whoever asked, once', async () => {
  const it = await scene(db)
  const admin = await person(db, { role: 'service_admin' })
  const id = await forceEject(it.station, 1, admin)
  await send(db, id)
  const answered = await says(db, it.station, 1, it.bank.bankId, { kind: 'force_eject' })
  expect(await orders.get(db.sql, answered!.orderId!)).toMatchObject({
    status: 'force_eject',
    userId: admin,
    powerbankId: it.bank.id,
    slotNumber: 1,
    isAdminOrder: true,
  })
  expect(await says(db, it.station, 1, it.bank.bankId, { kind: 'force_eject' })).toBeNull()
  expect((await db.sql`select 1 from orders where command_id = ${id}`).length).toBe(1)
  expect(await inSlot(it.station)).toEqual([])
})

test('a forced ejection ends the loan that waits for that bank, and its command stays at home', async () => {
  const it = await scene(db)
  const admin = await person(db, { role: 'service_admin' })
  const forced = await forceEject(it.station, 1, admin)
  const { orderId, commandId } = await ask(db, it)
  await send(db, forced)
  await says(db, it.station, 1, it.bank.bankId, { kind: 'force_eject' })
  expect((await orderOf(db, orderId)).status).toBe('cancelled')
  expect((await commands.get(db.sql, commandId))!.status).toBe('expired')
  await expect(send(db, commandId)).rejects.toThrow()
})

test('of two who move an order at once one does', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  const moved = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      act(db, (tx) => orders.move(tx, orderId, { to: n % 2 ? 'borrow' : 'return', evidence: `try ${n}` })),
    ),
  )
  const order = await orderOf(db, orderId)
  // Both ways lead on from `borrow`, so one or two moves; never the same one twice.
  expect(moved.filter(Boolean).length).toBe(order.status === 'return' && moved.filter(Boolean).length === 2 ? 2 : 1)
  expect((await happened(db, it.station, 'order.borrowed')).length).toBeLessThanOrEqual(1)
  expect((await happened(db, it.station, 'order.returned')).length).toBe(order.status === 'return' ? 1 : 0)
})

test.for([
  ['return', 'borrow'],
  ['return', 'cancelled'],
  ['force_eject', 'return'],
  ['borrow', 'pending'],
  ['cancelled', 'return'],
] as const)('there is no way from %s to %s', async ([from, to]) => {
  const it = await scene(db)
  const [row] = await db.sql<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, status, completed_at)
    values (${it.station}, ${it.user}, ${it.bank.id}, ${from}, ${from === 'borrow' ? null : new Date()}) returning id`
  expect(await act(db, (tx) => orders.move(tx, row!.id, { to, evidence: 'test' }))).toBe(false)
  expect((await orderOf(db, row!.id)).status).toBe(from)
})

test('a cabinet teaches us its SIM, volume, address and heartbeat', async () => {
  const it = await scene(db)
  const tell = async (kind: string, body: object, args = {}) => {
    const about = { deviceId: it.station, kind, args, requestedBy: null, origin: 'api' as const }
    await send(db, (await act(db, (tx) => commands.enqueue(tx, about))).id)
    await act(db, async (tx) => {
      await answer(tx, it.station, { kind, ...body }, 'FF')
    })
  }
  await tell('iccid', { iccid: '8970199' })
  await tell('set_volume', { ok: true }, { level: 9 })
  await tell('server_address', { host: 'example.org', port: '9066', heartbeatSeconds: 60 })
  const [row] = await db.sql`
    select s.iccid, s.device_state, ds.heartbeat_seconds from stations s join device_sessions ds on ds.device_id = s.id
    where s.id = ${it.station}`
  expect(row).toMatchObject({
    iccid: '8970199',
    heartbeatSeconds: 60,
    deviceState: { volume: { level: 9 }, serverAddress: { host: 'example.org', heartbeatSeconds: 60 } },
  })
  await tell('set_volume', { ok: false }, { level: 1 })
  await tell('set_server_address', {}, { host: 'other.example.org', port: '1', heartbeatSeconds: 200 })
  const [then] = await db.sql`
    select s.device_state, ds.heartbeat_seconds from stations s join device_sessions ds on ds.device_id = s.id
    where s.id = ${it.station}`
  expect(then).toMatchObject({
    heartbeatSeconds: 200,
    deviceState: { volume: { level: 9 }, serverAddress: { host: 'other.example.org' } },
  })
})

test('staff and borrower are named where they belong', async () => {
  const it = await scene(db)
  const admin = await person(db, { role: 'service_admin' })
  const { orderId, commandId } = await act(db, (tx) =>
    borrow(tx, actor(admin, 'service_admin'), { stationId: it.station, userId: it.user, choice: { slot: 1 } }),
  )
  expect((await orders.get(db.sql, orderId))!.userId).toBe(it.user)
  expect((await commands.get(db.sql, commandId))!.requestedBy).toBe(admin)
})
