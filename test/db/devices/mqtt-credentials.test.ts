import { expect, test } from 'vitest'
import * as credentials from '../../../db/devices/mqtt-credentials.ts'
import { quarantine } from '../../../db/devices/quarantine.ts'
import { deviceIdOf, ensure } from '../../../db/powerbank/bank-ids.ts'
import { revokeOf } from '../../../db/powerbank/broker-access.ts'
import { approve, list } from '../../../db/powerbank/quarantine.ts'
import { testDb } from '../../postgres.ts'
import { act, actor, bank, cabinet, happened, person } from '../world.ts'

const { db } = await testDb()
const as = actor(await person(db, { role: 'service_admin' }), 'service_admin')

let made = 0
/** A station of the MQTT family. */
async function device(): Promise<credentials.Device & { deviceId: number }> {
  const serial = `00101010000${String(++made).padStart(4, '0')}`
  const deviceId = await cabinet(db)
  await db.sql`update stations set box_id = ${serial} where id = ${deviceId}`
  return { kind: 'cabinet', serial, deviceId }
}

const ask = ({ kind, serial }: credentials.Device, iccid: string | null = '8970100000000000001') =>
  act(db, (tx) =>
    credentials.issue(tx, { kind, serial, iccid, firmware: 'current', software: null, address: '192.0.2.1' }),
  )

/** Issued for sure. */
async function issued(of: credentials.Device, iccid?: string | null): Promise<credentials.Issued> {
  const answer = await ask(of, iccid)
  if (typeof answer === 'string') throw new Error(answer)
  return answer
}

const shown = ({ username, password }: credentials.Issued) => credentials.check(db.sql, username, Buffer.from(password))

/** Shows it and is let in, as a connection would. */
async function used(one: credentials.Issued): Promise<boolean> {
  const credential = await shown(one)
  return credential !== null && (await act(db, (tx) => credentials.use(tx, credential)))
}

test('what was issued lets its device in, and nothing else does', async () => {
  const mine = await device()
  const one = await issued(mine)
  expect(await shown(one)).toMatchObject({ kind: 'cabinet', serial: mine.serial, deviceId: mine.deviceId })
  expect(await shown({ ...one, password: `${one.password}x` })).toBeNull()
  expect(await shown({ ...one, password: '' })).toBeNull()
  expect(await shown({ ...one, username: `${one.username}x` })).toBeNull()
  const other = await issued(await device())
  expect(await shown({ ...one, password: other.password })).toBeNull()
})

test('the table never holds the password', async () => {
  const mine = await device()
  const { password } = await issued(mine)
  const [row] = await db.sql`select to_jsonb(c)::text as row from mqtt_credentials c where device_id = ${mine.serial}`
  expect(Buffer.from(password, 'base64url')).toHaveLength(32)
  expect(row!.row).not.toContain(password)
})

test('a device that is nobody’s gets none, be it asked as a cabinet or as a terminal', async () => {
  const mine = await device()
  expect(await ask({ kind: 'cabinet', serial: '001010199999999' })).toBe('unknown_device')
  expect(await ask({ kind: 'terminal', serial: mine.serial })).toBe('unknown_device')
  await db.sql`update stations set deleted_at = now() where id = ${mine.deviceId}`
  expect(await ask(mine)).toBe('unknown_device')
})

test('a new credential leaves the one in use good until it is used itself', async () => {
  const mine = await device()
  const first = await issued(mine)
  expect(await used(first)).toBe(true)
  const second = await issued(mine)
  expect(await used(first)).toBe(true)
  expect(await used(second)).toBe(true)
  expect(await shown(first)).toBeNull()
  expect(await used(second)).toBe(true)
})

test('asked for again and again at once, a device has two credentials at most, and its row never grows', async () => {
  const mine = await device()
  expect(await used(await issued(mine))).toBe(true)
  await Promise.all(Array.from({ length: 20 }, () => ask(mine)))
  const [counted] = await db.sql`
    select count(*) filter (where revoked_at is null) as good, count(*) as rows from mqtt_credentials
    where device_id = ${mine.serial}`
  expect(counted!.good).toBe(2)
  expect(counted!.rows).toBeLessThan(12)
})

