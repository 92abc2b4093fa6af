import { hear } from '../../../db/kiosk/hear.ts'
import * as kiosks from '../../../db/kiosk/kiosks.ts'
import * as rentals from '../../../db/kiosk/rentals.ts'
import type { KioskTariff, NewTariff } from '../../../db/kiosk/tariffs.ts'
import * as tariffs from '../../../db/kiosk/tariffs.ts'
import { settle } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import type { TerminalMessage } from '../../../db/paygo/terminal-messages.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { returned } from '../../../db/powerbank/cabinet-reports.ts'
import { hold, money, terminal } from '../paygo/till.ts'
import { act, actor, bank, cabinet, says as cabinetSays, next, seen, send, type TestBank, unit } from '../world.ts'

/** Kopecks. */
export const DEPOSIT = 200_000
export const HOUR = 5_000
export const LOST = 150_000

export const prices = {
  ...{ freeMinutes: 5, periodMinutes: 60, periodMinor: HOUR },
  ...{ dayMinor: 30_000, depositMinor: DEPOSIT, lostMinor: LOST },
}

/** Who may do all. */
export const root = actor(1, 'service_admin')

/** What a rental costs in a unit from now on. */
export const price = (db: Db, orgUnitId: number, change: Partial<NewTariff> = {}): Promise<KioskTariff> =>
  act(db, (tx) => tariffs.create(tx, root, { ...prices, orgUnitId, ...change }))

/** A cabinet with banks, and a terminal beside it. */
export async function stand(db: Db, { banks: count = 1, limit = 1, node = 'node-1' as string | null } = {}) {
  const unitId = await unit(db, { limit })
  const station = await cabinet(db, { unitId, node })
  const banks: TestBank[] = []
  for (let slot = 1; slot <= count; slot++) banks.push(await bank(db, { stationId: station, slot }))
  const till = await terminal(db)
  await price(db, unitId)
  await act(db, (tx) => kiosks.create(tx, root, { terminalId: till, stationId: station }))
  return { unitId, station, banks, bank: banks[0]!, till }
}

/** A card that nobody has shown before. */
export const newCard = () => ({ masked: '424242******4242', fingerprint: String(next()).padStart(64, '0') })

/** A deposit with a card of its own, unless told. */
export const deposit = (stan: string, amountMinor = DEPOSIT, card = newCard()): TerminalMessage => ({
  ...hold(stan, amountMinor),
  card: { ...card, expiry: '2912' },
})

/** A terminal says it, and the acquirer answers. */
export async function says(db: Db, till: number, message: TerminalMessage) {
  const heard = await act(db, (tx) => hear(tx, till, message))
  await settle(db, simulatedAcquirer(db), heard.told)
  return heard
}

/** Whoever works rentals takes every step that there is; `taken` hears of each. @returns how many */
export async function work(db: Db, taken = () => {}): Promise<number> {
  let steps = 0
  for (let ids = await rentals.claim(db.sql, 10); ids.length > 0; ids = await rentals.claim(db.sql, 10)) {
    for (const id of ids) {
      const told = await rentals.goOn(db, id)
      taken()
      await settle(db, simulatedAcquirer(db), told)
      taken()
    }
    steps += ids.length
    if (steps > 50) throw new Error('it is never done')
  }
  return steps
}

/** The leases are over. */
export const overdue = (db: Db) => db.sql`update kiosk_rentals set due_at = now() where ended_at is null`

export interface RentalRow {
  id: number
  state: string
  outcome: string | null
  reason: string | null
  owedMinor: number | null
  orderId: number | null
}

/** The rentals of a terminal, the oldest first. */
export const rentalsOf = (db: Db, till: number) => db.sql<RentalRow[]>`
  select r.id, r.state, r.outcome, r.reason, r.owed_minor, r.order_id
  from kiosk_rentals r join transactions t on t.id = r.transaction_id where t.terminal_id = ${till} order by r.id`

/** What its terminal's book has, which the acquirer has, too. */
export async function booked(db: Db, till: number) {
  const { books, acquirer } = await money(db, till)
  if (books.taken !== acquirer.taken || books.held !== acquirer.held)
    throw new Error(`the books have ${JSON.stringify(books)}, the acquirer ${JSON.stringify(acquirer)}`)
  return books
}

/** A deposit whose eject is on its way to the cabinet. */
export async function begun(db: Db, { till }: { till: number }, stan = '000001', message = deposit(stan)) {
  await says(db, till, message)
  await work(db)
  const rental = (await rentalsOf(db, till)).at(-1)!
  const [order] = await db.sql<{ commandId: number }[]>`select command_id from orders where id = ${rental.orderId}`
  await send(db, order!.commandId)
  return { ...rental, orderId: rental.orderId! }
}

/** The loan began so long ago. */
export const ago = (db: Db, orderId: number, minutes: number) => db.sql`
  update orders set created_at = created_at - make_interval(mins => ${minutes}),
    borrowed_at = borrowed_at - make_interval(mins => ${minutes}) where id = ${orderId}`

const SLOTS = 8

/** The cabinet lets out what it is asked for. */
export async function letsOut(db: Db, station: number): Promise<void> {
  const asked = await db.sql<{ commandId: number; slot: number; bankId: string }[]>`
    select o.command_id, o.slot_number as slot, p.device_id as bank_id
    from orders o join powerbanks p on p.id = o.powerbank_id join device_commands c on c.id = o.command_id
    where o.station_id = ${station} and o.status = 'pending' and c.status in ('queued', 'sent') order by o.id`
  for (const { commandId, slot, bankId } of asked) {
    await send(db, commandId).catch(() => {})
    await cabinetSays(db, station, slot, bankId)
  }
}

/** What was rented there is back after an hour and a half, in the next slot. */
export async function bringsBack(db: Db, station: number): Promise<void> {
  const lent = await db.sql<{ id: number; slot: number; bankId: string }[]>`
    select o.id, o.slot_number as slot, p.device_id as bank_id from orders o join powerbanks p on p.id = o.powerbank_id
    where o.station_id = ${station} and o.status = 'borrow' order by o.id`
  for (const { id, slot, bankId } of lent) {
    await ago(db, id, 90)
    await act(db, (tx) => returned(tx, station, seen((slot % SLOTS) + 1, { bankId })))
  }
}
