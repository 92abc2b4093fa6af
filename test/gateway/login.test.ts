import { expect, test } from 'vitest'
import * as commands from '../../db/devices/commands.ts'
import * as keys from '../../db/devices/keys.ts'
import { testDb } from '../postgres.ts'
import { addKey, bank, device, gatewayOn, hello, pairTo, socketTo, station } from './stage.ts'

const { db } = await testDb()
const welcome = { kind: 'acknowledged', report: 'login', result: 1 }

const unauthorised = async (boxId: string) =>
  (await db.sql`select dialect, reason, slots, attempts from quarantine where box_id = ${boxId}`)[0]

test('a TCP-A cabinet is let in, and asked what it holds', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db)
  const cabinet = device(pairTo(gateway))
  cabinet.say({ kind: 'login', boxId })
  expect(await cabinet.hear()).toEqual(welcome)
  expect(await cabinet.hear()).toEqual({ kind: 'inventory' })
  const [row] = await db.sql`select node, epoch, dialect, address, vsn from device_sessions where device_id = ${id}`
  expect(row).toEqual({ node: gateway.node.name, epoch: 1, dialect: 'A', address: '192.0.2.7', vsn: 1 })
})

test('a TCP-B cabinet is let in with its slots stored before the answer', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId, [bank(3, '4443484154000016')]))
  expect(await cabinet.hear()).toMatchObject({ ...welcome, nonce: expect.any(Number) })
  const slots = await db.sql`select slot_number, level from station_powerbanks where station_id = ${id}`
  expect(slots).toMatchObject([{ slotNumber: 3, level: 90 }])
})

test('the answer to a TCP-B login carries the time', async () => {
  const gateway = await gatewayOn(db)
  const { boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  const before = Math.floor(Date.now() / 1000)
  cabinet.say(hello(boxId))
  const answer = (await cabinet.hear()) as { unixSeconds: number }
  expect(answer.unixSeconds).toBeGreaterThanOrEqual(before)
  expect(answer.unixSeconds).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000))
})

test('an unknown TCP-A cabinet is told no, written down, and let go', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = device(socketTo(gateway))
  cabinet.say({ kind: 'login', boxId: 'STRANGERA' })
  expect(await cabinet.hear()).toEqual({ kind: 'acknowledged', report: 'login', result: 0 })
  await cabinet.ended
  expect(await unauthorised('STRANGERA')).toEqual({ dialect: 'A', reason: 'unknown_box_id', slots: null, attempts: 1 })
})

test('an unknown TCP-B cabinet hears nothing, is written down with its slots, and let go', async () => {
  const gateway = await gatewayOn(db)
  for (const attempts of [1, 2]) {
    const cabinet = device(socketTo(gateway), 'ANYKEY')
    cabinet.say(hello('STRANGERB'))
    expect(await cabinet.frame()).toBeNull()
    expect(await unauthorised('STRANGERB')).toEqual({ dialect: 'B', reason: 'unknown_box_id', slots: 8, attempts })
  }
})

test('a TCP-B cabinet without a stored key is not let in', async () => {
  const gateway = await gatewayOn(db)
  const { boxId } = await station(db)
  const cabinet = device(socketTo(gateway), 'ANYKEY')
  cabinet.say(hello(boxId))
  expect(await cabinet.frame()).toBeNull()
  expect(await unauthorised(boxId)).toMatchObject({ reason: 'no_key' })
})

test('a forged login of a TCP-B cabinet is refused, and the real one stays', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'REALKEY')
  const real = device(socketTo(gateway), 'REALKEY')
  real.say(hello(boxId))
  await real.hear()
  const forger = device(socketTo(gateway), 'FORGEDKEY')
  forger.say(hello(boxId))
  expect(await forger.frame()).toBeNull()
  expect(await unauthorised(boxId)).toMatchObject({ reason: 'bad_token' })
  expect(gateway.node.counts.loginsRefused).toEqual({ bad_token: 1 })
  real.say({ kind: 'heartbeat' })
  expect(await real.hear()).toEqual({ kind: 'acknowledged', report: 'heartbeat' })
  expect((await db.sql`select epoch from device_sessions where device_id = ${id}`)[0]).toEqual({ epoch: 1 })
})

test('invented box ids are written down so many times a minute, and no more', async () => {
  const gateway = await gatewayOn(db, { quarantinePerMinuteMax: 2 })
  for (const boxId of ['INVENTED1', 'INVENTED2', 'INVENTED3', 'INVENTED4']) {
    const cabinet = device(socketTo(gateway))
    cabinet.say({ kind: 'login', boxId })
    await cabinet.ended
  }
  expect(await db.sql`select box_id from quarantine where box_id like 'INVENTED%'`).toHaveLength(2)
  expect(gateway.node.counts.loginsRefused).toEqual({ unknown_box_id: 4 })
})

test('during a key change the old key and the new one are both good, and each is answered under its own', async () => {
  const gateway = await gatewayOn(db, { identifyAgainMsMin: 0 })
  const { id, boxId } = await station(db, 'OLDKEY')
  const old = device(socketTo(gateway), 'OLDKEY')
  old.say(hello(boxId))
  await old.hear()
  await addKey(db, id, 'NEWKEY')
  old.say({ kind: 'heartbeat' })
  expect(await old.hear()).toMatchObject({ report: 'heartbeat' })
  const renewed = device(old, 'NEWKEY')
  renewed.say({ kind: 'heartbeat' })
  expect(await renewed.hear()).toMatchObject({ report: 'heartbeat' })
  const other = device(socketTo(gateway), 'OLDKEY')
  other.say(hello(boxId))
  expect(await other.hear()).toMatchObject(welcome)
})

