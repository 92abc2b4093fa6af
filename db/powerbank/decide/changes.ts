import type { OrderStatus } from '../words.ts'
import { mayMove } from './order-states.ts'
import type { LiveOrder, SeenBank } from './snapshot.ts'

/** After a movement the cabinet checks itself for some seconds; only then is a look worth something (docs/protocol.md 5.4). */
export const SETTLE_SECONDS = 6

/** How an order goes on. */
export interface Move {
  to: OrderStatus
  /** Which evidence settled it, in words; kept on the row. */
  evidence: string
  powerbankId?: number | null
  returnStationId?: number | null
  returnSlot?: number | null
}

/**
 * One thing that becomes true. Changes of one kind are written together, and the kinds in the order below, which is that
 * of their locks where it matters; of the first two kinds each is written after the one before it.
 */
export type Change =
  /** An order moves; its event is told and whoever waits is woken. */
  | ({ kind: 'order'; id: number } & Move)
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
  /** A bank's own row: its state of health in percent, if not null, and whether it is `system_error` from now on. */
  | { kind: 'bank'; powerbankId: number; sohPercent: number | null; isBroken: boolean }
  /** An abnormal report is filed, and told with the number it is filed under. */
  | { kind: 'file'; stationId: number; slot: number; event: number; bankId: string | null }
  | { kind: 'event'; name: string; stationId: number; userId?: number; orderId?: number; data: Record<string, unknown> }
  /** What the cabinet has said of itself: kept over what it said of the same before. */
  | { kind: 'state'; stationId: number; state: Record<string, unknown> }
  /** The SIM it says it has: that it is another card than before is told (`learn` in sims.ts). */
  | { kind: 'iccid'; stationId: number; iccid: string }
  /** The pace of its heartbeats; `atLeast`: unless a slower one is expected. */
  | { kind: 'heartbeat'; stationId: number; seconds: number; atLeast: boolean }
  /** The slots were listed whole: the looks that are due are done. `slots`: how many there are, if not null. */
  | { kind: 'listed'; stationId: number; slots: number | null }
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
