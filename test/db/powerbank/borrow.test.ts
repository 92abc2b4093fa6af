import { expect, test } from 'vitest'
import { type BorrowRequest, borrow } from '../../../db/powerbank/borrow.ts'
import * as limits from '../../../db/powerbank/limits.ts'
import * as choice from '../../../db/powerbank/selection.ts'
import { testDb } from '../../postgres.ts'
import { act, actor, ask, asked, bank, cabinet, lists, orderOf, person, says, scene, seen, unit } from '../world.ts'

const { db } = await testDb()

type Ask = Omit<BorrowRequest, 'stationId' | 'userId'> & { station: number; user: number }
const take = ({ station, user, ...request }: Ask, as = actor(user)) =>
  act(db, (tx) => borrow(tx, as, { stationId: station, userId: user, ...request }))
const refused = (code: string, about = {}) =>
  expect.objectContaining({ name: 'Refused', code, about: expect.objectContaining(about) })
/** What became of many requests at once: how many orders, and the codes of the refusals. */
async function tally(requests: Promise<{ orderId: number }>[]) {
  const results = await Promise.allSettled(requests)
  const codes = results.flatMap((result) => (result.status === 'rejected' ? (result.reason.code as string) : []))
  return { orders: results.length - codes.length, codes: [...new Set(codes)] }
}

test('every refusal in the documented order', async () => {
  const unitId = await unit(db, { limit: 1 })
  const user = await person(db)
  const station = await cabinet(db, { unitId: null, status: 'pending', node: null, slots: 4 })
  const it = { station, user, choice: { slot: 9 } }
  await expect(take({ ...it, station: 999_999 })).rejects.toEqual(refused('station_not_found'))
  await expect(take(it)).rejects.toEqual(refused('station_inactive'))
  await db.sql`update stations set status = 'active' where id = ${station}`
  await expect(take(it)).rejects.toEqual(refused('device_offline'))
  await db.sql`update device_sessions set node = 'node-1' where device_id = ${station}`
  await expect(take(it)).rejects.toEqual(refused('no_access'))
  await db.sql`update stations set org_unit_id = ${unitId} where id = ${station}`
  await expect(take(it)).rejects.toEqual(refused('no_access'))
  await db.sql`update user_roles set org_unit_id = ${unitId} where user_id = ${user}`
  await expect(take(it)).rejects.toEqual(refused('slot_out_of_range'))
  await expect(take({ ...it, choice: { slot: 0 } })).rejects.toEqual(refused('slot_out_of_range'))
  await expect(take({ ...it, choice: { slot: 2 } })).rejects.toEqual(refused('slot_empty'))
  await expect(take({ ...it, choice: 'optimal' })).rejects.toEqual(refused('no_power_bank'))
  const broken = await bank(db, { stationId: station, slot: 2, status: 'system_error' })
  await expect(take({ ...it, choice: { powerbankId: (await bank(db)).id } })).rejects.toEqual(
    refused('power_bank_not_in_station'),
  )
  await db.sql`update users set powerbank_limit = 0 where id = ${user}`
  await expect(take({ ...it, choice: { powerbankId: broken.id } })).rejects.toEqual(
    refused('limit_reached', {
      limit: expect.objectContaining({ effectiveLimit: 0, activeCount: 0, limitType: 'individual' }),
    }),
  )
  await db.sql`update users set powerbank_limit = 9 where id = ${user}`
  await expect(take({ ...it, choice: { slot: 2 } })).rejects.toEqual(refused('power_bank_not_active'))
  await expect(take({ ...it, choice: 'optimal' })).rejects.toEqual(refused('no_power_bank'))
  await db.sql`update powerbanks set status = 'active' where id = ${broken.id}`
  const first = await take({ ...it, choice: { slot: 2 } })
  await expect(take({ ...it, choice: { slot: 2 } })).rejects.toEqual(refused('power_bank_on_loan'))
  await expect(take({ ...it, choice: 'optimal' })).rejects.toEqual(refused('no_power_bank'))
  expect(await orderOf(db, first.orderId)).toEqual({ status: 'pending', evidence: null, powerbankId: broken.id })
})

test('a refusal leaves nothing behind', async () => {
  const it = await scene(db, { limit: 0 })
  await expect(ask(db, it)).rejects.toEqual(refused('limit_reached'))
  await ask(db, { ...it, user: await person(db, { unitId: it.unitId, limit: 1 }) })
  await expect(ask(db, { ...it, user: await person(db, { unitId: it.unitId, limit: 1 }) })).rejects.toEqual(
    refused('power_bank_on_loan'),
  )
  expect((await db.sql`select 1 from device_commands where device_id = ${it.station}`).length).toBe(1)
  expect((await db.sql`select 1 from events where station_id = ${it.station}`).length).toBe(1)
})

