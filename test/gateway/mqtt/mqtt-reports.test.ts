import { expect, test } from 'vitest'
import { enqueue } from '../../../db/devices/commands.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, credentialOf, device, inside, mqttStation } from './mqtt-stage.ts'

const { db } = await testDb()

const bank = (slot: number, bankId: string) => ({ slot, bankId, levelPercent: 60 })
const returned = (slot: number, bankId: string) => ({ kind: 'returned' as const, bank: bank(slot, bankId) })
const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number, p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`
const sessionOf = async (stationId: number) =>
  (await db.sql`select node, epoch from device_sessions where device_id = ${stationId}`)[0]

/** Holds a station's row until `free` is called: its reports wait, as behind a long transaction. */
async function held(stationId: number) {
  const { promise: until, resolve: free } = Promise.withResolvers<void>()
  const { promise: isHeld, resolve: tell } = Promise.withResolvers<void>()
  const over = db.transaction(async (tx) => {
    await tx`select 1 from stations where id = ${stationId} for update`
    tell()
    await until
  })
  await isHeld
  return { free, over }
}

/** Makes every write about this station fail, as a database that has run full would. */
async function broken(stationId: number) {
  await db.sql`
    create or replace function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$`
  await db.sql.unsafe(`create trigger refuse_${stationId} before insert on station_powerbanks
    for each row when (new.station_id = ${stationId}) execute function refuse()`)
  return () => db.sql.unsafe(`drop trigger refuse_${stationId} on station_powerbanks`)
}

test('a report waits for its commit, a heartbeat does not wait for a report', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const { free, over } = await held(cabinet.id)
  let isAcknowledged = false
  const said = cabinet.say(returned(2, '0A0B0E01')).then(() => {
    isAcknowledged = true
  })
  await cabinet.say({ kind: 'heartbeat' })
  while ((await cabinet.next()).topic !== cabinet.topic.heart);
  expect(isAcknowledged).toBe(false)
  free()
  await Promise.all([over, said])
  expect(await slotsOf(cabinet.id)).toHaveLength(1)
})

test('reports said in one breath are worked off in the order they were said', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const { free, over } = await held(cabinet.id)
  const said = Array.from({ length: 20 }, (_, n) =>
    n % 2 === 0
      ? cabinet.say(returned(1 + (n % 6), '0A0B0E02'))
      : cabinet.say({ kind: 'inventory', slots: 6, banks: [bank(6 - (n % 6), '0A0B0E02')] }),
  )
  free()
  await Promise.all([over, ...said])
  // The last of the twenty listed it in hole 5.
  expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 5, deviceId: '0A0B0E02' }])
})

test('what our side cannot store is not acknowledged: the cabinet dials again and says it again, and it counts once', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const mend = await broken(cabinet.id)
  const said = cabinet.say(returned(3, '0A0B0E03')).then(
    () => 'acknowledged',
    () => 'not acknowledged',
  )
  // What was said behind it must not overtake it.
  const behind = cabinet.say(returned(4, '0A0B0E04')).catch(() => {})
  await cabinet.closed
  cabinet.link.end(true)
  expect(await said).toBe('not acknowledged')
  await behind
  expect(gateway.node.counts).toMatchObject({ failures: 1, ended: { our_failure: 1 } })
  await mend()
  const again = await device(gateway, cabinet.imei, cabinet.credential)
  await again.say(returned(3, '0A0B0E03'))
  expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 3, deviceId: '0A0B0E03' }])
  const events = await db.sql`
    select 1 from events where station_id = ${cabinet.id} and kind = 'powerbank.returned'`
  expect(events).toHaveLength(1)
})

test('a cabinet that cannot be written down as connected is told to come again, and does', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const credential = await credentialOf(db, imei)
  await db.sql.unsafe(`alter table device_sessions add constraint nobody_${id} check (device_id <> ${id})`)
  await expect(device(gateway, imei, credential)).rejects.toMatchObject({ code: 3 })
  await db.sql.unsafe(`alter table device_sessions drop constraint nobody_${id}`)
  await (await device(gateway, imei, credential)).told('check')
})

test('a cabinet that hangs up is offline at once', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.link.endAsync()
  await expect.poll(() => sessionOf(cabinet.id)).toMatchObject({ node: null })
  expect(gateway.node.sessions.count()).toBe(0)
})

test('a command for a cabinet that is away waits in its row and never in the broker', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.link.endAsync()
  await expect.poll(() => sessionOf(cabinet.id)).toMatchObject({ node: null })
  const { id } = await db.transaction((tx) =>
    enqueue(tx, {
      deviceId: cabinet.id,
      kind: 'force_eject',
      slot: 2,
      isMovement: true,
      requestedBy: null,
      origin: 'api',
    }),
  )
  const again = await device(gateway, cabinet.imei, cabinet.credential)
  const { message } = await again.told('popup')
  expect(message).toMatchObject({ qos: 0, retain: false })
  const [row] = await db.sql`select status, attempts from device_commands where id = ${id}`
  expect(row).toEqual({ status: 'sent', attempts: 1 })
})

test('a gateway that stops stores and acknowledges what it heard, and gives its cabinets back', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const { free, over } = await held(cabinet.id)
  const said = cabinet.say(returned(5, '0A0B0E05'))
  await expect.poll(() => gateway.node.counts.heard).toEqual({ returned: 1 })
  const stopped = gateway.close()
  free()
  await Promise.all([over, said, stopped, cabinet.closed])
  expect(await slotsOf(cabinet.id)).toHaveLength(1)
  expect(await sessionOf(cabinet.id)).toMatchObject({ node: null })
})
