import { describe, expect, test } from 'vitest'
import { newBank, town, ways } from './town.ts'

const { call, db, open, station, settled, order, becomes, unit, customer } = await town()
const group = await unit('Сеть')
await db.sql`update org_units set default_powerbank_limit = 5 where id = ${group}`

describe.each(ways)('over $way', ({ dialect, where, missing }) => {
  test.skipIf(missing)(
    'an eject that nobody answered stays pending until an inventory shows that the bank went out',
    async () => {
      const { ports } = await open(where)
      const bankId = newBank(dialect)
      const {
        id: stationId,
        box,
        slotOf,
      } = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], faults: ['mute'] })
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
      await db.sql`update device_commands set deadline = now() where device_id = ${stationId} and status = 'sent'`
      await becomes(open_!.id, 'borrow')
      expect(await order(open_!.id)).toMatchObject({ evidence: 'inventory: the slot no longer lists the bank' })
      const ejects = box.journal.entries.filter((entry) => entry.event === 'heard' && entry.words.kind === 'eject')
      expect(ejects).toHaveLength(1)
    },
  )

  test.skipIf(missing)(
    'an eject that was refused is cancelled only when the inventory still lists the bank',
    async () => {
      const { ports } = await open(where)
      const bankId = newBank(dialect)
      const { id: stationId, slotOf } = await station(ports, {
        orgUnitId: group,
        dialect,
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
    },
  )

  test.skipIf(missing)(
    'a cabinet that hangs up with the bank already out is believed by what it holds when it comes back',
    async () => {
      const { ports } = await open(where)
      const bankId = newBank(dialect)
      const {
        id: stationId,
        box,
        slotOf,
      } = await station(ports, {
        orgUnitId: group,
        dialect,
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
      await db.sql`update device_commands set deadline = now() where device_id = ${stationId} and status = 'sent'`
      await db.sql`update stations set inventory_due_at = now() where id = ${stationId}`
      await becomes(only!.id, 'borrow')
    },
  )
})

test('a cabinet that names another bank than it let out has the order follow what left', async () => {
  const { ports } = await open()
  const bankId = newBank()
  const { id: stationId, slotOf } = await station(ports, {
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
