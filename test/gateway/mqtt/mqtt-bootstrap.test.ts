import { request } from 'node:http'
import { expect, test } from 'vitest'
import { forgetSim } from '../../../db/devices/mqtt-credentials.ts'
import type { MqttConfig } from '../../../gateway/config.ts'
import { deviceCodec, readConnectAnswer, signed } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, device, inside, mqttStation, type Running } from './mqtt-stage.ts'

const { db } = await testDb()

const iccid = '8970100000000000001'
const connectPath = '/api/rentbox/client/connect'

/** One HTTP call, as a cabinet makes it; `sign` null: without. */
async function call(
  { ports }: Running,
  path: string,
  params: Record<string, string>,
  { method = 'POST', body = 'hardware=V6086&software=20240904-RBMG-3.0.0.0' as string | Buffer, sign = '' } = {},
) {
  const query = signed(params)
  if (sign) query.set('sign', sign)
  const response = await fetch(`http://127.0.0.1:${ports.calls}${path}?${query}`, {
    method,
    ...(method === 'POST' && { body: new Uint8Array(Buffer.from(body)), headers: { 'content-type': 'text/plain' } }),
  })
  const text = await response.text()
  return { status: response.status, text, said: JSON.parse(text) as { code: number; data?: string; msg: string } }
}

const connect = (gateway: Running, uuid: string, simUUID = iccid, more: Parameters<typeof call>[3] = {}) =>
  call(gateway, connectPath, { simUUID, simMobile: '', uuid, deviceId: '0' }, more)

const knocks = (boxId: string) => db.sql`select dialect, reason, attempts from quarantine where box_id = ${boxId}`
const lookDue = async (id: number) =>
  (await db.sql<{ at: Date | null }[]>`select inventory_due_at as at from stations where id = ${id}`)[0]!.at
const ended = async (stationId: number) => {
  await db.sql`update stations set inventory_due_at = null where id = ${stationId}`
  await db.sql`delete from device_commands where device_id = ${stationId}`
}

/** A gateway that never looks by itself, so that a look stays due to be seen. */
const still = (config: Partial<MqttConfig> = {}) => brokerOn(db, config, { tickMs: 3_600_000 })

test('the bootstrap tells a cabinet where to dial and lets it in there', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const { status, text } = await connect(gateway, imei)
  expect(status).toBe(200)
  const { host, port, ...credential } = readConnectAnswer(text)
  expect({ host, port }).toEqual({ host: '127.0.0.1', port: gateway.ports.mqtt })
  const cabinet = await device(gateway, imei, credential)
  await cabinet.told('check')
  const [row] = await db.sql`
    select firmware, software, iccid, first_used_at is not null as is_used from mqtt_credentials where device_id = ${imei}`
  expect(row).toEqual({ firmware: 'current', software: '20240904-RBMG-3.0.0.0', iccid, isUsed: true })
  const [station] = await db.sql`select iccid from stations where id = ${id}`
  expect(station).toEqual({ iccid })
})

test('old firmware asks elsewhere, also by GET, and is then asked for all its banks', async () => {
  const gateway = await brokerOn(db)
  for (const method of ['GET', 'POST']) {
    const { imei } = await mqttStation(db)
    const params = { simUUID: iccid, simMobile: '', uuid: imei, deviceId: '0' }
    const { text } = await call(gateway, '/api/iot/client/con', params, { method })
    const cabinet = await device(gateway, imei, readConnectAnswer(text))
    await cabinet.told('check_all')
  }
})

test('settings say where the broker is when cabinets reach it by another name', async () => {
  const gateway = await brokerOn(db, { publicHost: 'mqtt.example.org', publicPort: 18_830 })
  const { imei } = await mqttStation(db)
  expect(readConnectAnswer((await connect(gateway, imei)).text)).toMatchObject({
    host: 'mqtt.example.org',
    port: 18_830,
  })
})

