import { expect, test } from 'vitest'
import { testDb } from '../postgres.ts'
import { addKey, bank, device, gatewayOn, hello, pairTo, socketTo, station } from './stage.ts'

const { db } = await testDb()
const welcome = { kind: 'acknowledged', report: 'login', result: 1 }
const bankId = (n: number) => `53545241${n.toString(16).padStart(8, '0').toUpperCase()}`

test('a cabinet with a key cannot be impersonated in the dialect that needs none', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const real = device(socketTo(gateway), 'KEYB')
  real.say(hello(boxId))
  expect(await real.hear()).toMatchObject(welcome)
  const thief = device(socketTo(gateway))
  thief.say(hello(boxId))
  expect(await thief.hear()).toMatchObject({ kind: 'acknowledged', report: 'login', result: 0 })
  await thief.ended
  real.say({ kind: 'heartbeat' })
  expect(await real.until('heartbeat')).toBeTruthy()
  expect(await db.sql`select dialect, epoch from device_sessions where device_id = ${id}`).toEqual([
    { dialect: 'B', epoch: 1 },
  ])
  expect(await db.sql`select reason from quarantine where box_id = ${boxId}`).toEqual([{ reason: 'bad_token' }])
})

test('a cabinet that is given a key has to use it from then on', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db)
  const cabinet = device(socketTo(gateway))
  cabinet.say(hello(boxId))
  expect(await cabinet.hear()).toMatchObject(welcome)
  await addKey(db, id, 'KEYB')
  await cabinet.ended
  expect(gateway.said('cabinet.dropped')).toMatchObject([{ about: { reason: 'no_longer_known' } }])
})

test('an old socket that is kept busy does not keep the cabinet out', async () => {
  const gateway = await gatewayOn(db)
  const { boxId } = await station(db, 'KEYB')
  const busy = device(socketTo(gateway), 'KEYB')
  busy.say(hello(boxId))
  await busy.hear()
  const answer = busy.codec.encode({ kind: 'eject', slot: 1, bankId: bankId(1), ok: true, result: 1 })
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => answer))
  busy.write(flood)
  await expect.poll(() => gateway.node.counts.heard.eject ?? 0).toBeGreaterThan(10)
  const real = device(socketTo(gateway), 'KEYB')
  real.say(hello(boxId))
  expect(await real.hear()).toMatchObject(welcome)
  await busy.ended
})

test('nine zero bytes are no heartbeat', async () => {
  const gateway = await gatewayOn(db)
  const { boxId } = await station(db, 'KEYB')
  const cabinet = device(pairTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  cabinet.write(Buffer.alloc(9))
  await cabinet.ended
  expect(gateway.node.counts.brokenStreams).toBe(1)
})

test('one cabinet can invent only so many power banks and faults', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db)
  const cabinet = device(socketTo(gateway))
  cabinet.say(hello(boxId))
  await cabinet.hear()
  const lists = 3
  for (let list = 0; list < lists; list++)
    cabinet.say({
      kind: 'inventory',
      banks: Array.from({ length: 250 }, (_, i) => bank(i + 1, bankId(list * 250 + i))),
    })
  for (let n = 0; n < 150; n++) cabinet.say({ kind: 'abnormal', event: 1, slot: 1, bankId: bankId(9_000 + n) })
  for (let n = 0; n < 150; n++) expect(await cabinet.until('abnormal')).toBeTruthy()
  const [found] = await db.sql`
    select (select count(*) from powerbanks where serial_number like '53545241%') as banks,
      (select count(*) from slot_abnormal_reports where station_id = ${id}) as faults`
  expect(found).toEqual({ banks: 300, faults: 120 })
})