test('an order is an eject command for that slot', async () => {
  const it = await scene(db, { banks: 2 })
  const { commandId } = await take({ ...it, choice: { powerbankId: it.banks[1]!.id } })
  expect(
    (
      await db.sql`select kind, slot, args, origin, requested_by, status from device_commands where id = ${commandId}`
    )[0],
  ).toEqual({
    kind: 'eject',
    slot: 2,
    args: { slot: 2, bankId: it.banks[1]!.bankId },
    origin: 'api',
    requestedBy: it.user,
    status: 'queued',
  })
})

test('fifty requests of one user at once never pass the limit', async () => {
  const it = await scene(db, { banks: 50, slots: 50, limit: 3 })
  const all = it.banks.map((_, n) => take({ ...it, choice: { slot: n + 1 } }))
  expect(await tally(all)).toEqual({ orders: 3, codes: ['limit_reached'] })
})

test('the limit holds over several cabinets at once', async () => {
  const it = await scene(db, { limit: 2 })
  const stations = await Promise.all(Array.from({ length: 10 }, () => cabinet(db, { unitId: it.unitId })))
  for (const station of stations) await bank(db, { stationId: station, slot: 1 })
  expect(await tally(stations.map((station) => take({ ...it, station, choice: 'optimal' })))).toEqual({
    orders: 2,
    codes: ['limit_reached'],
  })
})

test('of fifty borrowers of one bank one gets it', async () => {
  const it = await scene(db)
  const users = await Promise.all(Array.from({ length: 50 }, () => person(db, { unitId: it.unitId })))
  expect(await tally(users.map((user) => take({ ...it, user, choice: { slot: 1 } })))).toEqual({
    orders: 1,
    codes: ['power_bank_on_loan'],
  })
})

test('the best bank is another one for each of those who ask at once', async () => {
  const it = await scene(db, { banks: 8 })
  const users = await Promise.all(Array.from({ length: 10 }, () => person(db, { unitId: it.unitId })))
  expect(await tally(users.map((user) => take({ ...it, user, choice: 'optimal' })))).toEqual({
    orders: 8,
    codes: ['no_power_bank'],
  })
  const lent = await db.sql`select distinct powerbank_id from orders where station_id = ${it.station}`
  expect(lent.length).toBe(8)
})

test('the best bank is healthy, then full, then sound, then in the lowest slot', async () => {
  const it = await scene(db, { banks: 0 })
  const at = (slot: number, level: number, soh = 100) => bank(db, { stationId: it.station, slot, level, soh })
  const [hot, empty, worn, sound, twin] = [
    await at(1, 100),
    await at(2, 3),
    await at(3, 80, 70),
    await at(4, 80),
    await at(5, 80),
  ]
  await db.sql`update station_powerbanks set temperature = 61 where powerbank_id = ${hot.id}`
  const best = (await choice.inStation(db.sql, it.station)).map(({ powerbankId }) => powerbankId)
  expect(best).toEqual([sound.id, twin.id, worn.id, hot.id, empty.id])
  const { orderId } = await take({ ...it, choice: 'optimal' })
  expect((await orderOf(db, orderId)).powerbankId).toBe(sound.id)
})

test.for([
  ['voltage', 2_999],
  ['voltage', 4_501],
  ['temperature', -11],
  ['level', 4],
] as const)('a %s of %i is a fault', async ([column, value]) => {
  const it = await scene(db)
  await db.sql`update station_powerbanks set ${db.sql({ [column]: value })} where station_id = ${it.station}`
  expect((await choice.inStation(db.sql, it.station))[0]!.hasErrors).toBe(true)
})

test('telemetry a dialect does not send is no fault, and a faulty bank is better than none', async () => {
  const it = await scene(db)
  await db.sql`update station_powerbanks set level = null where station_id = ${it.station}`
  expect((await choice.inStation(db.sql, it.station))[0]!.hasErrors).toBe(false)
  await db.sql`update station_powerbanks set powerbank_error = true where station_id = ${it.station}`
  await take({ ...it, choice: 'optimal' })
})

