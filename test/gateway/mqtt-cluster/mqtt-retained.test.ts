import { describe, expect, test } from 'vitest'
import { deviceCodec } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { hasMosquitto, mosquitto } from './mosquitto.ts'
import { accessTo, cabinetAt, nodeBehind, sharingNothing, tap, until } from './mqtt-brokers.ts'

const { db } = await testDb()

const giveBack = (bankId: string, slot = 2) => ({ kind: 'returned' as const, bank: { slot, bankId, levelPercent: 40 } })
const returnsOf = async (stationId: number) =>
  (await db.sql`select 1 from events where station_id = ${stationId} and kind = 'powerbank.returned'`).length

type Box = Awaited<ReturnType<typeof cabinetAt>>
/** As firmware does that says its returns with RETAIN, so that a server which comes later finds them. */
const keep = (box: Box, bankId: string) =>
  box.link.publishAsync(box.topic.update, deviceCodec().say(giveBack(bankId)), { qos: 1, retain: true })

const missing = !hasMosquitto

describe.skipIf(missing)(missing ? 'behind Mosquitto (not installed here: not run)' : 'behind Mosquitto', () => {
  test('a return the broker has kept is worked by neither of two nodes, at their start or on a new connection', async () => {
    const broker = await mosquitto()
    const box = await cabinetAt(db, broker.url)
    await keep(box, '0D000001')
    const lines = [await tap(broker.port), await tap(broker.port)]
    const nodes = [
      await nodeBehind(db, accessTo(lines[0]!.url)),
      await nodeBehind(db, accessTo(lines[1]!.url, { clientId: 'node-2' })),
    ]
    /** What each has heard, after something said now has come to each: what was kept would have come before it. */
    const heard = async () => {
      const beats = () => nodes.map(({ node }) => node.counts.heard.heartbeat ?? 0)
      const before = beats()
      while (beats().some((count, n) => count === before[n])) await box.say({ kind: 'heartbeat' })
      return nodes.map(({ node }) => node.counts.heard.returned ?? 0)
    }
    expect(nodes.map(({ cluster }) => cluster!.isShared())).toEqual([true, true])
    expect(await heard()).toEqual([0, 0])
    for (const line of lines) line.cut()
    await until(() => nodes.every(({ cluster }) => !cluster!.isOpen()))
    await until(() => nodes.every(({ cluster }) => cluster!.isOpen()))
    expect(await heard()).toEqual([0, 0])
    expect(await returnsOf(box.id)).toBe(0)
    const asked = lines.flatMap(({ packets }) =>
      packets.flatMap((packet) => (packet.cmd === 'subscribe' ? packet.subscriptions : [])),
    )
    expect(asked.length).toBeGreaterThanOrEqual(12)
    expect(new Set(asked.map(({ rh }) => rh))).toEqual(new Set([2]))
  }, 40_000)

  test('said now with RETAIN it is heard, once', async () => {
    const broker = await mosquitto()
    const nodes = [await nodeBehind(db, accessTo(broker.url)), await nodeBehind(db, accessTo(broker.url))]
    const box = await cabinetAt(db, broker.url)
    await keep(box, '0D000002')
    await until(async () => (await returnsOf(box.id)) === 1)
    const heard = nodes.map(({ node }) => node.counts.heard.returned ?? 0)
    expect(heard[0]! + heard[1]!).toBe(1)
  })
})

test('what a broker sends with RETAIN all the same is acknowledged, counted and dropped', async () => {
  // It passes the flag on, as brokers do to whoever has just subscribed.
  const broker = await sharingNothing()
  const gateway = await nodeBehind(db, accessTo(broker.url))
  const box = await cabinetAt(db, broker.url)
  await keep(box, '0D000003')
  await box.say(giveBack('0D000004', 3))
  await until(async () => (await returnsOf(box.id)) === 1)
  expect(await db.sql`select 1 from powerbanks where device_id = '0D000003'`).toHaveLength(0)
  expect(gateway.node.counts.publishes).toMatchObject({ retained: 1, acknowledged: 1 })
})
