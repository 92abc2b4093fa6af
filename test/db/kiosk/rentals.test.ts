import { expect, test } from 'vitest'
import * as rentals from '../../../db/kiosk/rentals.ts'
import { returned } from '../../../db/powerbank/cabinet-reports.ts'
import * as overdueLoans from '../../../db/powerbank/overdue.ts'
import { testDb } from '../../postgres.ts'
import { exceptions, purchase, reversal, transactions } from '../paygo/till.ts'
import { act, bank, says as cabinetSays, lists, orderOf, seen, travel } from '../world.ts'
import {
  ago,
  begun,
  booked,
  DEPOSIT,
  deposit,
  HOUR,
  LOST,
  newCard,
  price,
  prices,
  rentalsOf,
  says,
  stand,
  work,
} from './stand.ts'

const { db } = await testDb()

type Stand = Awaited<ReturnType<typeof stand>>

/** The customer has the bank. */
async function rented(place: Stand, stan?: string, message = deposit(stan ?? '000001')) {
  const rental = await begun(db, place, stan, message)
  await cabinetSays(db, place.station, 1, place.bank.bankId)
  await work(db)
  return rental
}

/** The bank is back in its cabinet, in another slot. */
async function brought({ station, bank }: Stand, slot = 5) {
  await act(db, (tx) => returned(tx, station, seen(slot, bank)))
  await work(db)
}

test('a rental costs what its tariff says, and the rest of the deposit is let go', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'rented', orderId }])
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: DEPOSIT })
  await ago(db, orderId, 90)
  await brought(place)
  expect(await rentalsOf(db, place.till)).toMatchObject([
    { state: 'ended', outcome: 'returned', owedMinor: 2 * HOUR, reason: null },
  ])
  expect(await booked(db, place.till)).toEqual({ taken: 2 * HOUR, held: 0 })
  expect(await work(db)).toBe(0)
})

test('within the free minutes nothing is taken', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  await ago(db, orderId, 4)
  await brought(place)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'ended', outcome: 'returned', owedMinor: 0 }])
  expect(await transactions(db, place.till)).toMatchObject([{ status: 'cancelled', bookedMinor: 0 }])
})

test('what was rented before a price is changed costs what it did', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  await price(db, place.unitId, { periodMinor: 9 * HOUR, freeMinutes: 0 })
  await ago(db, orderId, 30)
  await brought(place)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ outcome: 'returned', owedMinor: HOUR }])
})

test('a deposit is let go where the cabinet is away, and where it refuses', async () => {
  const away = await stand(db, { node: null })
  await db.sql`update device_sessions set seen_at = now() - interval '1 hour' where device_id = ${away.station}`
  await says(db, away.till, deposit('000001'))
  await work(db)
  expect(await rentalsOf(db, away.till)).toMatchObject([
    { state: 'ended', outcome: 'not_lent', reason: 'device_offline', orderId: null },
  ])
  expect(await booked(db, away.till)).toEqual({ taken: 0, held: 0 })

  const jammed = await stand(db)
  const { orderId } = await begun(db, jammed)
  await cabinetSays(db, jammed.station, 1, jammed.bank.bankId, { ok: false })
  await work(db)
  // A refusal decides together with the slots, and then it must have stayed.
  for (const seconds of [10, 61]) {
    expect(await booked(db, jammed.till)).toEqual({ taken: 0, held: DEPOSIT })
    await travel(db, seconds)
    await lists(db, jammed.station, [seen(1, jammed.bank)])
    expect((await orderOf(db, orderId)).status).toBe('cancelled')
    if (seconds === 10) await work(db)
  }
  await work(db)
  expect(await rentalsOf(db, jammed.till)).toMatchObject([{ state: 'ended', outcome: 'not_lent', owedMinor: 0 }])
  expect(await booked(db, jammed.till)).toEqual({ taken: 0, held: 0 })
})

test('a deposit for a bank that is not taken is held until nobody can take it any more', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  await travel(db, 61)
  await lists(db, place.station, [seen(1, place.bank)])
  expect((await orderOf(db, orderId)).status).toBe('cancelled')
  await work(db)
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: DEPOSIT })
  await travel(db, 61)
  await lists(db, place.station, [seen(1, place.bank)])
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'ended', outcome: 'not_lent' }])
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: 0 })
})