test('a credential revoked between look and use lets nobody in', async () => {
  const mine = await device()
  const one = await issued(mine)
  const credential = (await shown(one))!
  expect(await act(db, (tx) => credentials.revoke(tx, mine))).toBe(1)
  expect(await act(db, (tx) => credentials.use(tx, credential))).toBe(false)
  expect(await credentials.isGood(db.sql, credential)).toBe(false)
})

test('revoked twice it is revoked once, with an event and an entry of who did it', async () => {
  const mine = await device()
  await issued(mine)
  const said = await Promise.all([1, 2].map(() => act(db, (tx) => revokeOf(tx, as, mine.deviceId))))
  expect(said.toSorted()).toEqual([0, 1])
  expect(await happened(db, mine.deviceId, 'station.credentials_revoked')).toHaveLength(1)
  const entries = await db.sql`
    select user_id from audit_log where action = 'station.revoke_credentials' and entity_id = ${mine.deviceId}`
  expect(entries).toEqual([{ userId: as.userId }])
})

test('the SIM named first is pinned: another gets nothing, and neither does none', async () => {
  const mine = await device()
  await issued(mine, '8970100000000000001')
  expect(await ask(mine, '8970100000000000002')).toBe('sim_changed')
  expect(await ask(mine, null)).toBe('sim_changed')
  expect(await ask(mine, '8970100000000000001')).toMatchObject({ clientId: `cabinet-${mine.serial}` })
})

test('the pin outlives revocation, and the history that is thrown away', async () => {
  const mine = await device()
  for (let n = 0; n < 12; n++) await issued(mine)
  await act(db, (tx) => credentials.revoke(tx, mine))
  expect(await ask(mine, '8970100000000000002')).toBe('sim_changed')
})

test('a device without a SIM to name may name one later', async () => {
  const mine = await device()
  await issued(mine, null)
  await issued(mine, '8970100000000000003')
  expect(await ask(mine, null)).toBe('sim_changed')
})

test('adopting a cabinet whose SIM was changed lets the new one in, and its station stays the same', async () => {
  const mine = await device()
  await issued(mine, '8970100000000000001')
  const about = { boxId: mine.serial, dialect: 'mqtt', reason: 'sim_changed', address: '192.0.2.1' } as const
  await quarantine(db.sql, about)
  const knock = (await list(db.sql, { page: 1, limit: 100 })).rows.find(({ boxId }) => boxId === mine.serial)!
  expect((await act(db, (tx) => approve(tx, as, knock.id, { orgUnitId: null }))).station.id).toBe(mine.deviceId)
  expect(await ask(mine, '8970100000000000002')).toMatchObject({ clientId: `cabinet-${mine.serial}` })
  expect(await ask(mine, '8970100000000000001')).toBe('sim_changed')
})

test('only a device that has been on the broker is believed over HTTP', async () => {
  const mine = await device()
  expect(await credentials.deviceOf(db.sql, mine)).toBeNull()
  const one = await issued(mine)
  expect(await credentials.deviceOf(db.sql, mine)).toBeNull()
  await used(one)
  expect(await credentials.deviceOf(db.sql, mine)).toBe(mine.deviceId)
  await act(db, (tx) => credentials.revoke(tx, mine))
  expect(await credentials.deviceOf(db.sql, mine)).toBeNull()
})

test.for([
  ['123456789', '075BCD15'],
  ['4294967295', 'FFFFFFFF'],
  ['10000000', '00989680'],
  ['4294967296', null],
  ['0123456789', null],
  ['1234567', null],
])('the label %s names the bank %s', ([label, deviceId]) => {
  expect(deviceIdOf(label!)).toBe(deviceId)
})

test('a bank whose label was typed is the bank a cabinet names, whichever came first', async () => {
  const station = { id: await cabinet(db), orgUnitId: null }
  const typed = await bank(db, {})
  await db.sql`update powerbanks set serial_number = '223456789', device_id = null where id = ${typed.id}`
  const found = await act(db, (tx) => ensure(tx, station, ['0D51AE15', '0D51AE16']))
  expect(found.get('0D51AE15')!.id).toBe(typed.id)
  const [discovered] = await db.sql`select serial_number, status from powerbanks where device_id = '0D51AE16'`
  expect(discovered).toEqual({ serialNumber: '223456790', status: 'unknown' })
})
