import { describe, expect, test } from 'vitest'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { newBank, town, ways } from './town.ts'

const { call, db, open, station, settled, order, becomes, unit, customer, person } = await town()
const group = await unit('Сеть')
await db.sql`update org_units set default_powerbank_limit = 5 where id = ${group}`

/** What MQTT cabinets do that others do not, and what redelivery does to loans. */
const overMqtt = ways.filter(({ dialect }) => dialect === 'mqtt')

const times = ({ journal }: Cabinet, event: 'heard' | 'said', kind: string) =>
  journal.entries.filter((entry) =>
    entry.event === 'heard'
      ? event === 'heard' && entry.words.kind === kind
      : entry.event === event && entry.report.kind === kind,
  ).length

/** Asks for the bank in a station's slot as a customer of the group. */
async function borrow({ id, slotOf }: Awaited<ReturnType<typeof station>>, bankId: string) {
  const { token, id: userId } = await customer(group)
  const body = { user_id: userId, slot_number: slotOf(bankId) }
  return await call('POST', `/api/borrow/stations/${id}/request`, { token, body })
}

/** The one order of a station. */
async function orderOf(stationId: number): Promise<number> {
  const rows = await db.sql<{ id: number }[]>`select id from orders where station_id = ${stationId}`
  expect(rows).toHaveLength(1)
  return rows[0]!.id
}

/** A question that is worked off behind all that was said before. */
async function askedBehind(stationId: number) {
  const { token } = await person('service_admin')
  const listed = await call('POST', '/api/query-inventory', { token, body: { station_id: stationId } })
  expect(listed.status).toBe(200)
}

const returnsOf = (orderId: number) =>
  db.sql`select kind from events where order_id = ${orderId} and kind = 'order.returned'`

