import { describe, expect, test } from 'vitest'
import { newBank, town, ways } from './town.ts'

const { call, open, station, becomes, unit, customer, person } = await town()
const group = await unit('Сеть')

describe.each(ways)('over $way', ({ dialect, where, missing }) => {
  test.skipIf(missing)(
    'the events of an order show every frame that made it what it is, in hex and in words',
    async () => {
      const { ports } = await open(where)
      const bankId = newBank(dialect)
      const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId] })
      const other = await station(ports, { orgUnitId: group, dialect })
      const { token, id } = await customer(group)
      const { body } = await call('POST', `/api/borrow/stations/${one.id}/request`, {
        token,
        body: { user_id: id, slot_number: one.slotOf(bankId) },
      })
      const since = other.box.journal.now
      other.box.insert(bankId, 3)
      const said = await other.box.journal.next((entry) => entry.event === 'said' && entry.report.kind === 'returned', {
        since,
      })
      await becomes(body.order_id, 'return')
      const staff = await person('service_admin')
      const told = await call('GET', `/api/orders/${body.order_id}/events?limit=100`, { token: staff.token })
      const of = (source: string, kind: string) =>
        told.body.data.find((event: any) => event.source === source && event.kind === kind)
      const spoken = dialect === 'mqtt' ? 'popup_sn' : 'borrow'
      expect(of('sent', 'eject').frame).toMatchObject({ from: 'server', name: spoken })
      expect(of('answered', 'eject').frame).toMatchObject({ from: 'device', hex: expect.stringMatching(/^[0-9A-F]+$/) })
      expect(of('event', 'order.borrowed')).toMatchObject({ evidence: 'eject answer', station_id: one.id })
      expect(of('event', 'order.borrowed').frame.hex).toBe(of('answered', 'eject').frame.hex)
      expect(of('event', 'order.returned')).toMatchObject({ evidence: 'return frame', frame: { name: 'return' } })
      const hex = said.event === 'said' ? said.frame.toString('hex').toUpperCase() : ''
      expect(of('event', 'order.returned').frame.hex).toBe(hex)
    },
  )
})
