import { sql } from 'drizzle-orm'
import { boolean, check, customType, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref } from '../postgres/columns.ts'
import { deviceCommands, powerbanks, stations } from './devices.ts'
import { users } from './identity.ts'

/** A loan from the request to the return. */
export const orders = pgTable(
  'orders',
  {
    id: id(),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    userId: ref()
      .notNull()
      .references(() => users.id),
    powerbankId: ref().references(() => powerbanks.id),
    slotNumber: integer(),
    status: text().notNull(),
    /** Why this bank, where the house chose it (`choice.Reason`). */
    selection: jsonb().$type<Record<string, any>>(),
    commandId: ref().references(() => deviceCommands.id),
    returnStationId: ref().references(() => stations.id),
    returnSlot: integer(),
    /** Which evidence settled the present status, in words: `eject answer`, `inventory`, `return frame` … */
    evidence: text(),
    isAdminOrder: boolean().notNull().default(false),
    /** When the return screen was opened (`POST /api/return-powerbank`). */
    returnRequestedAt: at(),
    remindedAt: at(),
    /** When the loyalty programme looked at this finished rental: once, while its rule is on. */
    pointsAt: at(),
    createdAt: createdAt(),
    borrowedAt: at(),
    completedAt: at(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('orders_one_open_per_bank')
      .on(t.powerbankId)
      .where(sql`${t.status} in ('pending', 'borrow') and ${t.deletedAt} is null`),
    index('orders_open_by_user').on(t.userId).where(sql`${t.status} in ('pending', 'borrow')`),
    index('orders_open_by_station').on(t.stationId).where(sql`${t.status} in ('pending', 'borrow')`),
    index('orders_listed').on(t.id).where(sql`${t.deletedAt} is null and ${t.status} <> 'cancelled'`),
    // With the status at the end: pages are found and counted without the rows (order-list.ts).
    index('orders_user').on(t.userId, t.id, t.status).where(sql`${t.deletedAt} is null`),
    index('orders_station').on(t.stationId, t.id, t.status).where(sql`${t.deletedAt} is null`),
    index('orders_powerbank').on(t.powerbankId, t.id),
    index('orders_status').on(t.status, t.id).where(sql`${t.deletedAt} is null`),
    index('orders_command').on(t.commandId),
    index('orders_loans')
      .on(sql`coalesce(${t.borrowedAt}, ${t.createdAt})`)
      .where(sql`${t.status} = 'borrow' and ${t.deletedAt} is null`),
    index('orders_points_due')
      .on(t.completedAt)
      .where(sql`${t.status} = 'return' and ${t.pointsAt} is null and ${t.deletedAt} is null`),
    check('orders_status_known', sql`${t.status} in ('pending', 'borrow', 'return', 'force_eject', 'cancelled')`),
    check(
      'orders_completed',
      sql`(${t.completedAt} is not null) = (${t.status} in ('return', 'force_eject', 'cancelled'))`,
    ),
  ],
)

/** A user's complaint about a bank (seed 003, `/powerbank-error-report`). */
export const powerbankErrorReports = pgTable(
  'powerbank_error_reports',
  {
    id: id(),
    orderId: ref().references(() => orders.id),
    powerbankId: ref()
      .notNull()
      .references(() => powerbanks.id),
    stationId: ref().references(() => stations.id),
    userId: ref()
      .notNull()
      .references(() => users.id),
    errorType: text().notNull(),
    additionalNotes: text(),
    createdAt: createdAt(),
  },
  (t) => [index('powerbank_error_reports_bank').on(t.powerbankId, t.id)],
)

/** PostgreSQL's transaction id, 64 bits wide. */
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' })

/**
 * What happened, written in the transaction that made it true (HOUSE 8). `xid` lets a reader stop before
 * transactions still under way, so that an id committed late is never skipped.
 */
export const events = pgTable(
  'events',
  {
    id: id(),
    xid: xid8().notNull().default(sql`pg_current_xact_id()`),
    kind: text().notNull(),
    stationId: ref(),
    userId: ref(),
    orderId: ref(),
    data: jsonb().$type<Record<string, any>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (t) => [
    index('events_tail').on(t.xid, t.id),
    index('events_station').on(t.stationId, t.id),
    index('events_user').on(t.userId, t.xid, t.id).where(sql`${t.userId} is not null`),
  ],
)
