import { expect, test } from 'vitest'
import { enqueue } from '../../../db/devices/commands.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, credentialOf, device, inside, mqttStation } from './mqtt-stage.ts'

const { db } = await testDb()

const bankId = '075BCD15'
const holding = (...bankIds: string[]) => ({
  kind: 'inventory' as const,
  slots: 6,
  banks: bankIds.map((id, n) => ({ slot: n + 1, bankId: id, levelPercent: 91 })),
})

const ask = (deviceId: number, kind: string, more: { slot?: number; args?: Record<string, unknown> } = {}) =>
  db.transaction((tx) =>
    enqueue(tx, { deviceId, kind, isMovement: more.slot !== undefined, requestedBy: null, origin: 'api', ...more }),
  )

const commandOf = async (id: number) =>
  (await db.sql`select status, answer, evidence, hex_received from device_commands where id = ${id}`)[0]!

const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number, p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`

const returnsOf = async (stationId: number) =>
  (await db.sql`select 1 from events where station_id = ${stationId} and kind = 'powerbank.returned'`).length

test('a cabinet that dials the broker and subscribes is online and asked what it holds', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const [session] = await db.sql`
    select node, dialect, heartbeat_seconds from device_sessions where device_id = ${cabinet.id}`
  expect(session).toEqual({ node: gateway.node.name, dialect: 'mqtt', heartbeatSeconds: 600 })
})

test('what it holds is written down before its answer is acknowledged, banks named as their labels are', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding('00BC614E', bankId))
  expect(await slotsOf(cabinet.id)).toEqual([
    { slotNumber: 1, deviceId: '00BC614E' },
    { slotNumber: 2, deviceId: bankId },
  ])
  const [bank] = await db.sql`select serial_number from powerbanks where device_id = ${bankId}`
  expect(bank).toEqual({ serialNumber: '123456789' })
})

test('nothing is told to a cabinet that has not subscribed to its commands, and all of it once it has', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const cabinet = await device(gateway, imei, await credentialOf(db, imei), { isSubscribed: false })
  await cabinet.say({ kind: 'heartbeat' })
  expect(await cabinet.next()).toMatchObject({ topic: cabinet.topic.heart })
  const [waiting] = await db.sql`select status, attempts from device_commands where device_id = ${id}`
  expect(waiting).toEqual({ status: 'queued', attempts: 0 })
  await cabinet.link.subscribeAsync(cabinet.topic.get, { qos: 1 })
  await cabinet.told('check')
})

test('an eject asks for the bank at QoS 0, is not retained, and its answer settles it', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding(bankId))
  const { id } = await ask(cabinet.id, 'eject', { slot: 1, args: { bankId } })
  const { said, message } = await cabinet.told('popup_sn')
  expect(message).toMatchObject({ topic: cabinet.topic.get, qos: 0, retain: false })
  const { timestamp, ...command } = said
  expect(command).toEqual({ cmd: 'popup_sn', data: '123456789', ttl: '15' })
  expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60)
  await cabinet.say({ kind: 'eject', slot: 1, bankId, ok: true, result: 1 })
  expect(await commandOf(id)).toMatchObject({ status: 'answered', answer: { slot: 1, bankId, ok: true } })
  expect(await slotsOf(cabinet.id)).toEqual([])
})

test('an answer that names the board instead of the hole belongs to the eject of its bank', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding('00BC614E', bankId))
  const { id } = await ask(cabinet.id, 'eject', { slot: 2, args: { bankId } })
  await cabinet.told('popup_sn')
  await cabinet.say({ kind: 'eject', slot: 16, bankId, ok: true, result: 1 })
  expect(await commandOf(id)).toMatchObject({ status: 'answered' })
  expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 1, deviceId: '00BC614E' }])
})

test('an answer of its hole about another bank is the eject’s, which let that one out', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding(bankId))
  const { id } = await ask(cabinet.id, 'eject', { slot: 1, args: { bankId } })
  await cabinet.told('popup_sn')
  await cabinet.say({ kind: 'eject', slot: 1, bankId: '00BC6177', ok: true, result: 1 })
  expect(await commandOf(id)).toMatchObject({ status: 'answered', answer: { bankId: '00BC6177' } })
})

test('an answer of another hole about another bank settles nothing', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding(bankId))
  const { id } = await ask(cabinet.id, 'eject', { slot: 1, args: { bankId } })
  await cabinet.told('popup_sn')
  await cabinet.say({ kind: 'eject', slot: 2, bankId: '00BC614E', ok: true, result: 1 })
  expect(await commandOf(id)).toMatchObject({ status: 'sent' })
})

test('a refusal that names neither hole nor bank belongs to the eject under way', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding(bankId))
  const { id } = await ask(cabinet.id, 'eject', { slot: 1, args: { bankId } })
  await cabinet.told('popup_sn')
  await cabinet.say({ kind: 'eject', slot: 0, bankId: null, ok: false, result: 0xfd })
  expect(await commandOf(id)).toMatchObject({ status: 'failed', answer: { ok: false, result: 0xfd } })
  expect(await slotsOf(cabinet.id)).toHaveLength(1)
})

test('a forced eject asks for the hole', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say(holding(bankId))
  const { id } = await ask(cabinet.id, 'force_eject', { slot: 1 })
  expect((await cabinet.told('popup')).said).toMatchObject({ data: '1' })
  await cabinet.say({ kind: 'force_eject', slot: 1, bankId: null, ok: true, result: 1 })
  expect(await commandOf(id)).toMatchObject({ status: 'answered' })
})

test('a return is acknowledged when its row is there to be seen, and said twice it is one bank in one slot', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  for (let n = 0; n < 2; n++) {
    await cabinet.say({ kind: 'returned', bank: { slot: 4, bankId } })
    expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 4, deviceId: bankId }])
  }
  expect(await returnsOf(cabinet.id)).toBeLessThan(2)
})

test('a heartbeat comes back once, byte for byte, on the topic it went out on', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const beat = Buffer.from('a80010 7a 10 4353513a32373b42503a30'.replaceAll(' ', ''), 'hex')
  const sealed = Buffer.concat([beat, Buffer.of(-beat.reduce((sum, byte) => sum + byte, 0) & 0xff)])
  for (const qos of [0, 1, 2] as const) {
    await cabinet.link.publishAsync(cabinet.topic.heart, sealed, { qos })
    // Subscribed at QoS 1, it is told at no more.
    expect(await cabinet.next()).toEqual({
      topic: cabinet.topic.heart,
      payload: sealed,
      qos: Math.min(qos, 1),
      retain: false,
    })
  }
  await cabinet.say({ kind: 'returned', bank: { slot: 4, bankId } })
  expect(cabinet.heard.filter(({ topic }) => topic === cabinet.topic.heart)).toEqual([])
  expect(gateway.node.counts.heard).toMatchObject({ heartbeat: 3 })
})

test('a message nobody can read is acknowledged, counted and dropped; too many in a row end the connection', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const { malformedInARowMax } = gateway.node.limits
  for (let n = 1; n < malformedInARowMax; n++) await cabinet.link.publishAsync(cabinet.topic.update, 'A8?', { qos: 1 })
  await cabinet.say(holding(bankId))
  expect(await slotsOf(cabinet.id)).toHaveLength(1)
  expect(gateway.node.counts.malformed).toBe(malformedInARowMax - 1)
  expect(gateway.said('frame.unreadable')[0]!.about).toMatchObject({ serial: cabinet.imei, hex: '41383F', bytes: 3 })
  for (let n = 0; n < malformedInARowMax; n++) await cabinet.link.publishAsync(cabinet.topic.update, '', { qos: 1 })
  await cabinet.closed
  expect(gateway.node.counts.ended).toEqual({ malformed: 1 })
})

test('a command this wire has no word for fails at once, one that nobody answers is done when it is said', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const address = await ask(cabinet.id, 'server_address')
  const volume = await ask(cabinet.id, 'set_volume', { args: { level: 15 } })
  expect((await cabinet.told('volume')).said).toEqual({ cmd: 'volume', data: '100' })
  await gateway.node.dispatcher.settled()
  expect(await commandOf(address.id)).toMatchObject({
    status: 'failed',
    evidence: "the cabinet's protocol has no such command",
  })
  expect(await commandOf(volume.id)).toMatchObject({ status: 'answered' })
})
