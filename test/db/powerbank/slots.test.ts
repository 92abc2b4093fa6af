import { expect, test } from 'vitest'
import { abnormal, inventory, returned } from '../../../db/powerbank/cabinet-reports.ts'
import type { SeenBank } from '../../../db/powerbank/decide/snapshot.ts'
import { testDb } from '../../postgres.ts'
import { act, asked, bank, cabinet, happened, lists, says, scene, seen, travel } from '../world.ts'

const { db } = await testDb()

const comesBack = (station: number, what: SeenBank) => act(db, (tx) => returned(tx, station, what))
const holds = async (station: number) =>
  (
    await db.sql<{ slotNumber: number; powerbankId: number }[]>`
    select slot_number, powerbank_id from station_powerbanks where station_id = ${station} order by 1`
  ).map((row) => [row.slotNumber, row.powerbankId])
const slotOf = async (bankId: number) =>
  (await db.sql`select * from station_powerbanks where powerbank_id = ${bankId}`)[0]
/** A bank that has been on loan for a minute. */
async function loaned(options = {}) {
  const it = await scene(db, options)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await travel(db, 60)
  return { ...it, orderId }
}
test('the level of a bank just put in is not believed until it can have been read', async () => {
  const it = await loaned()
  await comesBack(it.station, { ...seen(2, it.bank, 0), millivolts: 2010 })
  expect(await slotOf(it.bank.id)).toMatchObject({ level: null, voltage: null })
  await lists(db, it.station, [{ ...seen(2, it.bank, 35), millivolts: 3700 }])
  expect(await slotOf(it.bank.id)).toMatchObject({ level: 35, voltage: 3700 })
  await comesBack(it.station, { ...seen(2, it.bank, 0), millivolts: 2010 })
  expect(await slotOf(it.bank.id)).toMatchObject({ level: 35, voltage: 3700 })
})

test('a bank nobody registered is registered once, even by two cabinets at once', async () => {
  const unitId = (await scene(db)).unitId
  const [one, two] = [await cabinet(db, { unitId }), await cabinet(db, { unitId })]
  const strangers = Array.from({ length: 8 }, (_, n) => ({ bankId: `4443484AEEEEEE${n}0` }))
  await Promise.all([
    lists(
      db,
      one,
      strangers.map((stranger, n) => seen(n + 1, stranger)),
    ),
    lists(
      db,
      two,
      strangers.toReversed().map((stranger, n) => seen(n + 1, stranger)),
    ),
  ])
  const rows = await db.sql`select status, org_unit_id from powerbanks where device_id like '4443484AEEEEEE%'`
  expect(rows.length).toBe(8)
  expect(rows[0]).toEqual({ status: 'unknown', orgUnitId: unitId })
  expect((await holds(one)).length + (await holds(two)).length).toBe(8)
})

test('a bank that a person typed in before is the same bank', async () => {
  const { station } = await scene(db)
  const [typed] = await db.sql<{ id: number }[]>`
    insert into powerbanks (serial_number, status) values ('4443484AEEEEDD01', 'active') returning id`
  await lists(db, station, [seen(1, { bankId: '4443484AEEEEDD01' })])
  expect(await holds(station)).toEqual([[1, typed!.id]])
})

test('banks change slots and cabinets and are in one place each', async () => {
  const it = await scene(db, { banks: 3 })
  const [a, b, c] = it.banks as [typeof it.bank, typeof it.bank, typeof it.bank]
  await lists(db, it.station, [seen(1, b), seen(2, c), seen(3, a)])
  expect(await holds(it.station)).toEqual([
    [1, b.id],
    [2, c.id],
    [3, a.id],
  ])
  const other = await cabinet(db)
  await lists(db, other, [seen(1, a), seen(2, b)])
  expect(await holds(other)).toEqual([
    [1, a.id],
    [2, b.id],
  ])
  expect(await holds(it.station)).toEqual([[2, c.id]])
})