test('who takes the bank at the last moment has rented it', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  await travel(db, 61)
  await lists(db, place.station, [seen(1, place.bank)])
  await travel(db, 10)
  await lists(db, place.station, [])
  expect((await orderOf(db, orderId)).status).toBe('borrow')
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'rented' }])
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: DEPOSIT })
})

test('a lost bank costs its price, and what is too much comes back with it, once', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  await ago(db, orderId, 49 * 60)
  const [lost] = (await overdueLoans.lost(db.sql)).filter(({ id }) => id === orderId)
  await act(db, (tx) => overdueLoans.writeOff(tx, lost!))
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'ended', outcome: 'lost', owedMinor: LOST }])
  expect(await booked(db, place.till)).toEqual({ taken: LOST, held: 0 })
  expect(await rentals.reopen(db)).toBe(0)

  await brought(place)
  expect(await Promise.all([rentals.reopen(db), rentals.reopen(db)])).toContain(1)
  await work(db)
  // Two days and an hour that has begun.
  const due = 2 * prices.dayMinor + HOUR
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'ended', outcome: 'recovered', owedMinor: due }])
  expect(await booked(db, place.till)).toEqual({ taken: due, held: 0 })
  expect(await rentals.reopen(db)).toBe(0)
  expect(await transactions(db, place.till)).toMatchObject([{ amountMinor: LOST, refundedMinor: LOST - due }])
})

test('of two deposits for one bank one rents, and the other is let go', async () => {
  const place = await stand(db)
  await Promise.all([says(db, place.till, deposit('000001')), says(db, place.till, deposit('000002'))])
  await Promise.all([work(db), work(db)])
  await work(db)
  const all = await rentalsOf(db, place.till)
  expect(all.map(({ state, reason }) => `${state} ${reason}`).sort()).toEqual(['ended no_power_bank', 'lending null'])
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: DEPOSIT })
})

test('a deposit said twice, or at once, is one rental', async () => {
  const place = await stand(db, { banks: 2, limit: 5 })
  const message = deposit('000001')
  const heard = await Promise.all([says(db, place.till, message), says(db, place.till, message)])
  await work(db)
  await says(db, place.till, message)
  await work(db)
  expect(new Set(heard.map(({ messageId }) => messageId)).size).toBe(1)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'lending' }])
})

test('a step that many take at once is taken once', async () => {
  const place = await stand(db, { banks: 3, limit: 5 })
  await says(db, place.till, deposit('000001'))
  const { id } = (await rentalsOf(db, place.till))[0]!
  await Promise.all(Array.from({ length: 8 }, () => rentals.goOn(db, id)))
  const orders = await db.sql`select 1 from orders where station_id = ${place.station}`
  expect(orders).toHaveLength(1)
})

test('a deposit that does not cover the price, or where none is set, is declined before the acquirer hears of it', async () => {
  const place = await stand(db)
  expect((await says(db, place.till, deposit('000001', DEPOSIT - 1))).answer).toMatchObject({ code: '13' })
  expect((await says(db, place.till, deposit('000002', DEPOSIT + 100))).answer).toBe(null)
  await db.sql`update kiosk_tariffs set valid_from = now() + interval '1 day' where org_unit_id = ${place.unitId}`
  expect((await says(db, place.till, deposit('000003'))).answer).toMatchObject({ code: '58' })
  expect(await rentalsOf(db, place.till)).toHaveLength(1)
  expect(await transactions(db, place.till)).toHaveLength(1)
})

test('where the cabinet lends nothing any more no deposit is held', async () => {
  const { station, till } = await stand(db)
  const changes = [db.sql`status = 'inactive'`, db.sql`status = 'active', deleted_at = now()`]
  for (const [n, change] of changes.entries()) {
    await db.sql`update stations set ${change} where id = ${station}`
    expect((await says(db, till, deposit(`00000${n}`))).answer).toMatchObject({ code: '58' })
  }
  expect(await transactions(db, till)).toEqual([])
})

