import { expect, test } from 'vitest'
import { revoke } from '../../../db/devices/mqtt-credentials.ts'
import { deviceCodec, topics } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, client, credentialOf, device, inside, mqttStation } from './mqtt-stage.ts'

const { db } = await testDb()

const bank = (slot: number, bankId: string) => ({ slot, bankId, levelPercent: 50 })
const returned = (slot: number, bankId: string) => ({ kind: 'returned' as const, bank: bank(slot, bankId) })
const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number, p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`
const eventsOf = async (stationId: number, kind: string) =>
  (await db.sql`select 1 from events where station_id = ${stationId} and kind = ${kind}`).length

test('nobody is let in without the very credential of a device', async () => {
  const gateway = await brokerOn(db)
  const url = `mqtt://127.0.0.1:${gateway.ports.mqtt}`
  const { id, imei } = await mqttStation(db)
  const mine = await credentialOf(db, imei)
  const { imei: theirs } = await mqttStation(db)
  const other = await credentialOf(db, theirs)
  for (const shown of [
    {},
    { username: mine.username },
    { username: mine.username, password: '' },
    { username: mine.username, password: other.password },
    { username: `${mine.username}x`, password: mine.password },
    { username: imei, password: imei },
    { username: 'x'.repeat(2_000), password: mine.password },
    { username: `${mine.username}\0`, password: mine.password },
  ])
    await expect(client(url, { clientId: mine.clientId, ...shown })).rejects.toMatchObject({ code: 4 })
  expect(gateway.node.sessions.count()).toBe(0)
  expect(gateway.node.counts.failures).toBe(0)
  expect(await db.sql`select 1 from device_sessions where device_id = ${id}`).toEqual([])
  await device(gateway, imei, mine)
})

test('a revoked credential and one of a station that is gone open nothing', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  const mine = await credentialOf(db, imei)
  await db.transaction((tx) => revoke(tx, { kind: 'cabinet', serial: imei }))
  await expect(device(gateway, imei, mine)).rejects.toMatchObject({ code: 4 })
  const gone = await mqttStation(db)
  const theirs = await credentialOf(db, gone.imei)
  await db.sql`update stations set deleted_at = now() where id = ${gone.id}`
  await expect(device(gateway, gone.imei, theirs)).rejects.toMatchObject({ code: 4 })
})

test('revoking ends the connection that is there, whether it has subscribed or not', async () => {
  const gateway = await brokerOn(db)
  for (const isSubscribed of [true, false]) {
    const { imei } = await mqttStation(db)
    const cabinet = await device(gateway, imei, await credentialOf(db, imei), { isSubscribed })
    await db.transaction((tx) => revoke(tx, { kind: 'cabinet', serial: imei }))
    await cabinet.closed
  }
  expect(gateway.node.counts.ended).toEqual({ no_longer_known: 2 })
})

test.for(['update', 'heart', 'get'] as const)(
  'a message on the %s topic of another cabinet ends the connection and is not heard',
  async (channel) => {
    const gateway = await brokerOn(db)
    const thief = await inside(db, gateway)
    const victim = await inside(db, gateway)
    const frame = deviceCodec().say(returned(3, '0A0B0C01'))
    const said = thief.link
      .publishAsync(topics(victim.imei)[channel], frame, { qos: 1 })
      .catch(() => 'never acknowledged')
    await thief.closed
    thief.link.end(true)
    expect(await said).toBe('never acknowledged')
    await victim.say({ kind: 'heartbeat' })
    expect(victim.heard.filter(({ topic }) => topic !== victim.topic.get)).toHaveLength(1)
    expect(await slotsOf(victim.id)).toEqual([])
    expect(gateway.node.counts.ended).toEqual({ not_its_topic: 1 })
  },
)

test.for(['get', '$SYS/x/new/clients', '/powerbank', 'anything'])(
  'a message on %s ends the connection',
  async (name) => {
    const gateway = await brokerOn(db)
    const cabinet = await inside(db, gateway)
    const topic = name === 'get' ? cabinet.topic.get : name
    cabinet.link.publishAsync(topic, '{"cmd":"reboot"}', { qos: 0 }).catch(() => {})
    await cabinet.closed
    expect(cabinet.heard.filter(({ payload }) => payload.includes('reboot'))).toEqual([])
  },
)