test('two cabinets that swap their banks do not wait for each other in a circle', async () => {
  const [one, two] = [await scene(db, { banks: 8 }), await scene(db, { banks: 8 })]
  for (let round = 0; round < 10; round++) {
    const [mine, theirs] = round % 2 ? [one, two] : [two, one]
    await Promise.all([
      lists(
        db,
        one.station,
        mine.banks.map((bank, n) => seen(n + 1, bank)),
      ),
      lists(
        db,
        two.station,
        theirs.banks.toReversed().map((bank, n) => seen(n + 1, bank)),
      ),
    ])
  }
  expect((await holds(one.station)).length + (await holds(two.station)).length).toBe(16)
})

test('a slot or a bank listed twice counts where it was listed first', async () => {
  const it = await scene(db)
  const other = await bank(db)
  await lists(db, it.station, [seen(1, it.bank), seen(1, other), seen(2, it.bank), seen(0, other)])
  expect(await holds(it.station)).toEqual([[1, it.bank.id]])
  expect((await happened(db, it.station, 'inventory.inconsistent')).length).toBe(1)
})

test('a bank that is gone without an order loses its slot, keeps its status, and is told', async () => {
  const it = await scene(db)
  await lists(db, it.station, [])
  expect(await holds(it.station)).toEqual([])
  expect((await db.sql`select status from powerbanks where id = ${it.bank.id}`)[0]!.status).toBe('active')
  expect(await happened(db, it.station, 'powerbank.missing')).toMatchObject([
    { data: { powerbankId: it.bank.id, slot: 1 } },
  ])
})

test('health and faults are written back, and nonsense is not', async () => {
  const it = await scene(db, { banks: 2 })
  const faults = { bank: true, typeC: true, lightning: false, microUsb: false }
  await lists(db, it.station, [
    { ...seen(1, it.bank), sohPercent: 255, faults, celsius: -5, milliamps: 12 },
    { ...seen(2, it.banks[1]!), sohPercent: 87 },
  ])
  const rows =
    await db.sql`select soh, status from powerbanks where id = any(${it.banks.map(({ id }) => id)}) order by id`
  expect([...rows]).toEqual([
    { soh: 100, status: 'system_error' },
    { soh: 87, status: 'active' },
  ])
  expect(await slotOf(it.bank.id)).toMatchObject({
    powerbankError: true,
    errorTypec: true,
    errorLightning: false,
    temperature: -5,
    current: 12,
  })
})

test('a cabinet says how many slots it has', async () => {
  const it = await scene(db, { slots: 8 })
  await act(db, async (tx) => {
    await inventory(tx, it.station, { slots: 12, banks: [] }, 'inventory')
  })
  expect((await db.sql`select slots_declared from stations where id = ${it.station}`)[0]!.slotsDeclared).toBe(12)
})

test('an abnormal report is filed once a minute, and the slots are asked', async () => {
  const it = await scene(db)
  const tell = (slot = 1, bankId: string | null = it.bank.bankId) =>
    act(db, (tx) => abnormal(tx, it.station, { event: 1, slot, bankId }))
  await Promise.all([tell(), tell(), tell()])
  const filed = () =>
    db.sql`select slot_number, terminal_id, event_type from slot_abnormal_reports where station_id = ${it.station}`
  expect([...(await filed())]).toEqual([{ slotNumber: 1, terminalId: it.bank.bankId, eventType: '1' }])
  expect(
    (await db.sql`select 1 from device_commands where device_id = ${it.station} and kind = 'inventory'`).length,
  ).toBe(1)
  await tell(2, null)
  await tell(2, null)
  expect((await filed()).length).toBe(2)
  await travel(db, 61)
  await tell()
  expect((await filed()).length).toBe(3)
})

test('an abnormal report is filed even when the cabinet has a full queue', async () => {
  const it = await scene(db)
  await db.sql`
    insert into device_commands (device_id, kind, deadline) select ${it.station}, 'volume', now() + interval '15 seconds' from generate_series(1, 32)`
  await act(db, (tx) => abnormal(tx, it.station, { event: 2, slot: 1, bankId: null }))
  expect((await happened(db, it.station, 'slot.abnormal')).length).toBe(1)
})
