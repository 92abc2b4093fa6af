import { describe, expect, test } from 'vitest'
import { labelOf, newBank, town, until, ways } from './town.ts'

const { call, db, open, station, order, becomes, unit, customer, person } = await town()
const group = await unit('Сеть')
await db.sql`update org_units set default_powerbank_limit = 5 where id = ${group}`

const [a, b, mqtt, mosquitto] = ways
const pairs = [
  [a, b],
  [b, a],
  [b, b],
  [mqtt, mqtt],
  [mosquitto, mosquitto],
].map(([from, into]) => ({ from: from!, into: into! }))

describe.each(pairs)('borrowed over $from.way, returned over $into.way', ({ from, into }) => {
  test.skipIf(from.missing)(
    'the order goes out with the bank and closes when another cabinet takes it back',
    async () => {
      const { ports } = await open(from.where)
      const bankId = newBank(from.dialect)
      const one = await station(ports, { orgUnitId: group, dialect: from.dialect, bankIds: [bankId] })
      const other = await station(ports, { orgUnitId: group, dialect: into.dialect })
      const { token, id } = await customer(group)
      const slot = one.slotOf(bankId)

      const borrowed = await call('POST', `/api/borrow/stations/${one.id}/request`, {
        token,
        body: { user_id: id, slot_number: slot },
      })
      expect(borrowed).toMatchObject({
        status: 200,
        body: { success: true, station_id: one.id, slot_number: slot, serial_number: labelOf(bankId), user_id: id },
      })
      expect(one.box.box.banks.size).toBe(0)
      const orderId = borrowed.body.order_id as number
      expect(await order(orderId)).toMatchObject({ status: 'borrow', evidence: 'eject answer' })

      other.box.insert(bankId, 5)
      await other.box.next('returned', 0)
      if (!into.isCommitted) await becomes(orderId, 'return')
      expect(await order(orderId)).toMatchObject({
        status: 'return',
        evidence: 'return frame',
        returnStationId: other.id,
      })
      const [place] = await db.sql`
      select station_id, slot_number from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
      where p.device_id = ${bankId}`
      expect(place).toEqual({ stationId: other.id, slotNumber: 5 })
    },
  )
})

describe.each(ways)('over $way', ({ dialect, where, isCommitted, missing }) => {
  test.skipIf(missing)('a bank is lent by its own number, and the fullest one when nobody chooses', async () => {
    const { ports } = await open(where)
    const bankIds = [newBank(dialect), newBank(dialect), newBank(dialect)]
    const { id: stationId, box } = await station(ports, { orgUnitId: group, dialect, bankIds })
    await db.sql`update station_powerbanks set level = slot_number * 10 where station_id = ${stationId}`
    const [first] = await db.sql<{ id: number }[]>`select id from powerbanks where device_id = ${bankIds[0]!}`
    const { token, id } = await customer(group)
    const own = await call('POST', `/api/borrow/powerbanks/${first!.id}/request`, { token, body: { user_id: id } })
    expect(own).toMatchObject({ status: 200, body: { serial_number: labelOf(bankIds[0]!) } })
    const best = await call('POST', `/api/borrow/stations/${stationId}/request-optimal`, {
      token,
      body: { user_id: id },
    })
    expect(best.status).toBe(200)
    expect(best.body.serial_number).toBe(labelOf(bankIds[2]!))
    expect(box.box.banks.size).toBe(1)
  })

  test.skipIf(missing)('a return said again after a lost acknowledgement is closed once', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId] })
    const { token, id } = await customer(group)
    const lent = await call('POST', `/api/borrow/stations/${one.id}/request-optimal`, { token, body: { user_id: id } })
    expect(lent.status).toBe(200)
    const other = await station(ports, { orgUnitId: group, dialect, faults: ['twice'] })
    other.box.insert(bankId)
    await other.box.next('returned', 0)
    if (!isCommitted) await becomes(lent.body.order_id, 'return')
    // Worked off behind both of them.
    const listed = await call('POST', '/api/query-inventory', {
      token: (await person('service_admin')).token,
      body: { station_id: other.id },
    })
    expect(listed.status).toBe(200)
    const events =
      await db.sql`select kind from events where order_id = ${lent.body.order_id} and kind = 'order.returned'`
    expect(events).toHaveLength(1)
  })

  test.skipIf(missing)('the same Idempotency-Key lends one bank, however often it is sent', async () => {
    const { ports } = await open(where)
    const { id: stationId, box } = await station(ports, {
      orgUnitId: group,
      dialect,
      bankIds: [newBank(dialect), newBank(dialect), newBank(dialect)],
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
})

test.for(['twice', 'glued'] as const)('an eject answered %s lends one bank, once', async (fault) => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, slotOf } = await station(ports, {
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

test('commands answer with what the cabinet said', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, boxId, box } = await station(ports, { orgUnitId: group, bankIds: [bankId] })
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
  const { id: stationId, box } = await station(ports, { orgUnitId: group })
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
