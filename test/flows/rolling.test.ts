import { describe, expect, test, vi } from 'vitest'
import { migrate } from '../../db/postgres/migrations.ts'
import type { Bank } from '../../protocol/cabinet.ts'
import { bank, type Device, hello } from '../gateway/stage.ts'
import { deployment, type House, hasOlderBuild } from './older-build.ts'
import { until } from './town.ts'

if (!hasOlderBuild)
  console.warn('No older build in this clone: what is promised while it serves beside ours is skipped.')

// Two whole houses start in each test: on a busy machine they take their time.
vi.setConfig({ testTimeout: 60_000 })

type Stage = Awaited<ReturnType<typeof deployment>>

const bankId = (n: number) => `54455354${n.toString(16).padStart(8, '0').toUpperCase()}`

/** Lets a minute pass for a cabinet that is connected, so that what it lists is younger than what was sent to it. */
const settled = ({ db }: Stage, column: 'station_id' | 'device_id', id: number) =>
  db.sql`update device_sessions set connected_at = connected_at - interval '1 minute' where ${db.sql(column)} = ${id}`

/** A cabinet with these banks dials in at a house, and is told that it may come in. */
async function comesIn(house: House, boxId: string, banks: Bank[] = []): Promise<Device> {
  const box = house.dial()
  box.say(hello(boxId, banks))
  await box.until('login')
  return box
}

/** A cabinet whose banks people may borrow. */
async function lends(stage: Stage, house: House, boxId: string, slots: number[], column: 'station_id' | 'device_id') {
  const id = await stage.station(boxId)
  const banks = slots.map((slot) => bank(slot, bankId(id * 16 + slot)))
  const box = await comesIn(house, boxId, banks)
  await stage.db.sql`update powerbanks set status = 'active' where device_id = any(${banks.map((one) => one.bankId!)})`
  await settled(stage, column, id)
  const borrow = (from: House, slot: number) =>
    from.call('POST', `/api/borrow/stations/${id}/request`, { user_id: stage.userId, slot_number: slot })
  const gives = (slot: number) => box.say({ kind: 'eject', slot, bankId: bankId(id * 16 + slot), ok: true, result: 1 })
  return { id, box, borrow, gives, bankIn: (slot: number) => bank(slot, bankId(id * 16 + slot)) }
}

/** Its order of the bank that was in this slot. */
const orderOf = async ({ db }: Stage, id: number, slot: number) =>
  (
    await db.sql<{ id: number; status: string }[]>`
      select o.id, o.status from orders o join powerbanks p on p.id = o.powerbank_id
      where p.device_id = ${bankId(id * 16 + slot)} order by o.id desc limit 1`
  )[0]

/** Does what it is told, until its connection ends. */
async function obeys(box: Device, gives: (slot: number) => void): Promise<void> {
  for (;;) {
    const heard = await box.hear().catch(() => null)
    if (heard === null) return
    if (heard.kind === 'eject') gives(heard.slot)
    else if (heard.kind === 'inventory') box.say({ kind: 'inventory', slots: 8, banks: [] })
  }
}

/** How often somebody was failed so far because all waited in a circle. */
const deadlocks = async ({ db }: Stage) =>
  (
    await db.sql<{ n: number }[]>`select deadlocks::int as n from pg_stat_database where datname = current_database()`
  )[0]!.n

const heartbeat = async (box: Device) => {
  box.say({ kind: 'heartbeat' })
  await box.until('heartbeat')
}

