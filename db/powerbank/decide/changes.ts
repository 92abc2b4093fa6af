import type { OrderStatus } from '../words.ts'
import { mayMove } from './order-states.ts'
import type { ListedBanks, LiveOrder, Rules, SeenBank, Snapshot } from './snapshot.ts'

/** After a movement the cabinet checks itself for some seconds; only then is a look worth something (docs/protocol.md 5.4). */
export const SETTLE_SECONDS = 6

/** How an order goes on. */
export interface Move {
  to: OrderStatus
  /** Which evidence settled it, in words; kept on the row. */
  evidence: string
  powerbankId?: number | null
  /** Where its bank left from, where that is another slot than was asked for; null: nobody knows. */
  slotNumber?: number | null
  returnStationId?: number | null
  returnSlot?: number | null
  /** It ends because its bank stayed; one that leaves before it is seen again after the time for taking it is its own. */
  isNotTaken?: boolean
}

/**
 * One thing that becomes true. Changes of one kind are written together, and the kinds in the order below, which is that
 * of their locks where it matters; of the first two kinds each is written after the one before it.
 */
export type Change =
  /** An order moves; its event is told and whoever waits is woken. */
  | ({ kind: 'order'; id: number } & Move)
  /** A list has shown the slot empty that the order's bank left. */
  | { kind: 'absent'; orderId: number }
  /** An answer that may be an old one named this bank: the order's, if the next list is without it. */
  | { kind: 'named'; orderId: number; powerbankId: number }
  /** An order's cabinet named another bank than the one that left: that one is the order's. */
  | { kind: 'renamed'; orderId: number; powerbankId: number; slotNumber: number; evidence: string }
  /** The bank of an order that was cancelled has stayed for good: it is that order's no more. */
  | { kind: 'stayed'; orderId: number }
  /** A return of the order's bank was heard that decides only together with a look. */
  | { kind: 'heard'; orderId: number }
  /** A command is taken back, if its bytes have not left; only then `orderId`, if any, is cancelled with it. */
  | { kind: 'withdraw'; commandId: number; evidence: string; orderId: number | null }
  /** Whoever waits for an order is to look at it again: what came of its eject is in doubt. */
  | { kind: 'wake'; orderId: number }
  /** An administrator had a slot opened: a closed order says so, and is told. */
  | {
      kind: 'forced'
      stationId: number
      userId: number
      powerbankId: number | null
      slot: number | null
      commandId: number
    }
  /** A bank is in no slot any more. */
  | { kind: 'vacate'; powerbankId: number }
  /** A bank is in this slot. What `bank` does not say stays as it was. */
  | { kind: 'put'; stationId: number; powerbankId: number; bank: SeenBank }
  /** A bank's own row; null: that stays as it is. `isTwin`: two cabinets list it. */
  | {
      kind: 'bank'
      powerbankId: number
      sohPercent: number | null
      status: 'system_error' | 'active' | null
      goodReadings: number | null
      isTwin: boolean
    }
  /** A cabinet has let a bank out: if its lists show that again, it is news. */
  | { kind: 'letOut'; stationId: number; bankId: string }
  /** A bank stays where it was thought to be, but cannot be read there: it is not for rent. */
  | { kind: 'unread'; powerbankId: number }
  /** An abnormal report is filed, and told with the number it is filed under. */
  | { kind: 'file'; stationId: number; slot: number; event: number; bankId: string | null }
  | { kind: 'event'; name: string; stationId: number; userId?: number; orderId?: number; data: Record<string, unknown> }
  /** What the cabinet has said of itself: kept over what it said of the same before. */
  | { kind: 'state'; stationId: number; state: Record<string, unknown> }
  /** The SIM it says it has: that it is another card than before is told (`learn` in sims.ts). */
  | { kind: 'iccid'; stationId: number; iccid: string }
  /** The pace of its heartbeats; `atLeast`: unless a slower one is expected. */
  | { kind: 'heartbeat'; stationId: number; seconds: number; atLeast: boolean }
  /**
   * The slots were listed whole: the looks that are due are done, and the next is due as `rules` say. `slots`: how many
   * there are; `banks`: what the lists have shown.
   */
  | {
      kind: 'listed'
      stationId: number
      slots: number
      banks: ListedBanks
      unreadable: readonly number[]
      rules: Pick<Rules, 'lookSeconds' | 'lookLentSeconds'>
    }
  /** The cabinet is looked into in so many seconds; a look that is due sooner stays due. */
  | { kind: 'look'; stationId: number; withinSeconds: number }
  /** The cabinet is asked at once what it holds. */
  | { kind: 'ask'; stationId: number }

/** A change of one kind. */
export type ChangeOf<K extends Change['kind']> = Extract<Change, { kind: K }>

/** An order moves, if it may go that way. */
export const moved = ({ id, status, deletedAt }: LiveOrder, move: Move): Change[] =>
  deletedAt === null && mayMove(status, move.to) ? [{ kind: 'order', id, ...move }] : []

/** The bank is elsewhere, or gone, and its eject has not left the house: there is nothing to wait for. */
export const calledOff = ({ id, commandId, commandStatus }: LiveOrder, evidence: string): Change[] =>
  commandId !== null && commandStatus === 'queued' ? [{ kind: 'withdraw', commandId, evidence, orderId: id }] : []

/** Something was seen of an order's bank that moves nothing yet: told, so that whoever asks why can read it. */
export const noted = (
  { station }: Snapshot,
  { id, userId, powerbankId }: LiveOrder,
  name: string,
  more: object = {},
): Change => ({
  kind: 'event',
  name,
  stationId: station.id,
  userId,
  orderId: id,
  data: { powerbankId, ...more },
})