describe.each(overMqtt)('over $way', ({ dialect, where, isCommitted, missing }) => {
  test.skipIf(missing)('an answer that is redelivered lends one bank, once', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const one = await station(ports, {
      orgUnitId: group,
      dialect,
      bankIds: [bankId, newBank(dialect)],
      faults: ['redelivery'],
      isPersistent: true,
    })
    const since = one.box.journal.now
    await borrow(one, bankId)
    const orderId = await orderOf(one.id)
    await becomes(orderId, 'borrow')
    await one.box.next('login', since)
    await settled(one.id)
    await askedBehind(one.id)
    // Which of the two was heard first, the list or the answer, is chance.
    expect(await order(orderId)).toMatchObject({
      status: 'borrow',
      evidence: expect.stringMatching(/^(?:late )?eject answer$/),
    })
    expect(times(one.box, 'said', 'eject')).toBe(2)
    expect(times(one.box, 'heard', 'eject')).toBe(1)
    expect(one.box.box.banks.size).toBe(1)
  })

  test.skipIf(missing)('a cabinet that comes back is not told to eject again', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const one = await station(ports, {
      orgUnitId: group,
      dialect,
      bankIds: [bankId, newBank(dialect)],
      faults: ['drop-after-command'],
      isPersistent: true,
    })
    const since = one.box.journal.now
    expect((await borrow(one, bankId)).status).toBe(408)
    await one.box.next('login', since)
    await settled(one.id)
    await db.sql`update device_commands set deadline = now() where device_id = ${one.id} and status = 'sent'`
    await db.sql`update stations set inventory_due_at = now() where id = ${one.id}`
    await becomes(await orderOf(one.id), 'borrow')
    expect(times(one.box, 'heard', 'eject')).toBe(1)
    expect(one.box.box.banks.size).toBe(1)
  })

  test.skipIf(missing)('a return said twice, and one that is redelivered, closes one order', async () => {
    const { ports } = await open(where)
    for (const fault of ['twice', 'redelivery'] as const) {
      const bankId = newBank(dialect)
      const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId] })
      const orderId = (await borrow(one, bankId)).body.order_id
      const other = await station(ports, { orgUnitId: group, dialect, faults: [fault], isPersistent: true })
      other.box.insert(bankId, 3)
      await other.box.next('returned', 0)
      await becomes(orderId, 'return')
      await settled(other.id)
      await askedBehind(other.id)
      expect(await returnsOf(orderId)).toHaveLength(1)
    }
  })

  test.skipIf(missing)('a return said over MQTT and over HTTP closes one order', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId] })
    const orderId = (await borrow(one, bankId)).body.order_id
    const other = await station(ports, { orgUnitId: group, dialect, faults: ['http-return'] })
    const since = other.box.journal.now
    other.box.insert(bankId, 3)
    const said = await other.box.journal.next(({ event }) => event === 'asked', { since })
    // A broker that lets everybody in never tells us that our credential was used: no hint is taken then.
    expect(said).toMatchObject({ question: 'http_return', answer: isCommitted ? '200' : '401' })
    // The hint makes us look; what the cabinet says then is worked off before our own question.
    if (isCommitted) await other.box.next('inventory', said.number)
    await becomes(orderId, 'return')
    await askedBehind(other.id)
    expect(await returnsOf(orderId)).toHaveLength(1)
  })

  test.skipIf(missing)('an eject too old for the cabinet is dropped, and the loan with it', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const late = { unixSeconds: () => Date.now() / 1000 + 3600 }
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], ...late })
    expect(await borrow(one, bankId)).toMatchObject({ status: 400, body: { success: false } })
    expect(await order(await orderOf(one.id))).toMatchObject({
      status: 'cancelled',
      evidence: 'inventory: the bank stayed',
    })
    expect(one.box.box.banks.size).toBe(1)
  })

  test.skipIf(missing)(
    'a cabinet whose clock is wrong is told to operators as that, until it lends again',
    async () => {
      const { ports } = await open(where)
      const bankId = newBank(dialect)
      const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], faults: ['clock-off'] })
      const { token } = await person('group_admin', group)
      const since = async () => (await call('GET', `/api/stations/${one.id}`, { token })).body.data.clock_wrong_since
      const told = () =>
        db.sql`select kind, data->>'seconds' as seconds from events
        where station_id = ${one.id} and kind like 'station.clock%' order by id`
      expect(await since()).toBeNull()
      for (let time = 0; time < 2; time++) expect((await borrow(one, bankId)).status).toBe(400)
      expect(await since()).toEqual(expect.any(String))
      expect(await told()).toEqual([{ kind: 'station.clock_wrong', seconds: expect.stringMatching(/^[0-9.]+$/) }])
      one.box.toggle('clock-off')
      expect((await borrow(one, bankId)).status).toBe(200)
      expect(await since()).toBeNull()
      expect((await told()).map(({ kind }) => kind)).toEqual(['station.clock_wrong', 'station.clock_right'])
    },
  )

  test.skipIf(missing)('firmware that does not look at the clock lends', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const late = { unixSeconds: () => Date.now() / 1000 + 3600 }
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], faults: ['ignores-ttl'], ...late })
    expect((await borrow(one, bankId)).status).toBe(200)
  })

  test.skipIf(missing)('a wrong check byte is no reason not to lend', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], faults: ['bad-checksum'] })
    expect((await borrow(one, bankId)).status).toBe(200)
  })

  test.skipIf(missing)('a cabinet that names another bank is believed: the loan is of that one', async () => {
    const { ports } = await open(where)
    const bankId = newBank(dialect)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], faults: ['wrong-id'] })
    expect((await borrow(one, bankId)).status).toBe(200)
    expect(await order(await orderOf(one.id))).toMatchObject({
      status: 'borrow',
      evidence: 'eject answer; another bank left the slot',
    })
  })

  test.skipIf(missing)('old firmware lends and takes back: all banks known, a board for a hole', async () => {
    const { ports } = await open(where)
    const bankIds = Array.from({ length: 7 }, () => newBank(dialect))
    const one = await station(ports, { orgUnitId: group, dialect, bankIds, firmware: 'old', returnFrameBytes: 13 })
    const known = await db.sql`select 1 from station_powerbanks where station_id = ${one.id}`
    expect(known).toHaveLength(7)
    const lent = await borrow(one, bankIds[6]!)
    expect(lent).toMatchObject({ status: 200, body: { slot_number: 7 } })
    const other = await station(ports, { orgUnitId: group, dialect, firmware: 'old', returnFrameBytes: 14 })
    other.box.insert(bankIds[6]!, 8)
    await becomes(lent.body.order_id, 'return')
  })
})
