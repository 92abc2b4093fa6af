import { orgUnits, users } from '../identity/schema.ts'
import { terminals, transactions } from '../paygo/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import { bigint, check, index, integer, pgTable, sql, text, unique, uniqueIndex } from '../postgres/drizzle.ts'
import { orders, stations } from '../powerbank/schema.ts'
import { rentalOutcomes, rentalStates, settlements } from './words.ts'

/** Kopecks. */
const minor = () => bigint({ mode: 'number' })

/** What a rental costs in a unit, from an instant on. A row is never changed: the next one takes its place. */
export const kioskTariffs = pgTable(
  'kiosk_tariffs',
  {
    id: id(),
    orgUnitId: ref()
      .notNull()
      .references(() => orgUnits.id),
    validFrom: createdAt(),
    freeMinutes: integer().notNull(),
    periodMinutes: integer().notNull(),
    periodMinor: minor().notNull(),
    /** The most that a day of 24 hours costs. */
    dayMinor: minor().notNull(),
    /** What is held, and the most that is ever taken. */
    depositMinor: minor().notNull(),
    /** The price of a bank that does not come back. */
    lostMinor: minor().notNull(),
    createdBy: ref(),
    createdAt: createdAt(),
  },
  (t) => [
    unique('kiosk_tariffs_once').on(t.orgUnitId, t.validFrom),
    check('kiosk_tariffs_times', sql`${t.freeMinutes} >= 0 and ${t.periodMinutes} between 1 and 1440`),
    check(
      'kiosk_tariffs_prices',
      sql`${t.periodMinor} >= 0 and ${t.dayMinor} >= 0 and ${t.depositMinor} > 0 and ${t.lostMinor} between 0 and ${t.depositMinor}`,
    ),
  ],
)

/** Which cabinet a payment terminal stands beside. Without a row its deposits are nobody's business but its own. */
export const kiosks = pgTable(
  'kiosks',
  {
    id: id(),
    terminalId: ref()
      .notNull()
      .references(() => terminals.id),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    createdAt: createdAt(),
  },
  (t) => [unique('kiosks_terminal').on(t.terminalId), index('kiosks_station').on(t.stationId)],
)

/** Who rents with a card: somebody of whom nothing else is known. */
export const kioskGuests = pgTable('kiosk_guests', {
  id: id(),
  cardFingerprint: text().notNull().unique(),
  userId: ref()
    .notNull()
    .references(() => users.id),
  createdAt: createdAt(),
})

/** A rental that a deposit at a kiosk began. */
export const kioskRentals = pgTable(
  'kiosk_rentals',
  {
    id: id(),
    transactionId: ref()
      .notNull()
      .unique()
      .references(() => transactions.id),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    /** The one of the beginning, whatever is set later. */
    tariffId: ref()
      .notNull()
      .references(() => kioskTariffs.id),
    orderId: ref().references(() => orders.id),
    state: text({ enum: rentalStates }).notNull().default('authorising'),
    outcome: text({ enum: rentalOutcomes }),
    /** Why nothing was lent, where it was refused. */
    reason: text(),
    /** What is due as it is known; null: not known yet. */
    owedMinor: minor(),
    /** What the acquirer was told for that; null: nothing yet. */
    told: text({ enum: settlements }),
    /** When a bank that was written off was seen in a cabinet. */
    recoveredAt: at(),
    /** Whoever goes on with it has until then. */
    dueAt: createdAt(),
    createdAt: createdAt(),
    endedAt: at(),
  },
  (t) => [
    uniqueIndex('kiosk_rentals_order').on(t.orderId).where(sql`${t.orderId} is not null`),
    index('kiosk_rentals_station').on(t.stationId, t.id),
    index('kiosk_rentals_open').on(t.dueAt, t.id).where(sql`${t.endedAt} is null`),
    index('kiosk_rentals_doubtful').on(t.endedAt).where(sql`${t.outcome} in ('lost', 'not_lent')`),
    check('kiosk_rentals_state', oneOf(t.state, rentalStates)),
    check('kiosk_rentals_outcome', sql`${t.outcome} is null or ${oneOf(t.outcome, rentalOutcomes)}`),
    check('kiosk_rentals_told', sql`${t.told} is null or ${oneOf(t.told, settlements)}`),
    check('kiosk_rentals_ended', sql`(${t.endedAt} is not null) = (${t.state} = 'ended')`),
  ],
)
