import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { enqueue } from '../../../db/devices/commands.ts'
import { BadSettings, parseSettings } from '../../../db/platform/config.ts'
import { arrive, closeSilent } from '../../../db/powerbank/mqtt-stations.ts'
import { gatewayConfig, gatewaySettings } from '../../../gateway/config.ts'
import { act } from '../../db/world.ts'
import { testDb } from '../../postgres.ts'
import { mqttStation } from '../mqtt/mqtt-stage.ts'
import { hasMosquitto, mosquitto } from './mosquitto.ts'
import { accessTo, cabinetAt, held, nodeBehind, outage, sharingNothing, tap, until } from './mqtt-brokers.ts'

const { db, url } = await testDb()

let made = 0x0b000000
const newBank = () => (++made).toString(16).padStart(8, '0').toUpperCase()
const holding = (...bankIds: string[]) => ({
  kind: 'inventory' as const,
  slots: 6,
  banks: bankIds.map((bankId, n) => ({ slot: n + 1, bankId, levelPercent: 91 })),
})
const giveBack = (bankId: string) => ({ kind: 'returned' as const, bank: { slot: 2, bankId, levelPercent: 40 } })

const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number as slot, p.device_id as bank_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`
const sessionOf = async (stationId: number) =>
  (await db.sql`select node, epoch from device_sessions where device_id = ${stationId}`)[0]
const returnsOf = async (stationId: number) =>
  (await db.sql`select 1 from events where station_id = ${stationId} and kind = 'powerbank.returned'`).length
const ask = (deviceId: number, kind: string, more: { slot?: number; args?: Record<string, unknown> } = {}) =>
  act(db, (tx) =>
    enqueue(tx, { deviceId, kind, isMovement: more.slot !== undefined, requestedBy: null, origin: 'api', ...more }),
  )

const missing = !hasMosquitto

describe.skipIf(missing)(missing ? 'behind Mosquitto (not installed here: not run)' : 'behind Mosquitto', () => {
  test('two nodes split what cabinets say, and each command is published exactly once', async () => {
    const broker = await mosquitto()
    const nodes = [await nodeBehind(db, accessTo(broker.url)), await nodeBehind(db, accessTo(broker.url))]
    expect(nodes.map(({ cluster }) => cluster!.isShared())).toEqual([true, true])
    const boxes = await Promise.all(Array.from({ length: 6 }, () => cabinetAt(db, broker.url)))
    const heard = () => nodes.map(({ node }) => node.counts.heard.inventory ?? 0)
    for (let n = 0; n < 5; n++) await Promise.all(boxes.map((box) => box.say(holding())))
    await until(() => heard()[0]! + heard()[1]! === 30)
    for (const share of heard()) expect(share).toBeGreaterThan(5)
    expect(nodes[0]!.node.counts.logins + nodes[1]!.node.counts.logins).toBeGreaterThanOrEqual(6)
    for (const box of boxes) expect(await sessionOf(box.id)).toEqual({ node: nodes[0]!.cluster!.name, epoch: 1 })

    const pops = boxes.map(() => [] as string[])
    for (const [n, box] of boxes.entries())
      box.link.on('message', (topic, payload) => {
        if (topic === box.topic.get && payload.includes('popup_sn')) pops[n]!.push(payload.toString())
      })
    const asked = await Promise.all(boxes.map((box) => ask(box.id, 'eject', { slot: 1, args: { bankId: newBank() } })))
    await until(() => pops.every((list) => list.length > 0))
    // What is asked later comes later: a second copy would have come before it.
    await Promise.all(boxes.map((box) => ask(box.id, 'set_volume', { args: { level: 3 } })))
    for (const box of boxes) await box.told('volume')
    expect(pops.map((list) => list.length)).toEqual([1, 1, 1, 1, 1, 1])
    const rows = await db.sql`select status, attempts from device_commands where id = any(${asked.map(({ id }) => id)})`
    for (const row of rows) expect(row).toEqual({ status: 'sent', attempts: 1 })
  })

  test('a heartbeat is answered once, whichever node hears it and whichever hears the answer', async () => {
    const broker = await mosquitto()
    const nodes = [await nodeBehind(db, accessTo(broker.url)), await nodeBehind(db, accessTo(broker.url))]
    const box = await cabinetAt(db, broker.url)
    const beats: Buffer[] = []
    box.link.on('message', (topic, payload) => {
      if (topic === box.topic.heart) beats.push(payload)
    })
    for (let n = 1; n <= 10; n++) {
      await box.say({ kind: 'heartbeat' })
      await until(() => beats.length >= n * 2)
    }
    await ask(box.id, 'set_volume', { args: { level: 3 } })
    await box.told('volume')
    // Its own, brought back by the broker, and one answer to each.
    expect(beats).toHaveLength(20)
    const heard = nodes.map(({ node }) => node.counts.heard.heartbeat ?? 0)
    expect(heard[0]! + heard[1]!).toBe(10)
  })

  test('when the broker starts anew, nodes subscribe again and the queue of commands goes on', async () => {
    const broker = await mosquitto()
    const gateway = await nodeBehind(db, accessTo(broker.url))
    const box = await cabinetAt(db, broker.url)
    await box.say(holding())
    await expect.poll(() => gateway.node.counts.acknowledged.inventory).toBe(1)
    await broker.stop()
    await until(() => !gateway.cluster!.isOpen())
    const { id } = await ask(box.id, 'set_volume', { args: { level: 3 } })
    await broker.start()
    await until(() => gateway.cluster!.isOpen() && box.link.connected)
    const bankId = newBank()
    await box.say(giveBack(bankId))
    await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
    await until(async () => (await db.sql`select 1 from device_commands where id = ${id} and attempts = 1`).length > 0)
    expect(
      gateway.lines.filter(({ event }) => /^broker\.(away|back|subscribed)$/.test(event)).map(({ event }) => event),
    ).toEqual(['broker.subscribed', 'broker.away', 'broker.back', 'broker.subscribed'])
  }, 40_000)

  test('a report in hand when the connection broke comes again to a node that keeps its name, and counts once', async () => {
    const broker = await mosquitto()
    const line = await tap(broker.port)
    const gateway = await nodeBehind(db, accessTo(line.url, { clientId: 'gateway-1' }))
    const box = await cabinetAt(db, broker.url)
    await box.say(holding())
    await until(() => line.said('puback') === 1)
    const { free, over } = await held(db, box.id)
    const bankId = newBank()
    await box.say(giveBack(bankId))
    await until(() => gateway.node.counts.heard.returned === 1)
    line.cut()
    await until(() => !gateway.cluster!.isOpen())
    free()
    await over
    // Delivered again, on the new connection, with an acknowledgement of its own.
    await until(() => gateway.node.counts.heard.returned === 2 && line.said('puback') === 2)
    expect(await returnsOf(box.id)).toBe(1)
  })

  test('what a node that died had in hand, its successor of the same name gets', async () => {
    const broker = await mosquitto()
    const access = accessTo(broker.url, { clientId: 'gateway-2' })
    const first = await nodeBehind(db, access)
    const box = await cabinetAt(db, broker.url)
    await box.say(holding())
    await expect.poll(() => first.node.counts.acknowledged.inventory).toBe(1)
    const mend = await outage(url)
    await until(() => !first.node.isDatabaseThere)
    const bankId = newBank()
    await box.say(giveBack(bankId))
    await until(() => (first.node.counts.publishes.failed ?? 0) > 0)
    await first.close()
    await mend()
    expect(await returnsOf(box.id)).toBe(0)
    const second = await nodeBehind(db, access)
    await until(() => second.node.counts.acknowledged.returned === 1)
    expect(await returnsOf(box.id)).toBe(1)
  }, 40_000)

  test('acknowledgements keep the order of the messages, whichever is stored first', async () => {
    const broker = await mosquitto()
    const line = await tap(broker.port)
    const gateway = await nodeBehind(db, accessTo(line.url))
    const [slow, quick] = [await cabinetAt(db, broker.url), await cabinetAt(db, broker.url)]
    for (const box of [slow, quick]) await box.say(holding())
    await until(() => line.said('puback') === 2)
    const { free, over } = await held(db, slow.id)
    await slow.say(giveBack(newBank()))
    await until(() => gateway.node.counts.heard.returned === 1)
    const bankId = newBank()
    await quick.say(giveBack(bankId))
    await expect.poll(() => slotsOf(quick.id)).toEqual([{ slot: 2, bankId }])
    await until(() => gateway.node.counts.acknowledged.returned === 1)
    expect(line.said('puback')).toBe(2)
    free()
    await over
    await until(() => line.said('puback') === 4)
    expect(line.ids('puback')).toEqual(line.ids('puback').toSorted((one, other) => one - other))
  })

  test('a report that cannot be stored although the database is there is given up, told with its bytes, and holds up nobody', async () => {
    const broker = await mosquitto()
    const gateway = await nodeBehind(db, accessTo(broker.url))
    const box = await cabinetAt(db, broker.url)
    await box.say(holding())
    await expect.poll(() => gateway.node.counts.acknowledged.inventory).toBe(1)
    await db.sql`
      create or replace function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'no' using errcode = '53100'; end $$`
    await db.sql.unsafe(`create trigger refuse_${box.id} before insert on station_powerbanks
      for each row when (new.station_id = ${box.id}) execute function refuse()`)
    await box.say(giveBack(newBank()))
    await until(() => gateway.said('report.given_up').length === 1)
    expect(gateway.said('report.given_up')[0]!.about).toMatchObject({
      boxId: box.imei,
      hex: expect.stringMatching(/^A8000F40/),
    })
    await db.sql.unsafe(`drop trigger refuse_${box.id} on station_powerbanks`)
    const bankId = newBank()
    await box.say(giveBack(bankId))
    await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
  })

  test('a node that says goodbye leaves the sessions to the others', async () => {
    const broker = await mosquitto()
    const [one, other] = [await nodeBehind(db, accessTo(broker.url)), await nodeBehind(db, accessTo(broker.url))]
    const box = await cabinetAt(db, broker.url)
    await box.say(holding())
    await expect.poll(() => sessionOf(box.id)).toMatchObject({ epoch: 1 })
    await one.close()
    expect(await sessionOf(box.id)).toEqual({ node: other.cluster!.name, epoch: 1 })
    for (let n = 0; n < 4; n++) await box.say(holding(newBank()))
    await expect
      .poll(() => slotsOf(box.id))
      .toEqual([{ slot: 1, bankId: made.toString(16).padStart(8, '0').toUpperCase() }])
    await ask(box.id, 'set_volume', { args: { level: 3 } })
    await box.told('volume')
  })

  test('a cabinet that was taken for silent is online again with its next word', async () => {
    const broker = await mosquitto()
    const gateway = await nodeBehind(db, accessTo(broker.url))
    const box = await cabinetAt(db, broker.url)
    await box.say(holding())
    await expect.poll(() => gateway.node.counts.acknowledged.inventory).toBe(1)
    // Said again until the node has written down that it heard it just now.
    const age = () => db.sql`
      update device_sessions set seen_at = now() - interval '21 minutes' where device_id = ${box.id} and node is not null`
    await expect.poll(async () => (await age()) && (await sessionOf(box.id))).toEqual({ node: null, epoch: 1 })
    await box.say({ kind: 'heartbeat' })
    await expect.poll(() => sessionOf(box.id)).toEqual({ node: gateway.cluster!.name, epoch: 2 })
  })

  test('a wrong address or a broker that is away is told once, and dialled until it is there', async () => {
    const broker = await mosquitto()
    await broker.stop()
    const starting = nodeBehind(db, accessTo(broker.url))
    await broker.start()
    const gateway = await starting
    expect(gateway.said('broker.away').length).toBeLessThanOrEqual(1)
    expect(gateway.said('broker.subscribed')).toHaveLength(1)
  })
})

test('the name and password of a broker come from settings or its URL, and stay out of the name of the nodes', () => {
  const config = (settings: Record<string, string>) =>
    gatewayConfig(parseSettings(z.object(gatewaySettings), settings), {
      keysSecret: 'secret',
      cardKey: Buffer.alloc(32),
    }).broker
  expect(config({})).toBeNull()
  expect(config({ MQTT_URL: 'mqtts://me:p%40ss@broker:8883', MQTT_SHARE_GROUP: 'north' })).toEqual({
    url: 'mqtts://broker:8883',
    username: 'me',
    password: 'p@ss',
    clientId: null,
    shareGroup: 'north',
  })
  expect(
    config({ MQTT_URL: 'mqtt://me:wrong@broker', MQTT_USERNAME: 'us', MQTT_PASSWORD: 'x', MQTT_CLIENT_ID: 'node-1' }),
  ).toMatchObject({ url: 'mqtt://broker', username: 'us', password: 'x', clientId: 'node-1', shareGroup: 'voltbay' })
  for (const wrong of [{ MQTT_URL: 'http://broker' }, { MQTT_URL: 'broker' }, { MQTT_SHARE_GROUP: 'a/b' }])
    expect(() => config(wrong)).toThrow(BadSettings)
})

test('where shared subscriptions are granted and bring nothing, a node takes all and says so', async () => {
  const broker = await sharingNothing()
  const gateway = await nodeBehind(db, accessTo(broker.url))
  expect(gateway.cluster!.isShared()).toBe(false)
  expect(gateway.said('broker.shares_nothing')).toHaveLength(1)
  const box = await cabinetAt(db, broker.url)
  const bankId = newBank()
  await box.say(giveBack(bankId))
  await expect.poll(() => slotsOf(box.id)).toEqual([{ slot: 2, bankId }])
  await box.told('check')
})

test('a session is opened once, however many nodes hear its cabinet at once', async () => {
  const { id: stationId } = await mqttStation(db)
  const arrival = { stationId, node: 'mqtt:test', heartbeatSeconds: 600, isLogin: false }
  const epochs = await Promise.all(Array.from({ length: 20 }, () => db.transaction((tx) => arrive(tx, arrival))))
  expect(new Set(epochs)).toEqual(new Set([1]))
  expect(
    await db.sql`select 1 from events where station_id = ${stationId} and kind = 'station.connected'`,
  ).toHaveLength(1)
  // One that has dialled in again is another connection.
  expect(await act(db, (tx) => arrive(tx, { ...arrival, isLogin: true }))).toBe(2)
})

test('silent cabinets are closed once, by whoever looks first, and those just heard are not', async () => {
  const [silent, lively] = [await mqttStation(db), await mqttStation(db)]
  const node = 'mqtt:silence'
  for (const { id: stationId } of [silent, lively])
    await act(db, (tx) => arrive(tx, { stationId, node, heartbeatSeconds: 600, isLogin: false }))
  await db.sql`update device_sessions set seen_at = now() - interval '20 minutes 20 seconds' where device_id = ${silent.id}`
  const closed = await Promise.all(Array.from({ length: 8 }, () => db.transaction((tx) => closeSilent(tx, node))))
  expect(closed.reduce((sum, n) => sum + n)).toBe(1)
  expect(await sessionOf(silent.id)).toEqual({ node: null, epoch: 1 })
  expect(await sessionOf(lively.id)).toEqual({ node, epoch: 1 })
})