test('a purchase at a kiosk is a purchase, and a deposit at another terminal is that terminal’s', async () => {
  const place = await stand(db)
  await says(db, place.till, purchase('000001'))
  await db.sql`delete from kiosks where terminal_id = ${place.till}`
  await says(db, place.till, deposit('000002', 1_000))
  expect(await rentalsOf(db, place.till)).toEqual([])
  expect(await transactions(db, place.till)).toMatchObject([{ status: 'completed' }, { status: 'authorised' }])
})

test('a card that is declined lends nothing', async () => {
  const place = await stand(db)
  await says(db, place.till, deposit('000001', DEPOSIT + 51))
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'ended', outcome: 'declined', orderId: null }])
})

test('a card rents as one guest, within the limit of the unit, and a blocked one not at all', async () => {
  const place = await stand(db, { banks: 3, limit: 1 })
  const card = newCard()
  await says(db, place.till, deposit('000001', DEPOSIT, card))
  await work(db)
  await says(db, place.till, deposit('000002', DEPOSIT, card))
  await work(db)
  const [first, second] = await rentalsOf(db, place.till)
  expect([first, second]).toMatchObject([{ state: 'lending' }, { outcome: 'not_lent', reason: 'limit_reached' }])
  const guests = await db.sql<{ id: number; fullName: string; passwordHash: null }[]>`
    select u.id, u.full_name, u.password_hash from users u join kiosk_guests g on g.user_id = u.id
    where g.card_fingerprint = ${card.fingerprint}`
  expect(guests).toMatchObject([{ fullName: 'Гость •• 4242', passwordHash: null }])
  await db.sql`update users set status = 'blocked' where id = ${guests[0]!.id}`
  await says(db, place.till, deposit('000003', DEPOSIT, card))
  await work(db)
  expect((await rentalsOf(db, place.till)).at(-1)).toMatchObject({ outcome: 'not_lent', reason: 'not_found' })
})

test('nothing is let out for a customer who has gone', async () => {
  const place = await stand(db)
  await says(db, place.till, deposit('000001'))
  await db.sql`update kiosk_rentals set created_at = now() - interval '61 seconds' where station_id = ${place.station}`
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ outcome: 'not_lent', orderId: null }])
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: 0 })
})

test('a bank whose deposit its terminal has taken back is for people', async () => {
  const place = await stand(db)
  await rented(place)
  await says(db, place.till, reversal('000009', { mti: '0100', stan: '000001' }, DEPOSIT))
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ state: 'ended', outcome: 'unsecured' }])
  expect(await exceptions(db, place.till)).toEqual(['a bank is out, and its deposit is not held'])
})

test('a bank that goes out after all, when its deposit was let go, is for people', async () => {
  const place = await stand(db)
  const { orderId } = await begun(db, place)
  await db.sql`update orders set status = 'cancelled', completed_at = now() where id = ${orderId}`
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ outcome: 'not_lent' }])
  await db.sql`update orders set status = 'borrow', completed_at = null, borrowed_at = now() where id = ${orderId}`
  expect(await rentals.reopen(db)).toBe(1)
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ outcome: 'unsecured' }])
  expect(await exceptions(db, place.till)).toHaveLength(1)
  expect(await rentals.reopen(db)).toBe(0)
})

test('an order that people delete costs nothing', async () => {
  const place = await stand(db)
  const { orderId } = await rented(place)
  await ago(db, orderId, 600)
  await db.sql`update orders set deleted_at = now() where id = ${orderId}`
  await work(db)
  expect(await rentalsOf(db, place.till)).toMatchObject([{ outcome: 'waived', owedMinor: 0 }])
  expect(await booked(db, place.till)).toEqual({ taken: 0, held: 0 })
})

test('the terminal shows which slot to take the bank from', async () => {
  const place = await stand(db)
  await bank(db)
  await rented(place)
  const [told] = await db.sql<{ kind: string; args: { data: object } }[]>`
    select kind, args from device_commands where device_id = ${place.till}`
  expect(told).toMatchObject({ kind: 'payment', args: { data: { message: 'Возьмите аккумулятор из ячейки 1' } } })
})
