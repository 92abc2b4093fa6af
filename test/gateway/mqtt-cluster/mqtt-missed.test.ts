import { describe, expect, test } from 'vitest'
import { arrive, lookAtAll } from '../../../db/powerbank/mqtt-stations.ts'
import { testDb } from '../../postgres.ts'
import { mqttStation } from '../mqtt/mqtt-stage.ts'
import { hasMosquitto, mosquitto } from './mosquitto.ts'
import { accessTo, cabinetAt, nodeBehind, tap, until } from './mqtt-brokers.ts'

const { db } = await testDb()

let made = 0x0d000000
const newBank = () => (++made).toString(16).padStart(8, '0').toUpperCase()
const holding = (...bankIds: string[]) => ({
  kind: 'inventory' as const,
  slots: 6,
  banks: bankIds.map((bankId, n) => ({ slot: n + 1, bankId, levelPercent: 91 })),
})
const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number as slot, p.device_id as bank_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`

const isAskedAll = async (stationId: number) => {
  const [open] = await db.sql<{ questions: number; isDue: boolean }[]>`
    select (select count(*) from device_commands where device_id = s.id and status in ('queued', 'sent')) as questions,
      coalesce(inventory_due_at <= now(), false) as is_due from stations s where id = ${stationId}`
  return open!.questions === 0 && !open!.isDue
}
const questionsTo = async (stationId: number) =>
  (await db.sql`select 1 from device_commands where device_id = ${stationId} and kind = 'inventory'`).length

/** A cabinet that answers every question, all of its arrival's among them. */
async function attentive(url: string, ...banks: string[]) {
  const box = await cabinetAt(db, url)
  const held = { banks }
  box.link.on('message', (topic) => {
    if (topic === box.topic.get) void box.say(holding(...held.banks))
  })
  await box.say(holding(...banks))
  await expect.poll(async () => (await slotsOf(box.id)).length).toBe(banks.length)
  await expect.poll(() => isAskedAll(box.id)).toBe(true)
  return { ...box, held }
}

const missing = !hasMosquitto

describe.skipIf(missing)(missing ? 'behind Mosquitto (not installed here: not run)' : 'behind Mosquitto', () => {
  test('what a cabinet said while no node was there to hear it is asked for by the next', async () => {
    const broker = await mosquitto()
    const first = await nodeBehind(db, accessTo(broker.url))
    const [before, bankId] = [newBank(), newBank()]
    const box = await attentive(broker.url, before)
    await first.close()
    // The broker says that all is well, and forgets it.
    await box.say({ kind: 'returned', bank: { slot: 1, bankId } })
    box.held.banks = [bankId]
    await nodeBehind(db, accessTo(broker.url))
    await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 1, bankId }])
  })

  test.for([
    ['a node that keeps its name', 'the-same', 60_000, 0],
    ['the same, away for longer than a broker keeps all', 'the-same-late', 0, 1],
    ['any other', null, 60_000, 1],
  ] as const)(
    'when the connection to the broker broke, %s asks all again: %s, %i, %i',
    async ([, clientId, brokerAwayMsMax, questions]) => {
      const broker = await mosquitto()
      const line = await tap(broker.port)
      const gateway = await nodeBehind(db, accessTo(line.url, { clientId }), {}, { brokerAwayMsMax })
      const box = await attentive(broker.url, newBank())
      const before = await questionsTo(box.id)
      line.cut()
      await until(() => gateway.said('broker.subscribed').length === 2)
      // The clock goes round: it writes who was heard, after it has looked whom to ask.
      await db.sql`update device_sessions set seen_at = now() - interval '1 minute' where device_id = ${box.id}`
      await box.say({ kind: 'heartbeat' })
      await expect
        .poll(
          () => db.sql`
        select 1 from device_sessions where device_id = ${box.id} and seen_at > now() - interval '30 seconds'`,
        )
        .toHaveLength(1)
      expect((await questionsTo(box.id)) - before).toBe(questions)
    },
  )
})

test.skipIf(missing)('what a broker has thrown away because it kept too much is asked for', async () => {
  const broker = await mosquitto()
  const line = await tap(broker.port)
  await nodeBehind(db, accessTo(line.url, { clientId: 'the-flooded' }))
  const [before, bankId] = [newBank(), newBank()]
  const box = await attentive(broker.url, before)
  // No look of its own comes in between.
  await db.sql`update stations set inventory_due_at = null where id = ${box.id}`
  line.down()
  // Mosquitto keeps a thousand, and acknowledges all.
  await Promise.all(Array.from({ length: 1_100 }, () => box.say({ kind: 'heartbeat' })))
  await box.say({ kind: 'returned', bank: { slot: 1, bankId } })
  box.held.banks = [bankId]
  line.up()
  await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 1, bankId }])
})

test('all cabinets at one broker become due, those at another do not', async () => {
  const [here, there, waiting] = [await mqttStation(db), await mqttStation(db), await mqttStation(db)]
  for (const [{ id: stationId }, node] of [
    [here, 'mqtt:here'],
    [there, 'mqtt:there'],
    [waiting, 'mqtt:here'],
  ] as const)
    await db.transaction((tx) => arrive(tx, { stationId, node, heartbeatSeconds: 600, isLogin: false }))
  const dueOf = async ({ id }: { id: number }) =>
    (await db.sql<{ at: Date | null }[]>`select inventory_due_at as at from stations where id = ${id}`)[0]!.at
  await db.sql`update stations set inventory_due_at = null where id in (${here.id}, ${there.id})`
  await db.sql`update stations set inventory_due_at = 'epoch' where id = ${waiting.id}`
  expect(await db.transaction((tx) => lookAtAll(tx, 'mqtt:here'))).toBe(2)
  expect(await dueOf(here)).toBeInstanceOf(Date)
  expect(await dueOf(there)).toBeNull()
  expect(await dueOf(waiting)).toEqual(new Date(0))
})
