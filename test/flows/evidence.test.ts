import { describe, expect, test } from 'vitest'
import { take } from '../../simulators/cabinet/box.ts'
import { labelOf, newBank, town, until, ways } from './town.ts'

// What a cabinet's word proves (docs/decisions.md), over every wire: the same text.

const { call, db, open, station, settled, order, becomes, unit, customer, person } = await town({
  borrowWaitSeconds: 1,
})
const group = await unit('Сеть')
await db.sql`update org_units set default_powerbank_limit = 5 where id = ${group}`
const operator = await person('service_admin')

type Placed = Awaited<ReturnType<typeof station>>

/** Asks for the bank in a station's slot as a customer of the group. */
async function borrow({ id, slotOf }: Placed, bankId: string) {
  const { token, id: userId } = await customer(group)
  const body = { user_id: userId, slot_number: slotOf(bankId) }
  return await call('POST', `/api/borrow/stations/${id}/request`, { token, body })
}

/** The slots are asked for, and what they hold is worked off. */
async function look({ id }: Placed) {
  const listed = await call('POST', '/api/query-inventory', { token: operator.token, body: { station_id: id } })
  expect(listed.status).toBe(200)
}

/** The newest order of a station. */
async function lastOrder({ id }: Placed): Promise<number> {
  const rows = await db.sql<{ id: number }[]>`select id from orders where station_id = ${id} order by id desc limit 1`
  return rows[0]!.id
}

const idOf = async (bankId: string) =>
  (await db.sql<{ id: number }[]>`select id from powerbanks where device_id = ${bankId}`)[0]!.id

const statusOf = async (orderId: number) => (await order(orderId)).status

