import { describe, expect, test } from 'vitest'
import { newBank, town, until } from './town.ts'

const { call, db, open, station, settled, order, becomes, unit, customer, person } = await town()
const group = await unit('Сеть')
await db.sql`update org_units set default_powerbank_limit = 5 where id = ${group}`

const pairs = [
  ['A', 'B'],
  ['B', 'A'],
  ['B', 'B'],
] as const

describe.each(pairs)('borrowed from a cabinet of dialect %s, returned into one of dialect %s', (from, into) => {
  test('the order goes out with the bank and closes when another cabinet takes it back', async () => {
    const { ports } = await open()
    const bankId = newBank()
    const one = await station(ports.cabinet, { orgUnitId: group, dialect: from, bankIds: [bankId] })
    const other = await station(ports.cabinet, { orgUnitId: group, dialect: into })
    const { token, id } = await customer(group)
    const slot = one.slotOf(bankId)

    const borrowed = await call('POST', `/api/borrow/stations/${one.id}/request`, {
      token,
      body: { user_id: id, slot_number: slot },
    })
    expect(borrowed).toMatchObject({
      status: 200,
      body: { success: true, station_id: one.id, slot_number: slot, serial_number: bankId, user_id: id },
    })
    expect(one.box.box.banks.size).toBe(0)
    const orderId = borrowed.body.order_id as number
    expect(await order(orderId)).toMatchObject({ status: 'borrow', evidence: 'eject answer' })

    other.box.insert(bankId, 5)
    await other.box.next('returned', 0)
    expect(await order(orderId)).toMatchObject({
      status: 'return',
      evidence: 'return frame',
      returnStationId: other.id,
    })
    const [place] = await db.sql`
      select station_id, slot_number from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
      where p.device_id = ${bankId}`
    expect(place).toEqual({ stationId: other.id, slotNumber: 5 })
  })
})

test('a bank is lent by its own number, and the fullest one when nobody chooses', async () => {
  const { ports } = await open()
  const bankIds = [newBank(), newBank(), newBank()]
  const { id: stationId, box } = await station(ports.cabinet, { orgUnitId: group, bankIds })
  await db.sql`update station_powerbanks set level = slot_number * 10 where station_id = ${stationId}`
  const [first] = await db.sql<{ id: number }[]>`select id from powerbanks where device_id = ${bankIds[0]!}`
  const { token, id } = await customer(group)
  const own = await call('POST', `/api/borrow/powerbanks/${first!.id}/request`, { token, body: { user_id: id } })
  expect(own).toMatchObject({ status: 200, body: { serial_number: bankIds[0] } })
  const best = await call('POST', `/api/borrow/stations/${stationId}/request-optimal`, { token, body: { user_id: id } })
  expect(best.status).toBe(200)
  expect(best.body.serial_number).toBe(bankIds[2])
  expect(box.box.banks.size).toBe(1)
})

test('an eject that nobody answered stays pending until an inventory shows that the bank went out', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const {
    id: stationId,
    box,
    slotOf,
  } = await station(ports.cabinet, { orgUnitId: group, bankIds: [bankId], faults: ['mute'] })
  const { token, id } = await customer(group)
  const slot = slotOf(bankId)
  const silent = await call('POST', `/api/borrow/stations/${stationId}/request`, {
    token,
    body: { user_id: id, slot_number: slot },
  })
  expect(silent).toMatchObject({ status: 408, body: { success: false } })
  const [open_] = await db.sql<{ id: number }[]>`select id from orders where station_id = ${stationId}`
  expect(await order(open_!.id)).toMatchObject({ status: 'pending' })
  expect(box.box.banks.size).toBe(0)
  box.toggle('mute')
  await settled(stationId)
  await db.sql`update device_commands set deadline = now() where station_id = ${stationId} and status = 'sent'`
  await becomes(open_!.id, 'borrow')
  expect(await order(open_!.id)).toMatchObject({ evidence: 'inventory: the slot no longer lists the bank' })
  const ejects = box.journal.entries.filter((entry) => entry.event === 'heard' && entry.words.kind === 'eject')
  expect(ejects).toHaveLength(1)
})

test('an eject that was refused is cancelled only when the inventory still lists the bank', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, slotOf } = await station(ports.cabinet, {
    orgUnitId: group,
    bankIds: [bankId],
    faults: ['jam'],
  })
  const { token, id } = await customer(group)
  const refused = await call('POST', `/api/borrow/stations/${stationId}/request`, {
    token,
    body: { user_id: id, slot_number: slotOf(bankId) },
  })
  expect(refused).toMatchObject({ status: 400, body: { success: false } })
  const [only] = await db.sql<{ id: number }[]>`select id from orders where station_id = ${stationId}`
  expect(await order(only!.id)).toMatchObject({ status: 'cancelled', evidence: 'inventory: the bank stayed' })
})

test('a cabinet that hangs up with the bank already out is believed by what it holds when it comes back', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const {
    id: stationId,
    box,
    slotOf,
  } = await station(ports.cabinet, {
    orgUnitId: group,
    bankIds: [bankId],
    faults: ['drop-after-command'],
  })
  const { token, id } = await customer(group)
  const answer = await call('POST', `/api/borrow/stations/${stationId}/request`, {
    token,
    body: { user_id: id, slot_number: slotOf(bankId) },
  })
  expect(answer.status).toBe(408)
  const [only] = await db.sql<{ id: number }[]>`select id from orders where station_id = ${stationId}`
  await box.next('login', box.journal.now - 1)
  await settled(stationId)
  await db.sql`update stations set inventory_due_at = now() where id = ${stationId}`
  await becomes(only!.id, 'borrow')
})