test('a heartbeat under a wrong key is not answered because a right one was', async () => {
  const gateway = await gatewayOn(db)
  const { boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  for (let n = 0; n < 2; n++) {
    cabinet.say({ kind: 'heartbeat' })
    expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
  }
  const forged = device(cabinet, 'WRONGKEY')
  for (let n = 0; n < 5; n++) forged.say({ kind: 'heartbeat' })
  expect(await cabinet.frame()).toBeNull()
  expect(gateway.node.counts.ended).toEqual({ malformed: 1 })
})

test('a key that was taken away opens nothing any more', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'GONEKEY')
  const cabinet = device(socketTo(gateway), 'GONEKEY')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  // Heard once and known from then on: even that must end.
  for (let n = 0; n < 3; n++) {
    cabinet.say({ kind: 'heartbeat' })
    expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
  }
  await db.transaction((tx) => keys.removeAll(tx, id))
  expect(await cabinet.frame()).toBeNull()
  const again = device(socketTo(gateway), 'GONEKEY')
  again.say(hello(boxId))
  expect(await again.frame()).toBeNull()
  expect(await unauthorised(boxId)).toMatchObject({ reason: 'no_key' })
})

test('a cabinet may log in again on the same socket', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  for (const epoch of [1, 2, 3]) {
    cabinet.say(hello(boxId))
    expect(await cabinet.hear()).toMatchObject(welcome)
    expect((await db.sql`select epoch from device_sessions where device_id = ${id}`)[0]).toEqual({ epoch })
  }
  expect(gateway.node.sessions.count()).toBe(1)
})

test('one socket cannot become another cabinet', async () => {
  const gateway = await gatewayOn(db)
  const [first, second] = [await station(db), await station(db)]
  const cabinet = device(socketTo(gateway))
  cabinet.say({ kind: 'login', boxId: first.boxId })
  await cabinet.hear()
  cabinet.say({ kind: 'login', boxId: second.boxId })
  await cabinet.ended
  expect(gateway.node.counts.ended).toEqual({ other_box_id: 1 })
  expect(await db.sql`select 1 from device_sessions where device_id = ${second.id}`).toHaveLength(0)
})

test('of two sockets of one cabinet the newest serves it and the older is closed', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const old = device(socketTo(gateway), 'KEYB')
  old.say(hello(boxId))
  await old.hear()
  const young = device(socketTo(gateway), 'KEYB')
  young.say(hello(boxId, [bank(1, '4443484154000001')]))
  expect(await young.hear()).toMatchObject(welcome)
  await old.ended
  expect(gateway.said('cabinet.dropped')).toMatchObject([{ about: { deviceId: id, reason: 'superseded' } }])
  await db.transaction((tx) => commands.enqueue(tx, { deviceId: id, kind: 'volume', requestedBy: null, origin: 'api' }))
  expect(await young.hear()).toEqual({ kind: 'volume' })
  await expect.poll(() => gateway.node.connections.size).toBe(1)
  const [row] = await db.sql`select node, epoch from device_sessions where device_id = ${id}`
  expect(row).toEqual({ node: gateway.node.name, epoch: 2 })
})

test('twenty logins of one cabinet at once leave one connection, the newest', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const cabinets = Array.from({ length: 20 }, () => device(socketTo(gateway), 'KEYB'))
  for (const cabinet of cabinets) cabinet.say(hello(boxId))
  const here = () => [gateway.node.sessions.get(id)?.epoch, gateway.node.connections.size]
  await expect.poll(here, { timeout: 10_000 }).toEqual([20, 1])
  const [row] = await db.sql`select node, epoch from device_sessions where device_id = ${id}`
  expect(row).toEqual({ node: gateway.node.name, epoch: 20 })
})

test('a recorded login is noticed', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  const recorded = cabinet.codec.encode(hello(boxId))
  cabinet.write(recorded)
  await cabinet.hear()
  const thief = device(socketTo(gateway), 'KEYB')
  thief.write(recorded)
  await thief.hear()
  expect(gateway.said('login.repeated')).toMatchObject([{ about: { deviceId: id, serial: boxId } }])
  expect(gateway.node.counts.loginsRepeated).toBe(1)
})

test('no command overtakes the answer to a login', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  await db.transaction((tx) => commands.enqueue(tx, { deviceId: id, kind: 'volume', requestedBy: null, origin: 'api' }))
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  expect(await cabinet.hear()).toMatchObject(welcome)
  expect(await cabinet.hear()).toEqual({ kind: 'volume' })
})

test('a full queue of commands keeps no cabinet out', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db)
  await db.sql`update stations set iccid = null where id = ${id}`
  await db.sql`
    insert into device_commands (device_id, kind, deadline)
    select ${id}, 'volume', now() + interval '1 minute' from generate_series(1, 40)`
  const cabinet = device(socketTo(gateway))
  cabinet.say({ kind: 'login', boxId })
  expect(await cabinet.hear()).toEqual(welcome)
})

test('a login and what follows it may come in one read, and a cabinet that closes its side is still answered', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway, { allowHalfOpen: true }), 'KEYB')
  const { codec } = cabinet
  cabinet.stream.end(
    Buffer.concat([
      codec.encode(hello(boxId)),
      codec.encode({ kind: 'heartbeat' }),
      codec.encode({ kind: 'returned', bank: bank(2, '4443484154000077') }),
    ]),
  )
  expect(await cabinet.hear()).toMatchObject(welcome)
  expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
  expect(await cabinet.hear()).toMatchObject({ report: 'returned', slot: 2, result: 1 })
  await cabinet.ended
  await expect.poll(() => db.sql`select node from device_sessions where device_id = ${id}`).toEqual([{ node: null }])
})