test('a cabinet may subscribe to its own topics and to no other, by whatever pattern', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const victim = await inside(db, gateway)
  const wanted = [
    '#',
    '+/+/+/+/+',
    '/powerbank/+/user/get',
    '/powerbank/#',
    `$share/x/${victim.topic.get}`,
    `$share/x/${cabinet.topic.get}`,
    '$SYS/#',
    victim.topic.get,
    victim.topic.heart,
    victim.topic.update,
    cabinet.topic.update,
  ]
  for (const topic of wanted) await expect(cabinet.link.subscribeAsync(topic, { qos: 1 })).rejects.toThrow()
  await cabinet.link.subscribeAsync(cabinet.topic.heart, { qos: 1 })
})

test('what is retained is retained by nobody', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.link.publishAsync(cabinet.topic.heart, deviceCodec().say({ kind: 'heartbeat' }), {
    qos: 1,
    retain: true,
  })
  while ((await cabinet.next()).topic !== cabinet.topic.heart);
  const again = await device(gateway, cabinet.imei, cabinet.credential)
  await again.told('check')
  expect(again.heard.filter(({ topic }) => topic === again.topic.heart)).toEqual([])
})

test('a will is nobody’s word: a cabinet that dies says nothing more', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const payload = deviceCodec().say(returned(2, '0A0B0C02'))
  const will = { topic: topics(imei).update, payload, qos: 1 as const, retain: true }
  const cabinet = await device(gateway, imei, await credentialOf(db, imei), { options: { will } })
  cabinet.link.stream.destroy()
  await expect.poll(() => eventsOf(id, 'station.disconnected')).toBe(1)
  expect(await slotsOf(id)).toEqual([])
  expect(gateway.node.counts.heard).toEqual({})
})

test('a session that asks to be kept is not: nothing waits for a cabinet that is away', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  const credential = await credentialOf(db, imei)
  const first = await device(gateway, imei, credential, { options: { clean: false } })
  await first.told('check')
  await first.link.endAsync()
  const second = await device(gateway, imei, credential, { isSubscribed: false, options: { clean: false } })
  await second.say({ kind: 'heartbeat' })
  // The echo is for the publisher; a kept subscription would have brought the next question before it.
  expect((await second.next()).topic).toBe(second.topic.heart)
  expect(second.heard).toEqual([])
})

test('the newest connection of a cabinet owns it, by the same credential or another', async () => {
  const gateway = await brokerOn(db)
  const first = await inside(db, gateway)
  const second = await device(gateway, first.imei, first.credential)
  await first.closed
  const third = await device(gateway, first.imei, await credentialOf(db, first.imei), {
    options: { clientId: 'other' },
  })
  await second.closed
  await third.say(returned(1, '0A0B0C03'))
  expect(await slotsOf(first.id)).toHaveLength(1)
  expect(gateway.node.counts.ended).toEqual({ superseded: 2 })
  const [session] = await db.sql`select epoch, node from device_sessions where device_id = ${first.id}`
  expect(session).toEqual({ epoch: 3, node: gateway.node.name })
})

test('of twenty connections at once one cabinet keeps one', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const credential = await credentialOf(db, imei)
  await Promise.allSettled(Array.from({ length: 20 }, () => device(gateway, imei, credential, { isSubscribed: false })))
  await expect.poll(() => gateway.node.connections.size).toBe(1)
  const { epoch } = gateway.node.sessions.get(id)!
  const [session] = await db.sql`select epoch, node from device_sessions where device_id = ${id}`
  expect(session).toEqual({ epoch, node: gateway.node.name })
})

test('nobody ends another cabinet’s connection by taking its client id', async () => {
  const gateway = await brokerOn(db)
  const victim = await inside(db, gateway)
  const { imei } = await mqttStation(db)
  const credential = await credentialOf(db, imei)
  for (const clientId of [victim.credential.clientId, victim.credential.username]) {
    const thief = await device(gateway, imei, credential, { options: { clientId } })
    await thief.say({ kind: 'heartbeat' })
    await victim.say(returned(1, '0A0B0C04'))
  }
  expect(victim.link.connected).toBe(true)
  expect(gateway.node.sessions.count()).toBe(2)
})
