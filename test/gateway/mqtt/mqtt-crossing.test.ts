import { expect, test } from 'vitest'
import { issue, revoke } from '../../../db/devices/mqtt-credentials.ts'
import { arrive } from '../../../db/powerbank/mqtt-stations.ts'
import { act } from '../../db/world.ts'
import { testDb } from '../../postgres.ts'
import { addKey, pairTo, device as tcpDevice } from '../stage.ts'
import { brokerOn, credentialOf, device, inside, mqttStation, type Running } from './mqtt-stage.ts'

const { db } = await testDb()

/** Dials the TCP port as the dialect that has no secret. @returns the result of its login: 1 let in, 0 not */
async function dialledOverTcp(gateway: Running, boxId: string): Promise<number> {
  const cabinet = tcpDevice(pairTo(gateway))
  cabinet.say({ kind: 'login', boxId })
  return ((await cabinet.hear()) as { result: number }).result
}

const sessionOf = async (stationId: number) =>
  (await db.sql`select dialect, node, epoch from device_sessions where device_id = ${stationId}`)[0]

test('a cabinet that has shown its credential is nobody’s to play over TCP, where an IMEI would be enough', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  expect(await dialledOverTcp(gateway, cabinet.imei)).toBe(0)
  expect(await sessionOf(cabinet.id)).toEqual({ dialect: 'mqtt', node: gateway.node.name, epoch: 1 })
  await cabinet.say({ kind: 'heartbeat' })
  const [knock] = await db.sql`select dialect, reason from quarantine where box_id = ${cabinet.imei}`
  expect(knock).toEqual({ dialect: 'A', reason: 'bad_token' })
  await act(db, (tx) => revoke(tx, { kind: 'cabinet', serial: cabinet.imei }))
  await cabinet.closed
  expect(await dialledOverTcp(gateway, cabinet.imei)).toBe(0)
})

test('a cabinet that comes by a broker of somebody else is nobody’s to play over TCP either', async () => {
  const gateway = await brokerOn(db)
  const { id: stationId, imei } = await mqttStation(db)
  const node = 'mqtt:elsewhere'
  const epoch = await act(db, (tx) => arrive(tx, { stationId, node, heartbeatSeconds: 600, isLogin: true }))
  expect(await dialledOverTcp(gateway, imei)).toBe(0)
  expect(await sessionOf(stationId)).toEqual({ dialect: 'mqtt', node, epoch })
})

test('a credential that was never used takes nothing from a cabinet over TCP', async () => {
  const gateway = await brokerOn(db)
  const { imei } = await mqttStation(db)
  await credentialOf(db, imei)
  expect(await dialledOverTcp(gateway, imei)).toBe(1)
})

test('a cabinet that has a key is given no credential, and one it had opens nothing', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const before = await credentialOf(db, imei)
  await addKey(db, id, 'KEYB')
  const asked = { kind: 'cabinet', serial: imei, iccid: null, firmware: 'current', software: null } as const
  expect(await db.transaction((tx) => issue(tx, { ...asked, address: '192.0.2.7' }))).toBe('unknown_device')
  await expect(device(gateway, imei, before)).rejects.toMatchObject({ code: 4 })
  expect(await sessionOf(id)).toBeUndefined()
})
