import { expect, test } from 'vitest'
import { Refused } from '../../../db/platform/refused.ts'
import { borrow } from '../../../db/powerbank/borrow.ts'
import { abnormal } from '../../../db/powerbank/cabinet-reports.ts'
import { close, open } from '../../../db/powerbank/cabinets.ts'
import { sweep } from '../../../db/powerbank/janitor.ts'
import { askInventory } from '../../../db/powerbank/looks.ts'
import { testDb } from '../../postgres.ts'
import { type Carried, deliver, hear, insert, type Metal } from '../device.ts'
import { act, actor, bank, cabinet, expire, NODE, person, releaseNode, unit } from '../world.ts'

const { db } = await testDb()

const SLOTS = 8
const ROUNDS = 25

async function metalWith(unitId: number): Promise<Metal> {
  const device: Metal = {
    station: await cabinet(db, { unitId, slots: SLOTS }),
    slots: new Map(),
    line: [],
    unacknowledged: [],
    stalledSeconds: 0,
  }
  for (let slot = 1; slot <= SLOTS - 2; slot++)
    device.slots.set(slot, await bank(db, { stationId: device.station, slot }))
  return device
}

/** Any error but a refusal fails: `act` runs nothing a second time, so a deadlock shows. */
async function unlessRefused<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

test('borrowers, answers, lists, returns, logins and the clock never wait for each other in a circle', async () => {
  const unitId = await unit(db, { limit: 50 })
  const metals = [await metalWith(unitId), await metalWith(unitId)]
  const users = [await person(db, { unitId }), await person(db, { unitId }), await person(db, { unitId })]
  const carried: Carried = new Map()
  const about = (station: number) => ({ stationId: station, node: NODE, dialect: 'B', address: '::1', vsn: 2 })
  let lent = 0
  const borrowers = users.map(async (userId, n) => {
    for (let round = 0; round < ROUNDS; round++) {
      const stationId = metals[(round + n) % 2]!.station
      const wish = { stationId, userId, choice: round % 3 ? ('optimal' as const) : { slot: (round % SLOTS) + 1 } }
      if (await unlessRefused(act(db, (tx) => borrow(tx, actor(userId), wish)))) lent++
    }
  })
  // Two workers for one cabinet: what the gateway never does, two nodes in the moment of a take-over do.
  const cabinets = [...metals, ...metals].map(async (device) => {
    for (let round = 0; round < ROUNDS; round++) {
      await deliver(db, device, carried, () => round % 7 === 6)
      const [back] = carried.keys()
      const free = Array.from({ length: SLOTS }, (_, i) => i + 1).find((slot) => !device.slots.has(slot))
      if (back && free) insert(device, free, back, carried)
      await hear(db, device)
      await act(db, (tx) => askInventory(tx, device.station, 'janitor'))
      if (round % 10 === 9) await act(db, (tx) => open(tx, about(device.station)))
      if (round % 5 === 4) await act(db, (tx) => abnormal(tx, device.station, { event: 1, slot: round, bankId: null }))
    }
  })
  const clock = (async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await db.sql`update device_commands set deadline = now() where id in (
        select id from device_commands where status in ('queued', 'sent') order by random() limit 3 for update skip locked)`
      await act(db, expire)
      await sweep(db, NODE)
      if (round % 10 === 9) await act(db, (tx) => close(tx, { ...about(metals[0]!.station), epoch: 1, reason: 'test' }))
      if (round === 20) await act(db, (tx) => releaseNode(tx, 'another node'))
    }
  })()
  await Promise.all([...borrowers, ...cabinets, clock])
  expect(lent).toBeGreaterThan(10)
  const twice =
    await db.sql`select 1 from orders where status in ('pending', 'borrow') group by powerbank_id having count(*) > 1`
  expect(twice.length).toBe(0)
  // Who follows the log hears of the request before what came of it, whichever transaction was slower.
  const backwards = await db.sql`
    select 1 from events asked join events came on came.order_id = asked.order_id
    where asked.kind = 'order.requested' and came.kind in ('order.borrowed', 'order.cancelled')
      and (came.xid, came.id) < (asked.xid, asked.id)`
  expect(backwards.length).toBe(0)
})