test('an unknown IMEI is quarantined, not connected', async () => {
  const gateway = await brokerOn(db)
  const { status, said } = await connect(gateway, '001010199999999')
  expect(status).toBe(401)
  expect(said).toMatchObject({ code: 401 })
  expect(said).not.toHaveProperty('data')
  expect(await knocks('001010199999999')).toEqual([{ dialect: 'mqtt', reason: 'unknown_box_id', attempts: 1 }])
})

test('a wrong signature gets 401 and leaves no trace', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  for (const sign of ['0'.repeat(32), 'x']) expect((await connect(gateway, imei, iccid, { sign })).said.code).toBe(401)
  expect(await db.sql`select 1 from mqtt_credentials where device_id = ${imei}`).toEqual([])
  expect(await knocks(imei)).toEqual([])
})

test('another SIM in a known cabinet is quarantined and gets nothing', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  expect((await connect(gateway, imei)).said.code).toBe(200)
  for (const sim of ['8970100000000000002', '']) expect((await connect(gateway, imei, sim)).said.code).toBe(401)
  expect(await knocks(imei)).toEqual([{ dialect: 'mqtt', reason: 'sim_changed', attempts: 2 }])
  expect((await connect(gateway, imei)).said.code).toBe(200)
})

test('the same SIM in another spelling is let in: a modem update locks nobody out', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const spellings = [
    '8944476500001234567F',
    '8944476500001234567',
    '8944476500001234567f',
    ' 8944476500001234567F\r\nOK',
  ]
  for (const sim of spellings) expect((await connect(gateway, imei, sim)).said.code).toBe(200)
  for (const sim of ['8944476500001234568F', 'FFFFFFFFFFFFFFFFFFFF', 'ERROR'])
    expect((await connect(gateway, imei, sim)).said.code).toBe(401)
  const [station] =
    await db.sql`select iccid, device_state->'sim'->>'at' is not null as is_read from stations where id = ${id}`
  expect(station).toEqual({ iccid: '8944476500001234567', isRead: true })
})

test('a pin of an earlier version, as the modem spelt it, still holds and lets its card in', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  expect((await connect(gateway, imei, '898600b5123456789012')).said.code).toBe(200)
  await db.sql`update mqtt_credentials set iccid = '898600b5123456789012F' where device_id = ${imei}`
  await db.sql`update stations set iccid = '898600b5123456789012F' where id = ${id}`
  expect((await connect(gateway, imei, '898600B5123456789012')).said.code).toBe(200)
  expect((await connect(gateway, imei, '898600B5123456789013')).said.code).toBe(401)
  expect(await db.sql`select 1 from events where station_id = ${id} and kind = 'station.sim_changed'`).toEqual([])
})

test('another card that an operator has let in is what the station has from then on, and an event', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  expect((await connect(gateway, imei)).said.code).toBe(200)
  expect((await connect(gateway, imei, '8970100000000000002')).said.code).toBe(401)
  await db.transaction((tx) => forgetSim(tx, { kind: 'cabinet', serial: imei }))
  expect((await connect(gateway, imei, '8970100000000000002')).said.code).toBe(200)
  expect(await db.sql`select iccid from stations where id = ${id}`).toEqual([{ iccid: '8970100000000000002' }])
  const told = await db.sql`select data from events where station_id = ${id} and kind = 'station.sim_changed'`
  expect(told).toEqual([{ data: { from: iccid, to: '8970100000000000002', by: 'bootstrap' } }])
})

test.for([
  { uuid: '00101019999999' },
  { uuid: '00101019999999+' },
  { uuid: '' },
  { deviceId: 'x' },
  { simUUID: '89701/../../x' },
])('a connect with %o is refused as it stands', async (change: Record<string, string>) => {
  const gateway = await brokerOn(db)
  const params = { simUUID: iccid, simMobile: '', uuid: '001010199999998', deviceId: '0', ...change }
  expect((await call(gateway, connectPath, params)).said.code).toBe(400)
})

test('a device that asks without end is told to stop, others are not', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  const answers = []
  for (let n = 0; n < 14; n++) answers.push((await connect(gateway, imei)).status)
  expect(answers.slice(0, 12)).toEqual(Array.from({ length: 12 }, () => 200))
  expect(answers.slice(12)).toEqual([429, 429])
  expect((await connect(gateway, (await mqttStation(db)).imei)).status).toBe(200)
})