test('staff have no limit', async () => {
  const it = await scene(db, { banks: 3, limit: 0 })
  const staff = await person(db, { role: 'subgroup_admin', unitId: it.unitId, limit: 0 })
  for (const slot of [1, 2, 3]) await ask(db, { ...it, user: staff }, slot)
  expect(await limits.of(db.sql, staff)).toMatchObject({
    effectiveLimit: null,
    limitType: 'role_exempt',
    activeCount: 3,
  })
})

test('a limit is the own one, else the unit’s, else none', async () => {
  const unitId = await unit(db, { limit: 4 })
  const of = async (options: object) => {
    const limit = await limits.of(db.sql, await person(db, options))
    return [limit!.limitType, limit!.effectiveLimit]
  }
  expect(await of({ unitId, limit: 2 })).toEqual(['individual', 2])
  expect(await of({ unitId })).toEqual(['group', 4])
  expect(await of({})).toEqual(['no_group', 0])
  expect(await limits.of(db.sql, await person(db, { unitId, status: 'blocked' }))).toBeNull()
})

test('who may borrow where: own unit, its subgroups, not the units beside or above', async () => {
  const group = await unit(db)
  const [sub, beside] = [await unit(db, { parentId: group }), await unit(db, { parentId: group })]
  const inUnit = async (unitId: number) => {
    const station = await cabinet(db, { unitId })
    await bank(db, { stationId: station, slot: 1 })
    return station
  }
  const [inGroup, inSub] = [await inUnit(group), await inUnit(sub)]
  const may = async (unitId: number, station: number) =>
    (await tally([ask(db, { station, user: await person(db, { unitId }) })])).codes[0] ?? 'yes'
  expect(await may(sub, inGroup)).toBe('no_access')
  expect(await may(beside, inSub)).toBe('no_access')
  expect(await may(sub, inSub)).toBe('yes')
  expect(await may(group, inGroup)).toBe('yes')
  expect(await may(group, await inUnit(sub))).toBe('yes')
})

test('a user borrows for nobody else; staff do for people of their units', async () => {
  const group = await unit(db)
  const sub = await unit(db, { parentId: group })
  const it = await scene(db, { banks: 4 })
  await db.sql`update stations set org_unit_id = ${sub} where id = ${it.station}`
  const member = await person(db, { unitId: sub, limit: 9 })
  const as = async (role: string, unitId: number | null) => {
    const staff = await person(db, { role, unitId })
    return take({ station: it.station, user: member, choice: 'optimal' }, actor(staff, role, unitId))
  }
  await expect(as('user', sub)).rejects.toEqual(refused('not_yours'))
  await expect(as('group_admin', await unit(db))).rejects.toEqual(refused('not_yours'))
  await expect(as('subgroup_admin', await unit(db, { parentId: group }))).rejects.toEqual(refused('not_yours'))
  for (const [role, unitId] of [
    ['group_admin', group],
    ['subgroup_admin', sub],
    ['service_admin', null],
  ] as const)
    expect((await as(role, unitId)).orderId).toBeGreaterThan(0)
})

test('the same key is the same order, however often and at once; another wish under it is refused', async () => {
  const it = await scene(db, { banks: 2 })
  const wish = (slot: number) => take({ ...it, choice: { slot }, idempotency: { key: 'k', hash: `slot ${slot}` } })
  const all = await Promise.all(Array.from({ length: 20 }, () => wish(1)))
  expect(new Set(all.map(({ orderId }) => orderId)).size).toBe(1)
  expect(all.filter(({ repeated }) => !repeated).length).toBe(1)
  await expect(wish(2)).rejects.toEqual(refused('idempotency_mismatch'))
  expect((await db.sql`select 1 from device_commands where device_id = ${it.station}`).length).toBe(1)
})

test('a key that was refused may be tried again', async () => {
  const it = await scene(db)
  const wish = () => take({ ...it, choice: { slot: 1 }, idempotency: { key: 'again', hash: 'h' } })
  await db.sql`update device_sessions set seen_at = now() - interval '76 seconds' where device_id = ${it.station}`
  await expect(wish()).rejects.toEqual(refused('device_offline'))
  await db.sql`update device_sessions set seen_at = now() where device_id = ${it.station}`
  expect((await wish()).repeated).toBe(false)
})

test('a bank that came back can be lent again', async () => {
  const it = await scene(db, { limit: 1 })
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await expect(ask(db, it)).rejects.toEqual(refused('slot_empty'))
  await lists(db, it.station, [])
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('return')
  await ask(db, it)
})
