import { afterAll, expect, test } from 'vitest'
import { startKiosk } from '../../api/tasks/kiosk.ts'
import * as kiosks from '../../db/kiosk/kiosks.ts'
import { simulatedAcquirer } from '../../db/paygo/simulated-acquirer.ts'
import { card } from '../../simulators/terminal/cards.ts'
import type { Terminal } from '../../simulators/terminal/simulated-terminal.ts'
import { booked, DEPOSIT, HOUR, price, rentalsOf, root } from '../db/kiosk/stand.ts'
import { newTerminal, terminalGateway } from '../gateway/terminal/terminal-stage.ts'
import { counter } from './shop.ts'
import { newBank, town, until } from './town.ts'

const { db, open, station, settled, order, unit, lines, stage } = await town()
const group = await unit('Сеть')
await price(db, group)
const acquirer = simulatedAcquirer(db)
const work = await startKiosk({ db, log: stage.log, acquirer })
afterAll(() => work.close())

/** A terminal beside a cabinet with banks, and another cabinet to bring them to. */
async function kiosk(bankIds: string[], { faults = [] as Parameters<typeof station>[1]['faults'] } = {}) {
  const gateway = await open((db) => terminalGateway(db))
  const place = await station(gateway.ports, { orgUnitId: group, bankIds, ...(faults && { faults }) })
  const other = await station(gateway.ports, { orgUnitId: group })
  const registered = await newTerminal(db)
  await db.transaction((tx) => kiosks.create(tx, root, { terminalId: registered.id, stationId: place.id }))
  const till = counter(gateway, registered)
  await till.signedOn
  return { gateway, place, other, till, id: registered.id }
}

const visa = card('visa', 'nfc')
/** Waits until its customer has read this. */
const shown = (till: Terminal, text: string) =>
  till.journal.next((entry) => entry.event === 'did' && entry.act === 'shown' && entry.text?.includes(text) === true, {
    since: 0,
  })

/** Waits for what became of the last rental of a terminal. */
const ended = async (id: number) => {
  await until(async () => (await rentalsOf(db, id)).at(-1)?.state === 'ended')
  return (await rentalsOf(db, id)).at(-1)!
}

test('a deposit lets a bank out, and its return takes what is due of it', async () => {
  const bankId = newBank()
  const { place, other, till, id } = await kiosk([bankId])
  till.authorise({ amountMinor: DEPOSIT, card: visa })
  await place.box.journal.next((entry) => entry.event === 'did' && entry.act === 'ejected', { since: 0 })
  await until(async () => (await rentalsOf(db, id))[0]?.state === 'rented')
  expect(await booked(db, id)).toEqual({ taken: 0, held: DEPOSIT })
  await shown(till, 'Возьмите аккумулятор из ячейки 1')
  const { orderId } = (await rentalsOf(db, id))[0]!
  await settled(place.id)
  await db.sql`update orders set borrowed_at = borrowed_at - interval '100 minutes' where id = ${orderId}`

  other.box.insert(bankId)
  expect(await ended(id)).toMatchObject({ outcome: 'returned', owedMinor: 2 * HOUR })
  expect(await order(orderId!)).toMatchObject({ status: 'return' })
  expect(await booked(db, id)).toEqual({ taken: 2 * HOUR, held: 0 })
})

test('where nothing can be let out the deposit is let go, and the terminal says so', async () => {
  const { place, till, id } = await kiosk([])
  till.authorise({ amountMinor: DEPOSIT, card: visa })
  expect(await ended(id)).toMatchObject({ outcome: 'not_lent', reason: 'no_power_bank' })
  await place.box.close()
  await until(
    async () => (await db.sql`select 1 from device_sessions where device_id = ${place.id} and node is null`).length > 0,
  )
  await db.sql`update device_sessions set disconnected_at = now() - interval '1 hour' where device_id = ${place.id}`
  till.authorise({ amountMinor: DEPOSIT, card: visa })
  await until(async () => (await rentalsOf(db, id)).length === 2)
  expect(await ended(id)).toMatchObject({ outcome: 'not_lent', reason: 'device_offline' })
  expect(await booked(db, id)).toEqual({ taken: 0, held: 0 })
  await shown(till, 'Аккумулятор не выдан, залог возвращается')
})

test('nothing went wrong that nobody expected', () => {
  expect(lines.filter(({ event }) => event === 'rental.failed')).toEqual([])
})
