import { expect, test } from 'vitest'
import { enqueue } from '../../db/devices/commands.ts'
import { testDb } from '../postgres.ts'
import { device, gatewayOn, hello, socketTo, station } from './stage.ts'

const { db } = await testDb()

test.each([
  ['A', undefined],
  ['B', 'KEYB'],
])('a TCP-%s cabinet that counts its volume in percent is known for it, and told in percent', async (_, key) => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, ...(key ? [key] : []))
  const cabinet = device(socketTo(gateway), key)
  const ask = (kind: string, args = {}) =>
    db.transaction((tx) => enqueue(tx, { deviceId: id, kind, args, requestedBy: null, origin: 'api' }))
  const state = async () => (await db.sql`select device_state from stations where id = ${id}`)[0]!.deviceState
  cabinet.say(key ? hello(boxId) : { kind: 'login', boxId })
  await cabinet.until('login')
  for (const [level, countsVolumeInPercent] of [
    [15, undefined],
    [100, true],
    [2, true],
  ] as const) {
    await ask('volume')
    await cabinet.until('volume')
    cabinet.say({ kind: 'volume', level })
    await expect.poll(async () => (await state()).volume?.level).toBe(level)
    expect((await state()).countsVolumeInPercent).toBe(countsVolumeInPercent)
  }
  await ask('set_volume', { level: 60 })
  expect(await cabinet.until('set_volume')).toEqual({ kind: 'set_volume', level: 60 })
  cabinet.say({ kind: 'set_volume', ok: true })
  await expect.poll(async () => (await state()).volume.level).toBe(60)
})
