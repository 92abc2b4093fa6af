import { describe, expect, test } from 'vitest'
import { enqueue } from '../../../db/devices/commands.ts'
import { borrow } from '../../../db/powerbank/borrow.ts'
import { act, actor, person, unit } from '../../db/world.ts'
import { testDb } from '../../postgres.ts'
import { brokers, held, outage, until } from './mqtt-brokers.ts'

const { db, url } = await testDb()

let made = 0x0a000000
const newBank = () => (++made).toString(16).padStart(8, '0').toUpperCase()
const holding = (...bankIds: string[]) => ({
  kind: 'inventory' as const,
  slots: 6,
  banks: bankIds.map((bankId, n) => ({ slot: n + 1, bankId, levelPercent: 91 })),
})
const giveBack = (bankId: string, slot = 2) => ({ kind: 'returned' as const, bank: { slot, bankId, levelPercent: 40 } })

const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number as slot, p.device_id as bank_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`
const returnsOf = async (stationId: number) =>
  (await db.sql`select 1 from events where station_id = ${stationId} and kind = 'powerbank.returned'`).length
const orderOf = async (id: number) => (await db.sql`select status, evidence from orders where id = ${id}`)[0]

/** A bank borrowed from this cabinet by somebody who may. */
async function lend(stationId: number, bankId: string) {
  const unitId = await unit(db)
  await db.sql`update stations set org_unit_id = ${unitId} where id = ${stationId}`
  await db.sql`update powerbanks set status = 'active', org_unit_id = ${unitId} where device_id = ${bankId}`
  await db.sql`update device_sessions set connected_at = connected_at - interval '1 minute' where device_id = ${stationId}`
  const user = await person(db, { unitId })
  return await act(db, (tx) => borrow(tx, actor(user), { stationId, userId: user, choice: { slot: 1 } }))
}

for (const { name, open, missing } of brokers) {
  // Named where it is absent: these promises were not tried with it.
  describe.skipIf(missing)(missing ? `${name} (not installed here: not run)` : name, () => {
    test('a cabinet that is heard is online, is asked what it holds, and its answer is believed', async () => {
      const { gateway, cabinet } = await open(db)
      const box = await cabinet()
      if (gateway.cluster) void box.say({ kind: 'heartbeat' }, 0)
      const { message } = await box.told('check')
      expect(message).toMatchObject({ qos: 1, retain: false })
      const bankId = newBank()
      await box.say(holding(bankId))
      await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 1, bankId }])
      const [session] = await db.sql`select node, dialect from device_sessions where device_id = ${box.id}`
      expect(session).toEqual({ node: gateway.cluster?.name ?? gateway.node.name, dialect: 'mqtt' })
      const [asked] = await db.sql`select status from device_commands where device_id = ${box.id}`
      expect(asked).toEqual({ status: 'answered' })
    })

    test('an eject goes out once at QoS 0, not retained; its answer moves the order, a return ends it', async () => {
      const { cabinet } = await open(db)
      const box = await cabinet()
      const bankId = newBank()
      await box.say(holding(bankId))
      await expect.poll(() => slotsOf(box.id)).toHaveLength(1)
      const { orderId } = await lend(box.id, bankId)
      const { said, message } = await box.told('popup_sn')
      expect(said.data).toBe(String(Number.parseInt(bankId, 16)))
      expect(message).toMatchObject({ qos: 0, retain: false })
      await box.say({ kind: 'eject', slot: 1, bankId, ok: true, result: 1 })
      await expect.poll(() => orderOf(orderId)).toMatchObject({ status: 'borrow', evidence: 'eject answer' })
      // Seen within seconds of leaving, it might be an old picture.
      await db.sql`update orders set borrowed_at = borrowed_at - interval '1 minute' where id = ${orderId}`
      await box.say(giveBack(bankId))
      await expect.poll(() => orderOf(orderId)).toMatchObject({ status: 'return', evidence: 'return frame' })
      expect(await slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
    })

    test('a return is acknowledged after its commit and not before', async () => {
      const { cabinet, acknowledged } = await open(db)
      const box = await cabinet()
      await box.say(holding())
      await until(() => acknowledged() === 1)
      const { free, over } = await held(db, box.id)
      const bankId = newBank()
      const said = box.say(giveBack(bankId))
      await box.say({ kind: 'heartbeat' }, 0)
      // The echo passes the report that waits, so the report has been heard.
      while ((await box.next()).topic !== box.topic.heart);
      expect(acknowledged()).toBe(1)
      expect(await slotsOf(box.id)).toEqual([])
      free()
      await over
      await said
      await until(() => acknowledged() === 2)
      expect(await slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
    })

    test('a return published while the database is away is not acknowledged, and arrives later exactly once', async () => {
      const { gateway, cabinet, acknowledged } = await open(db)
      const box = await cabinet()
      await box.say(holding())
      await until(() => acknowledged() === 1)
      const mend = await outage(url)
      await until(() => !gateway.node.isDatabaseThere)
      const bankId = newBank()
      const said = box.say(giveBack(bankId))
      await until(() => (gateway.node.counts.publishes.failed ?? 0) > 0)
      expect(acknowledged()).toBe(1)
      await mend()
      await said
      await expect.poll(() => slotsOf(box.id), { timeout: 15_000 }).toEqual([{ slot: 2, bankId }])
      await until(() => acknowledged() === 2)
      expect(await returnsOf(box.id)).toBe(1)
    }, 40_000)

    test('a return that is delivered again counts once', async () => {
      const { cabinet, acknowledged } = await open(db)
      const box = await cabinet()
      const bankId = newBank()
      await box.say(giveBack(bankId))
      await box.say(giveBack(bankId))
      await until(() => acknowledged() === 2)
      expect(await returnsOf(box.id)).toBe(1)
      expect(await slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
    })

    test('a message nobody can read is acknowledged, counted and dropped, and the next one is served', async () => {
      const { gateway, cabinet, acknowledged } = await open(db)
      const box = await cabinet()
      for (const hex of ['00', 'a80006ee00', 'ff'.repeat(40)])
        await box.link.publishAsync(box.topic.update, Buffer.from(hex, 'hex'), { qos: 1 })
      await until(() => acknowledged() === 3)
      expect(gateway.node.counts).toMatchObject({ malformed: 3, publishes: { poisoned: 3 } })
      const bankId = newBank()
      await box.say(giveBack(bankId))
      await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
    })

    test('a heartbeat comes back once, byte for byte, and its echo is no heartbeat', async () => {
      const { gateway, cabinet } = await open(db)
      const box = await cabinet()
      await box.say(holding())
      await expect.poll(() => gateway.node.counts.heard.inventory).toBe(1)
      const beats: Buffer[] = []
      box.link.on('message', (topic, payload) => {
        if (topic === box.topic.heart) beats.push(payload)
      })
      // It hears what it says itself, as the broker brings it to all who subscribed; then the echo.
      const perBeat = gateway.cluster ? 2 : 1
      for (let n = 1; n <= 3; n++) {
        await box.say({ kind: 'heartbeat' })
        await until(() => beats.length >= n * perBeat)
      }
      await act(db, (tx) =>
        enqueue(tx, { deviceId: box.id, kind: 'set_volume', args: { level: 3 }, requestedBy: null, origin: 'api' }),
      )
      await box.told('volume')
      expect(beats).toHaveLength(3 * perBeat)
      for (const beat of beats) expect(beat).toEqual(beats[0])
      expect(gateway.node.counts.heard.heartbeat).toBe(3)
      expect(gateway.node.counts.acknowledged.heartbeat).toBe(3)
    })

    test('reports of one cabinet are worked off in the order it said them', async () => {
      const { cabinet, acknowledged } = await open(db)
      const box = await cabinet()
      await box.say(holding())
      await until(() => acknowledged() === 1)
      const { free, over } = await held(db, box.id)
      const bankIds = Array.from({ length: 12 }, newBank)
      const said = bankIds.map((bankId) => box.say(holding(bankId)))
      free()
      await over
      await Promise.all(said)
      await until(() => acknowledged() === 13)
      expect(await slotsOf(box.id)).toEqual([{ slot: 1, bankId: bankIds.at(-1)! }])
      // Each was believed in its turn: every bank was found and then gone.
      const found = await db.sql`
        select p.device_id from events e join powerbanks p on p.id = (e.data->>'powerbankId')::bigint
        where e.station_id = ${box.id} and e.kind = 'powerbank.discovered' order by e.id`
      expect(found.map(({ deviceId }) => deviceId)).toEqual(bankIds)
    })

    test('a stranger is written down, and told nothing', async () => {
      const { gateway, cabinet } = await open(db)
      const box = await cabinet()
      await db.sql`update stations set deleted_at = now() where id = ${box.id}`
      box.link.publish(box.topic.update, Buffer.from('a80005', 'hex'), { qos: 1 }, () => {})
      if (gateway.cluster)
        await expect
          .poll(() => db.sql`select dialect, reason from quarantine where box_id = ${box.imei}`)
          .toEqual([{ dialect: 'mqtt', reason: 'unknown_box_id' }])
      expect(await slotsOf(box.id)).toEqual([])
    })
  })
}
