import { expect, test } from 'vitest'
import { check, issue, use } from '../../db/devices/mqtt-credentials.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db } = await startApiServer()
const sales = await unit('Отдел продаж')
const other = await unit('Соседи')

let imeis = 860_000_000_000_000
/** A station over MQTT, and what its cabinet shows to the broker. */
async function dialling(orgUnitId: number) {
  const serial = String(++imeis)
  const [station] = await db.sql<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, slots_declared, status)
    values (${orgUnitId}, ${serial}, 8, 'active') returning id`
  const asked = { kind: 'cabinet', serial, iccid: null, firmware: 'current', software: null } as const
  const given = await db.transaction((tx) => issue(tx, { ...asked, address: '192.0.2.1' }))
  if (typeof given === 'string') throw new Error(given)
  const isGood = () => check(db.sql, given.username, Buffer.from(given.password))
  const credential = await isGood()
  await db.transaction((tx) => use(tx, credential!))
  return { id: station!.id, isGood }
}
const revoke = (id: number, token?: string) =>
  call('DELETE', `/api/stations/${id}/broker-credentials`, token ? { token } : {})

test('an operator revokes what a cabinet shows to the broker, once, and the audit names him', async () => {
  const { id, isGood } = await dialling(sales)
  const admin = await person('group_admin', sales)
  expect(await isGood()).not.toBeNull()
  expect(await revoke(id, admin.token)).toMatchObject({ status: 200, body: { success: true, revoked: 1 } })
  expect(await isGood()).toBeNull()
  expect(await revoke(id, admin.token)).toMatchObject({ status: 200, body: { revoked: 0 } })
  const audited = await db.sql`
    select user_id from audit_log where action = 'station.revoke_credentials' and entity_id = ${id}`
  expect(audited).toEqual([{ userId: admin.id }])
})

test('nobody revokes it twice at once, for another unit, without a right or for a station that is not there', async () => {
  const { id, isGood } = await dialling(sales)
  expect((await revoke(id)).status).toBe(401)
  expect((await revoke(id, (await person('user', sales)).token)).status).toBe(403)
  expect((await revoke(id, (await person('group_admin', other)).token)).status).toBe(403)
  expect(await isGood()).not.toBeNull()
  const service = await person('service_admin')
  expect((await revoke(99_999_999, service.token)).status).toBe(404)
  const both = await Promise.all([revoke(id, service.token), revoke(id, service.token)])
  expect(both.map(({ body }) => body.revoked).sort()).toEqual([0, 1])
})