test.for(['twice', 'glued'] as const)('an eject answered %s lends one bank, once', async (fault) => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, slotOf } = await station(ports.cabinet, {
    orgUnitId: group,
    bankIds: [bankId, newBank()],
    faults: [fault],
  })
  const { token, id } = await customer(group)
  const lent = await call('POST', `/api/borrow/stations/${stationId}/request`, {
    token,
    body: { user_id: id, slot_number: slotOf(bankId) },
  })
  expect(lent.status).toBe(200)
  const rows = await db.sql`select status from orders where station_id = ${stationId}`
  expect(rows).toEqual([{ status: 'borrow' }])
})

test('a cabinet that names another bank than it let out has the order follow what left', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, slotOf } = await station(ports.cabinet, {
    orgUnitId: group,
    bankIds: [bankId],
    faults: ['wrong-id'],
  })
  const { token, id } = await customer(group)
  const lent = await call('POST', `/api/borrow/stations/${stationId}/request`, {
    token,
    body: { user_id: id, slot_number: slotOf(bankId) },
  })
  expect(lent.status).toBe(200)
  expect((await order(lent.body.order_id)).evidence).toBe('eject answer; another bank left the slot')
})

test('a return said again after a lost acknowledgement is closed once', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const one = await station(ports.cabinet, { orgUnitId: group, bankIds: [bankId] })
  const { token, id } = await customer(group)
  const lent = await call('POST', `/api/borrow/stations/${one.id}/request-optimal`, { token, body: { user_id: id } })
  expect(lent.status).toBe(200)
  const other = await station(ports.cabinet, { orgUnitId: group, faults: ['twice'] })
  other.box.insert(bankId)
  await other.box.next('returned', 0)
  other.box.heartbeat()
  await other.box.next('heartbeat', 0)
  const events =
    await db.sql`select kind from events where order_id = ${lent.body.order_id} and kind = 'order.returned'`
  expect(events).toHaveLength(1)
})

test('commands answer with what the cabinet said', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, boxId, box } = await station(ports.cabinet, { orgUnitId: group, bankIds: [bankId] })
  const { token } = await person('service_admin')
  const post = (path: string, body: object) => call('POST', path, { token, body: { station_id: stationId, ...body } })
  expect(await post('/api/query-inventory', {})).toMatchObject({
    status: 200,
    body: { success: true, station_box_id: boxId, packet_hex: expect.stringMatching(/^0007640100[0-9A-F]{8}$/) },
  })
  expect((await call('GET', `/api/query-inventory/station/${stationId}`, { token })).body.inventory).toMatchObject([
    { terminal_id: bankId, powerbank_status: 'active' },
  ])
  expect(await post('/api/set-voice-volume', { volume: 100 })).toMatchObject({ status: 200 })
  expect(await post('/api/query-voice-volume', {})).toMatchObject({ status: 200 })
  expect((await call('GET', `/api/query-voice-volume/station/${stationId}`, { token })).body.data).toMatchObject({
    volume_level: 15,
  })
  expect((await call('GET', `/api/iccid/stations/${stationId}`, { token })).body.iccid).toBe(box.box.iccid)
  expect(await post('/api/query-server-address', {})).toMatchObject({ status: 200 })
  const ejected = await call('POST', '/api/admin/force-eject-powerbank', {
    token,
    body: { station_id: stationId, slot_number: [...box.box.banks.keys()][0] },
  })
  expect(ejected).toMatchObject({ status: 200, body: { success: true, station_id: stationId } })
  expect(box.box.banks.size).toBe(0)
  expect(await post('/api/restart-cabinet', {})).toMatchObject({ status: 200 })
})

test('a set server address is followed by the restart that makes it true', async () => {
  const { ports } = await open()
  const { id: stationId, box } = await station(ports.cabinet, { orgUnitId: group })
  const { token } = await person('service_admin')
  const set = await call('POST', '/api/set-server-address', {
    token,
    body: { station_id: stationId, server_address: '127.0.0.1', server_port: ports.cabinet, heartbeat_interval: 20 },
  })
  expect(set.status).toBe(200)
  await box.journal.next((entry) => entry.event === 'did' && entry.act === 'restarted', { since: 0 })
  await until(async () => box.online)
  expect(box.box.server).toMatchObject({ port: String(ports.cabinet), heartbeatSeconds: 20 })
})

test('the same Idempotency-Key lends one bank, however often it is sent', async () => {
  const { ports } = await open()
  const { id: stationId, box } = await station(ports.cabinet, {
    orgUnitId: group,
    bankIds: [newBank(), newBank(), newBank()],
  })
  const { token, id } = await customer(group)
  const ask = () =>
    call('POST', `/api/borrow/stations/${stationId}/request-optimal`, {
      token,
      body: { user_id: id },
      headers: { 'Idempotency-Key': `once-${stationId}` },
    })
  const answers = await Promise.all([ask(), ask(), ask(), ask()])
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(answers.map(({ body }) => body.order_id)).size).toBe(1)
  expect(box.box.banks.size).toBe(2)
})
