import { expect, test } from 'vitest'
import { seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { testDb } from '../postgres.ts'
import { device, gatewayOn, hello, socketTo, station } from './stage.ts'

const { db } = await testDb()
const welcome = { kind: 'acknowledged', report: 'login', result: 1 }

test.each([
  ['A', undefined],
  ['B', 'KEYB'],
])('a TCP-%s cabinet is asked for its SIM once a day, and another card is an event', async (_, key) => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, ...(key ? [key] : []))
  await db.sql`update stations set iccid = '8944476500001234567F' where id = ${id}`
  const line = socketTo(gateway)
  const cabinet = device(line, key)
  const login = async () => {
    cabinet.say(key ? hello(boxId) : { kind: 'login', boxId })
    expect(await cabinet.until('login')).toMatchObject(welcome)
  }
  const asked = async () =>
    (await db.sql`select 1 from device_commands where device_id = ${id} and kind = 'iccid'`).length
  /** As its modem prints it, line ends and all. */
  const print = async (text: string) => {
    const payload = Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text, 'latin1')])
    line.write(key ? seal(0x69, 2, tokenOf(payload, Buffer.from(key)), payload) : seal(0x69, 1, 0x11223344, payload))
  }
  const kept = () => db.sql`
    select iccid, device_state->'sim'->>'at' > (now() - interval '1 minute')::text as is_new from stations where id = ${id}`
  const changes = () => db.sql`select data from events where station_id = ${id} and kind = 'station.sim_changed'`
  await login()
  expect(await asked()).toBe(0)
  for (const [printed, iccid] of [
    ['8944476500001234567f\r\n\r\nOK\r\n\0', '8944476500001234567'],
    ['+CCID: 8944476500007654321F\0', '8944476500007654321'],
  ] as const) {
    await db.sql`
      update stations set device_state = jsonb_build_object('sim', jsonb_build_object('at', now() - interval '25 hours'))
      where id = ${id}`
    await login()
    await cabinet.until('iccid')
    await print(printed)
    await expect.poll(kept).toEqual([{ iccid, isNew: true }])
  }
  expect(await changes()).toEqual([{ data: { from: '8944476500001234567', to: '8944476500007654321', by: 'answer' } }])
  await login()
  expect(await asked()).toBe(2)
})

test('a SIM nobody knows is asked for its number, and a known one is not', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  await db.sql`update stations set iccid = null where id = ${id}`
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  expect(await cabinet.hear()).toMatchObject(welcome)
  expect(await cabinet.hear()).toEqual({ kind: 'iccid' })
  cabinet.say({ kind: 'iccid', iccid: '89701010064416461823' })
  await expect
    .poll(() => db.sql`select iccid from stations where id = ${id}`)
    .toEqual([{ iccid: '89701010064416461823' }])
  cabinet.say(hello(boxId))
  expect(await cabinet.hear()).toMatchObject(welcome)
  const asked = await db.sql`select id from device_commands where device_id = ${id} and kind = 'iccid'`
  expect(asked).toHaveLength(1)
})