test('whoever has read an IMEI elsewhere cannot use up what its cabinet may ask', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  const query = signed({ simUUID: iccid, simMobile: '', uuid: imei, deviceId: '0' })
  const statusFrom = (localAddress: string) =>
    new Promise<number>((resolve, reject) => {
      const url = `http://127.0.0.1:${gateway.ports.calls}${connectPath}?${query}`
      request(url, { method: 'POST', localAddress }, (response) => resolve(response.resume().statusCode!))
        .on('error', reject)
        .end()
    })
  const answers = new Set<number>()
  for (let n = 0; n < 20; n++) answers.add(await statusFrom('127.0.0.9'))
  expect(answers).toContain(429)
  expect(await statusFrom('127.0.0.8')).toBe(200)
})

test('a body longer than any cabinet sends is refused unread', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  expect((await connect(gateway, imei, iccid, { body: 'x'.repeat(2_000) })).said.code).toBe(413)
})

test('an upload makes us ask the cabinet itself, and changes nothing by itself', async () => {
  const gateway = await still()
  const cabinet = await inside(db, gateway)
  await ended(cabinet.id)
  const body = deviceCodec().say({
    kind: 'inventory',
    slots: 6,
    banks: [{ slot: 1, bankId: '0D51B715', levelPercent: 80 }],
  })
  for (const path of ['/api/rentbox/client/upload', '/api/rentbox/upload/data']) {
    expect((await call(gateway, path, { rentboxSN: cabinet.imei, signal: 'CSQ:31' }, { body })).said.code).toBe(200)
    expect(await lookDue(cabinet.id)).not.toBeNull()
    await ended(cabinet.id)
  }
  expect(await db.sql`select 1 from powerbanks where device_id = '0D51B715'`).toEqual([])
  expect(await db.sql`select 1 from station_powerbanks where station_id = ${cabinet.id}`).toEqual([])
})

test('a return over HTTP makes us ask the cabinet itself, and closes nothing by itself', async () => {
  const gateway = await still()
  const cabinet = await inside(db, gateway)
  await ended(cabinet.id)
  for (const path of ['/api/rentbox/client/return', '/api/rentbox/order/return']) {
    const params = { rentboxSN: cabinet.imei, singleSN: '123456789', hole: '2' }
    expect((await call(gateway, path, params, { method: 'GET' })).said.code).toBe(200)
    expect(await lookDue(cabinet.id)).not.toBeNull()
    await ended(cabinet.id)
  }
  expect(await db.sql`select 1 from station_powerbanks where station_id = ${cabinet.id}`).toEqual([])
})

test('noise, a stranger and a cabinet that never was on the broker make nobody look', async () => {
  const gateway = await still()
  const { id, imei } = await mqttStation(db)
  expect((await connect(gateway, imei)).said.code).toBe(200)
  const params = { rentboxSN: imei, singleSN: '123456789', hole: '2' }
  expect((await call(gateway, '/api/rentbox/client/return', params)).said.code).toBe(401)
  const upload = { rentboxSN: imei, signal: '' }
  const whole = deviceCodec().say({ kind: 'inventory', slots: 6, banks: [] })
  for (const [body, code] of [
    [Buffer.from('noise'), 400],
    [deviceCodec().say({ kind: 'heartbeat' }), 400],
    [whole, 401],
  ] as const)
    expect((await call(gateway, '/api/rentbox/client/upload', upload, { body })).said.code).toBe(code)
  expect((await call(gateway, '/api/rentbox/client/return', { ...params, singleSN: '0' })).said.code).toBe(400)
  expect(await lookDue(id)).toBeNull()
})

test('the settings of motors are answered with none, and a path nobody has with 404', async () => {
  const gateway = await brokerOn(db)
  const { said } = await call(gateway, '/api/rentbox/config/data', { uuid: '001010199999997' })
  expect(said).toMatchObject({ code: 200, data: '{}' })
  expect((await call(gateway, '/api/rentbox/nothing', {})).said.code).toBe(404)
})
