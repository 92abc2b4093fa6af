import { transactions } from '../paygo/schema.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { stations } from '../powerbank/schema.ts'
import { administered, looksAfter } from '../powerbank/scope.ts'
import { type ReadBy, tableOf } from '../table.ts'
import { Refused } from './refused.ts'
import { kioskRentals } from './schema.ts'

const table = tableOf(kioskRentals, {
  deletes: 'hard',
  scope: { by: 'orgUnitId', seen: looksAfter, changed: administered },
  joins: [
    [stations, eq(stations.id, kioskRentals.stationId)],
    [transactions, eq(transactions.id, kioskRentals.transactionId)],
  ],
  beside: {
    stationBoxId: sql<string>`${stations.boxId}`,
    /** The station's unit, for scope. */
    orgUnitId: sql<number | null>`${stations.orgUnitId}`,
    terminalId: sql<number>`${transactions.terminalId}`,
    cardMasked: sql<string | null>`${transactions.cardMasked}`,
    depositMinor: sql<number>`${transactions.saidMinor}`,
    /** What is left of what was taken. */
    takenMinor: sql<number>`case when ${transactions.status} in ('completed', 'refunded')
      then ${transactions.amountMinor} - ${transactions.refundedMinor} else 0 end`,
  },
  newestFirst: true,
  unknown: () => new Refused('not_found', '', { reason: 'rental_unknown' }),
})
/** Rentals at the stations that the actor looks after, the newest first. */
export const { get, list } = table
/** A rental as people see it. */
export type KioskRental = ReadBy<typeof table>
