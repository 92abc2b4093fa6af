import { expect, test } from 'vitest'
import { Refused } from '../../../db/platform/refused.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { borrow } from '../../../db/powerbank/borrow.ts'
import * as orders from '../../../db/powerbank/order-changes.ts'
import * as banks from '../../../db/powerbank/powerbank-changes.ts'
import * as places from '../../../db/powerbank/station-powerbanks.ts'
import { loseLoan, writeOff } from '../../../db/powerbank/write-off.ts'
import { testDb } from '../../postgres.ts'
import {
  act,
  actor,
  ask,
  bank,
  cabinet,
  later,
  lists,
  person,
  says,
  scene,
  seen,
  send,
  travel,
  unit,
} from '../world.ts'

const { db } = await testDb()
const boss = await person(db, { role: 'service_admin' })
const admin = actor(boss, 'service_admin')

/** Runs a verb once, so that a deadlock is an error; what the state refuses is no error. */
const tried = (work: (tx: Tx) => Promise<unknown>) =>
  act(db, work).catch((error: unknown) => {
    if (!(error instanceof Refused)) throw error
  })

const rounds = 12

test('administrators, borrowers and cabinets at the same bank wait for each other, never in a circle', async () => {
  const unitId = await unit(db, { limit: 100 })
  const station = await cabinet(db, { unitId })
  const there = await cabinet(db, { unitId })
  const people = await Promise.all([1, 2, 3].map(() => person(db, { unitId })))
  for (let round = 0; round < rounds; round++) {
    const held = [await bank(db, { stationId: station, slot: 1 }), await bank(db, { stationId: station, slot: 2 })]
    const [one, two] = held.map(({ id }) => id) as [number, number]
    const by = (userId: number, powerbankId: number) => ({
      stationId: there,
      userId,
      powerbankId,
      status: 'borrow' as const,
    })
    const choice = { powerbankId: one }
    await Promise.all([
      tried((tx) => borrow(tx, actor(people[0]!), { stationId: station, userId: people[0]!, choice })),
      tried((tx) => orders.create(tx, admin, by(people[1]!, one))),
      tried((tx) => orders.create(tx, admin, by(people[2]!, two))),
      tried((tx) => banks.deactivate(tx, admin, two, null)),
      tried((tx) => banks.change(tx, admin, one, { soh: round % 100 })),
      tried((tx) => places.put(tx, admin, { stationId: there, powerbankId: two, slotNumber: 1 })),
      lists(db, station, [seen(2, held[0]!), seen(1, held[1]!)]),
      lists(db, there, []),
    ])
    const open = await db.sql`
      select powerbank_id, count(*) as n from orders where powerbank_id in (${one}, ${two})
        and status in ('pending', 'borrow') group by powerbank_id having count(*) > 1`
    expect(open).toEqual([])
    const lent = await db.sql<{ id: number; userId: number; powerbankId: number }[]>`
      select id, user_id, powerbank_id from orders where powerbank_id in (${one}, ${two}) and status = 'borrow'`
    await travel(db, 60)
    await Promise.all([
      ...lent.flatMap(({ id, userId, powerbankId }) => [
        tried((tx) => writeOff(tx, admin, { userId, powerbankId, note: null })),
        tried((tx) => loseLoan(tx, null, id, null)),
        tried((tx) => orders.change(tx, admin, id, { status: 'return' })),
      ]),
      lists(db, station, [seen(1, held[0]!), seen(2, held[1]!)]),
      lists(db, there, [seen(3, held[1]!)]),
    ])
    const still = await db.sql`select id from orders where id = any(${lent.map(({ id }) => id)}) and status = 'borrow'`
    expect(still).toEqual([])
    await lists(db, station, [])
    await lists(db, there, [])
    await db.sql`update orders set deleted_at = now() where powerbank_id in (${one}, ${two}) and status = 'pending'`
  }
})

test('the clock writes off a lost loan once, and in nobody’s name', async () => {
  const { user, bank: lost } = await scene(db)
  const stationId = await cabinet(db)
  const given = { stationId, userId: user, powerbankId: lost.id, status: 'borrow' as const }
  const id = await act(db, (tx) => orders.create(tx, admin, given))
  const done = await Promise.all([1, 2, 3].map(() => act(db, (tx) => loseLoan(tx, null, id, 'too late'))))
  expect(done.filter(Boolean)).toHaveLength(1)
  const [row] = await db.sql`
    select o.status, o.evidence, p.status as bank, p.write_off_reason as reason
    from orders o join powerbanks p on p.id = o.powerbank_id where o.id = ${id}`
  expect(row).toEqual({
    status: 'force_eject',
    evidence: 'written off as lost by the clock',
    bank: 'written_off',
    reason: 'lost',
  })
  const audited = await db.sql`
    select user_id, description from audit_log where action = 'powerbank.write_off' and entity_id = ${lost.id}`
  expect(audited).toEqual([{ userId: null, description: 'too late' }])
})

test('an order that an administrator has cancelled is brought back by the proof that its bank left', async () => {
  const { station, user, bank: asked } = await scene(db)
  const order = await ask(db, { station, user })
  await send(db, order.commandId)
  await later(db, 16)
  await act(db, (tx) => orders.change(tx, admin, order.orderId, { status: 'cancelled' }))
  const status = async () => (await db.sql`select status from orders where id = ${order.orderId}`)[0]!.status
  expect(await status()).toBe('cancelled')
  await says(db, station, 1, asked.bankId)
  expect(await status()).toBe('borrow')
})
