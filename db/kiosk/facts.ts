import type { Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { PRICES } from './current-tariff.ts'
import type { Facts, Hold, Loan } from './decide/decide.ts'
import type { Tariff } from './decide/price.ts'
import type { RentalState, Settlement } from './words.ts'

/** A rental with all that its next step needs. */
export interface AtHand {
  id: number
  state: RentalState
  stationId: number
  terminalId: number
  transactionId: number
  orderId: number | null
  /** Where the bank is, by the order. */
  slot: number | null
  card: { fingerprint: string; masked: string }
  /** The station's. */
  orgUnitId: number | null
  facts: Facts
}

interface Row extends Tariff, Hold, Omit<Loan, 'status' | 'createdAt'> {
  id: number
  state: RentalState
  stationId: number
  terminalId: number
  transactionId: number
  orderId: number | null
  slotNumber: number | null
  cardFingerprint: string
  cardMasked: string
  orgUnitId: number | null
  reason: string | null
  owedMinor: number | null
  told: Settlement | null
  recoveredAt: Date | null
  begunAt: Date
  loanStatus: Loan['status'] | null
  askedAt: Date
  now: Date
}

const holdOf = ({ status, isUnderWay, saidMinor, amountMinor, refundedMinor }: Row): Hold => ({
  ...{ status, isUnderWay, saidMinor, amountMinor, refundedMinor },
})

const loanOf = ({ loanStatus, isDeleted, askedAt, borrowedAt, completedAt, notTakenAt }: Row): Loan | null =>
  loanStatus && { status: loanStatus, createdAt: askedAt, isDeleted, borrowedAt, completedAt, notTakenAt }

/** A rental, held until the transaction ends, before anything that it is about is held. */
export async function atHand(tx: Tx, id: number): Promise<AtHand> {
  await tx`select 1 from kiosk_rentals where id = ${id} for update`
  const [row] = await tx<Row[]>`
    select r.id, r.state, r.station_id, r.transaction_id, r.order_id, r.reason, r.owed_minor, r.told, r.recovered_at,
      r.created_at as begun_at, t.terminal_id, t.card_fingerprint, t.card_masked, t.status, t.act is not null as is_under_way,
      t.said_minor, t.amount_minor, t.refunded_minor, s.org_unit_id, o.slot_number, o.status as loan_status,
      o.deleted_at is not null as is_deleted, o.created_at as asked_at, o.borrowed_at, o.completed_at, o.not_taken_at,
      now() as now, ${columnsOf(tx, 'k', PRICES)}
    from kiosk_rentals r join transactions t on t.id = r.transaction_id join stations s on s.id = r.station_id
      join kiosk_tariffs k on k.id = r.tariff_id left join orders o on o.id = r.order_id
    where r.id = ${id}`
  const { state, stationId, terminalId, transactionId, orderId, orgUnitId, slotNumber: slot, ...of } = row!
  const { begunAt: createdAt, reason, owedMinor, told, recoveredAt, now } = of
  const facts = {
    rental: { createdAt, reason, owedMinor, told, recoveredAt },
    ...{ hold: holdOf(row!), loan: loanOf(row!), tariff: of, now },
  }
  const card = { fingerprint: of.cardFingerprint, masked: of.cardMasked }
  return { id, state, stationId, terminalId, transactionId, orderId, slot, card, orgUnitId, facts }
}