describe.each(ways)('over $way', ({ dialect, where, missing }) => {
  const banks = (count: number) => Array.from({ length: count }, () => newBank(dialect))
  const place = async (bankIds: string[], ...faults: Parameters<typeof station>[1]['faults'] & object) => {
    const { ports } = await open(where)
    return await station(ports, { orgUnitId: group, dialect, bankIds, faults })
  }

  test.skipIf(missing)(
    'a bank that a slow customer has not pulled out yet is lent, and comes back only when it does',
    async () => {
      const [bankId] = banks(1) as [string]
      const one = await place([bankId], 'not-taken')
      const slot = one.slotOf(bankId)
      const lent = await borrow(one, bankId)
      expect(lent.status).toBe(200)
      await look(one)
      expect(await statusOf(lent.body.order_id)).toBe('borrow')
      take(one.box.box, slot)
      await look(one)
      expect(await statusOf(lent.body.order_id)).toBe('borrow')
      await settled(one.id)
      one.box.insert(bankId, slot === 3 ? 4 : 3)
      await becomes(lent.body.order_id, 'return')
    },
  )

  test.skipIf(missing)('a bank that nobody takes is nobody’s loan, and is again if it is taken after all', async () => {
    const [bankId] = banks(1) as [string]
    const one = await place([bankId], 'not-taken')
    const lent = await borrow(one, bankId)
    await settled(one.id)
    await settled(one.id)
    await look(one)
    expect(await order(lent.body.order_id)).toMatchObject({
      status: 'cancelled',
      evidence: expect.stringContaining('not taken'),
    })
    take(one.box.box, one.slotOf(bankId))
    await look(one)
    expect(await statusOf(lent.body.order_id)).toBe('borrow')
  })

  test.skipIf(missing)('a jammed bank whose chip is not read is no loan', async () => {
    const [bankId] = banks(2) as [string]
    const one = await place([bankId, newBank(dialect)], 'jam-unreadable')
    expect([400, 408]).toContain((await borrow(one, bankId)).status)
    const orderId = await lastOrder(one)
    await settled(one.id)
    for (let time = 0; time < 3; time++) {
      await look(one)
      expect(await statusOf(orderId)).not.toBe('borrow')
    }
    one.box.toggle('jam-unreadable')
    await look(one)
    await becomes(orderId, 'cancelled')
  })

  test.skipIf(missing)('a slot that cannot be read keeps its bank, which is for rent again once it can', async () => {
    const [bankId, other] = banks(2) as [string, string]
    const one = await place([bankId, other], 'unreadable')
    const info = async () =>
      (await call('GET', `/api/borrow/stations/${one.id}/info`, { token: operator.token })).body.station
    for (let time = 0; time < 2; time++) {
      await look(one)
      expect(await info()).toMatchObject({ occupied_ports: 2, free_ports: 6 })
      expect((await borrow(one, bankId)).status).toBe(400)
    }
    one.box.toggle('unreadable')
    await look(one)
    expect((await borrow(one, bankId)).status).toBe(200)
  })

  test.skipIf(missing)('the loan is of the bank that left, whichever was asked for', async () => {
    const [asked, other] = banks(2) as [string, string]
    const one = await place([asked, other], 'wrong-bank')
    await borrow(one, asked)
    const orderId = await lastOrder(one)
    await settled(one.id)
    await look(one)
    await becomes(orderId, 'borrow')
    expect((await order(orderId)).powerbankId).toBe(await idOf(other))
    one.box.toggle('wrong-bank')
    expect((await borrow(one, asked)).status).toBe(200)
  })

  test.skipIf(missing)('a twin that another cabinet has listed all the time ends no loan, and is told of', async () => {
    const [bankId] = banks(1) as [string]
    const { ports } = await open(where)
    const other = await station(ports, {
      orgUnitId: group,
      dialect,
      bankIds: banks(1),
      faults: [`twin=${labelOf(bankId)}`],
    })
    await look(other)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId] })
    await look(one)
    const lent = await borrow(one, bankId)
    expect(lent.status).toBe(200)
    await look(other)
    expect(await statusOf(lent.body.order_id)).toBe('borrow')
    const twins = await db.sql`
      select data->'stationIds' as stations from events
      where kind = 'powerbank.twins' and station_id = any(${[one.id, other.id]})`
    expect(twins.map(({ stations }) => stations.toSorted())).toContainEqual([one.id, other.id].toSorted())
  })

  test.skipIf(missing)('a return said again ends no later loan, and the next true return does', async () => {
    const [bankId] = banks(1) as [string]
    const one = await place([bankId])
    const slot = one.slotOf(bankId)
    const first = await borrow(one, bankId)
    await settled(one.id)
    await look(one)
    const since = one.box.journal.now
    one.box.insert(bankId, slot)
    const said = await one.box.journal.next((entry) => entry.event === 'said' && entry.report.kind === 'returned', {
      since,
    })
    await becomes(first.body.order_id, 'return')
    const second = await borrow(one, bankId)
    expect(second.status).toBe(200)
    await look(one)
    if (said.event === 'said') one.box.send(said.frame)
    for (let time = 0; time < 2; time++) await look(one)
    expect(await statusOf(second.body.order_id)).toBe('borrow')
    one.box.insert(bankId, slot)
    await becomes(second.body.order_id, 'return')
  })

  test.skipIf(missing)('an eject that is obeyed late all the same is a loan', async () => {
    const [bankId] = banks(1) as [string]
    const one = await place([bankId], 'obey-late=1500ms')
    expect((await borrow(one, bankId)).status).toBe(408)
    const orderId = await lastOrder(one)
    await becomes(orderId, 'borrow')
    expect(one.box.box.banks.size).toBe(0)
  })

  test.skipIf(missing)('a return that cannot be read is looked at, and the list ends the loan', async () => {
    const [bankId] = banks(1) as [string]
    const { ports } = await open(where)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId] })
    const lent = await borrow(one, bankId)
    await settled(one.id)
    const other = await station(ports, { orgUnitId: group, dialect, faults: ['odd-return'] })
    other.box.insert(bankId, 2)
    await becomes(lent.body.order_id, 'return')
    const { evidence } = await order(lent.body.order_id)
    expect(evidence).not.toContain('return frame')
  })
})

describe.each(ways.filter(({ dialect }) => dialect === 'mqtt'))('over $way', ({ dialect, where, missing }) => {
  test.skipIf(missing)('a board that answers nothing proves nothing, and the others are believed', async () => {
    const { ports } = await open(where)
    const bankIds = Array.from({ length: 6 }, () => newBank(dialect))
    const one = await station(ports, { orgUnitId: group, dialect, bankIds, holesPerBoard: 4, faults: ['mute'] })
    for (const bankId of [bankIds[0]!, bankIds[5]!]) expect((await borrow(one, bankId)).status).toBe(408)
    const rows = await db.sql<{ id: number }[]>`select id from orders where station_id = ${one.id} order by id`
    const [onDead, onOther] = rows.map(({ id }) => id) as [number, number]
    one.box.toggle('mute')
    one.box.toggle('dead-board')
    await settled(one.id)
    await db.sql`update device_commands set deadline = now() where device_id = ${one.id} and status = 'sent'`
    await until(async () => {
      await look(one)
      return (await statusOf(onOther)) === 'borrow'
    })
    expect(await statusOf(onDead)).toBe('pending')
    one.box.toggle('dead-board')
    await look(one)
    await becomes(onDead, 'borrow')
  })
})
