import { expect, test } from 'vitest'
import * as keys from '../../../db/devices/keys.ts'
import { testDb } from '../../postgres.ts'
import { act, actor, cabinet, person, travel } from '../world.ts'

const { db } = await testDb()
const SECRET = 'a secret for tests only, 32 bytes'
const as = actor(await person(db, { role: 'service_admin' }))

const add = (deviceId: number, value: string) => act(db, (tx) => keys.add(tx, as, { deviceId, value }, SECRET))
const valid = (stationId: number) => keys.valid(db.sql, stationId, SECRET)
const refused = (code: string) => expect.objectContaining({ name: 'Refused', code })

test('what is sealed opens with its secret and no other, and never looks the same twice', () => {
  const sealed = keys.seal('ключ-100%', SECRET)
  expect(keys.unseal(sealed, SECRET)).toBe('ключ-100%')
  expect(keys.seal('ключ-100%', SECRET)).not.toBe(sealed)
  expect(() => keys.unseal(sealed, `${SECRET}!`)).toThrow()
})

test('a sealed key that was tampered with does not open, at any byte', () => {
  const bytes = Buffer.from(keys.seal('key', SECRET), 'base64')
  for (let at = 0; at < bytes.length; at++) {
    const forged = Buffer.from(bytes)
    forged[at]! ^= 1
    expect(() => keys.unseal(forged.toString('base64'), SECRET)).toThrow()
  }
  expect(() => keys.unseal('', SECRET)).toThrow()
})

test('the table never holds the key, and the answer only its last two characters', async () => {
  const station = await cabinet(db)
  const key = await add(station, 'TopSecretKey42')
  expect(key).toMatchObject({ deviceId: station, keyHint: '42', validUntil: null })
  const [row] = await db.sql`select to_jsonb(k)::text as row from device_keys k where device_id = ${station}`
  expect(row!.row).not.toContain('TopSecret')
  expect((await add(station, 'short')).keyHint).toBe('')
})

test('two keys verify for a day, then the newer one', async () => {
  const station = await cabinet(db)
  await add(station, 'old-key-1')
  await add(station, 'new-key-2')
  expect(await valid(station)).toEqual(['new-key-2', 'old-key-1'])
  await travel(db, 24 * 3600 - 5)
  expect(await valid(station)).toEqual(['new-key-2', 'old-key-1'])
  await travel(db, 10)
  expect(await valid(station)).toEqual(['new-key-2'])
})

test('a third key ends the first at once', async () => {
  const station = await cabinet(db)
  for (const value of ['first-key', 'second-key', 'third-key']) await add(station, value)
  expect(await valid(station)).toEqual(['third-key', 'second-key'])
})

test('of many keys stored at once one is current and one overlaps', async () => {
  const station = await cabinet(db)
  await Promise.all(Array.from({ length: 10 }, (_, n) => add(station, `parallel-${n}`)))
  expect((await valid(station)).length).toBe(2)
  expect((await db.sql`select 1 from device_keys where device_id = ${station} and valid_until is null`).length).toBe(1)
})

test('a key that was deleted verifies no more, and is deleted once', async () => {
  const station = await cabinet(db)
  const old = await add(station, 'old-key-1')
  const now = await add(station, 'new-key-2')
  await act(db, (tx) => keys.remove(tx, old.id))
  expect(await valid(station)).toEqual(['new-key-2'])
  await expect(act(db, (tx) => keys.remove(tx, old.id))).rejects.toEqual(refused('not_found'))
  await act(db, (tx) => keys.remove(tx, now.id))
  expect(await valid(station)).toEqual([])
})

test('all keys of a station go together, and of no other', async () => {
  const [station, other] = [await cabinet(db), await cabinet(db)]
  await add(other, 'others-key')
  await add(station, 'key-one-1')
  await add(station, 'key-two-2')
  expect(await act(db, (tx) => keys.removeAll(tx, station))).toBe(2)
  expect([await valid(station), await valid(other)]).toEqual([[], ['others-key']])
})

test.for(['', 'with space', 'ключ', 'a'.repeat(129), 'line\nbreak'])('%o is no key', async (value) => {
  await expect(add(await cabinet(db), value)).rejects.toEqual(refused('invalid'))
})

test('a key needs its device', async () => {
  await expect(add(999_999, 'some-key')).rejects.toEqual(refused('not_found'))
})