describe.skipIf(!hasOlderBuild)('an older build and this one serve together', () => {
  test('what the older one had under way goes on through the migration, and whoever hears a return closes its order', async () => {
    const stage = await deployment()
    const { db, old } = stage
    const first = await lends(stage, old, 'FIRST', [1, 2, 3, 4, 5], 'station_id')
    const { box } = first
    // An order that is out, one whose eject is under way, one whose eject is queued behind it.
    const one = first.borrow(old, 1)
    await box.until('eject')
    first.gives(1)
    expect((await one).status).toBe(200)
    const two = first.borrow(old, 2)
    await box.until('eject')
    const three = first.borrow(old, 3)
    await until(
      async () => (await db.sql`select 1 from device_commands where status = 'queued' and kind = 'eject'`).length > 0,
    )

    expect((await migrate(stage.url))[0]).toBe('0009_devices')
    await heartbeat(box)
    first.gives(2)
    expect((await two).status).toBe(200)
    await box.until('eject')
    first.gives(3)
    expect((await three).status).toBe(200)

    const young = await stage.startNew()
    await heartbeat(box)
    // Asked of this build, sent by the older one, which holds the cabinet.
    const four = first.borrow(young, 4)
    await box.until('eject')
    first.gives(4)
    expect((await four).status).toBe(200)
    // A cabinet that the older one has never seen logs in there.
    const second = await lends(stage, old, 'SECOND', [1], 'device_id')
    // Heard by the older one.
    second.box.say({ kind: 'returned', bank: { ...first.bankIn(1), slot: 8 } })
    await second.box.until('returned')
    expect(await orderOf(stage, first.id, 1)).toMatchObject({ status: 'return' })

    // The cabinet dials in here: the older one lets it go, at the latest by the next word on the socket that it has.
    const again = await comesIn(young, 'FIRST', [first.bankIn(5)])
    box.say({ kind: 'heartbeat' })
    await box.ended
    expect([
      ...(await db.sql`select node is not null as is_held, epoch from device_sessions where device_id = ${first.id}`),
    ]).toEqual([{ isHeld: true, epoch: 2 }])
    await settled(stage, 'device_id', first.id)
    // Asked of the older build, sent by this one.
    const five = first.borrow(old, 5)
    await again.until('eject')
    again.say({ kind: 'eject', slot: 5, bankId: first.bankIn(5).bankId, ok: true, result: 1 })
    expect((await five).status).toBe(200)
    // Said to both, since its acknowledgement was lost: closed once. And one that only this build hears.
    second.box.say({ kind: 'returned', bank: { ...first.bankIn(3), slot: 7 } })
    await second.box.until('returned')
    const moved = await comesIn(young, 'SECOND')
    for (const [from, slot] of [
      [3, 7],
      [2, 6],
    ] as const) {
      moved.say({ kind: 'returned', bank: { ...first.bankIn(from), slot } })
      await moved.until('returned')
    }
    for (const slot of [1, 2, 3]) expect(await orderOf(stage, first.id, slot)).toMatchObject({ status: 'return' })
    for (const slot of [4, 5]) expect(await orderOf(stage, first.id, slot)).toMatchObject({ status: 'borrow' })
    expect([
      ...(await db.sql`
      select order_id from events where kind = 'order.returned' group by order_id having count(*) > 1`),
    ]).toEqual([])
    // The older one goes, and takes nothing with it that is not its own.
    expect(await old.end()).toBe('0')
    await heartbeat(again)
    expect([...(await db.sql`select node from device_sessions where node is null`)]).toEqual([])
  })

  test('both lend, take back, change stations and end what is overdue at once, and never wait for each other in a circle', async () => {
    const stage = await deployment()
    const { db, old } = stage
    const rounds = [1, 2, 3, 4, 5, 6]
    const early = await lends(stage, old, 'V', rounds, 'station_id')
    void obeys(early.box, early.gives)
    const during = rounds.flatMap((slot) => [
      early.borrow(old, slot),
      old.call('PUT', `/api/stations/${early.id}`, { status: 'active' }),
    ])
    await migrate(stage.url)
    for (const asked of during) expect((await asked).status).toBe(200)
    const before = await deadlocks(stage)
    const young = await stage.startNew()
    const [unit] = await db.sql<{ id: number }[]>`
      insert into org_units (unit_type, name) values ('group', 'One') returning id`
    const houses = [old, young]
    const places = await Promise.all(
      ['W', 'X', 'Y', 'Z'].map((boxId, n) => lends(stage, houses[n % 2]!, boxId, rounds, 'device_id')),
    )
    for (const { box, gives } of places) void obeys(box, gives)
    const statuses = await Promise.all(
      places.flatMap(({ id, borrow }, n) =>
        rounds.flatMap(async (slot) => {
          const house = houses[(n + slot) % 2]!
          const lent = borrow(house, slot)
          // By both builds, in the middle of what their gateways do there.
          const changes = houses.map((one) =>
            one.call('PUT', `/api/stations/${id}`, { org_unit_id: slot % 2 ? unit!.id : null }),
          )
          await db.sql`
            insert into device_commands (device_id, kind, origin, deadline) values (${id}, 'volume', 'api', now() - interval '1 second')`
          return (await Promise.all([lent, ...changes])).map(({ status }) => status)
        }),
      ),
    )
    expect(statuses.flat()).toEqual(statuses.flat().map(() => 200))
    await until(
      async () => (await db.sql`select 1 from device_commands where status in ('queued', 'sent')`).length === 0,
    )
    for (const { id } of [early, ...places])
      for (const slot of rounds) expect(await orderOf(stage, id, slot)).toMatchObject({ status: 'borrow' })
    // Each cabinet takes back what its neighbour lent, the neighbour's other house or not.
    await Promise.all(
      places.map(async ({ box }, n) => {
        const from = places[(n + 1) % places.length]!
        for (const slot of rounds) box.say({ kind: 'returned', bank: from.bankIn(slot) })
      }),
    )
    await until(async () => (await db.sql`select 1 from orders where status = 'borrow'`).length === rounds.length)
    expect(await deadlocks(stage)).toBe(before)
    for (const { lines } of houses) expect(lines.filter(({ event }) => event.endsWith('.failed'))).toEqual([])
  })
})
