import type { Answer } from '../../devices/command-results.ts'
import type { CommandRow, Ended } from '../../devices/commands.ts'
import type { CommandStatus } from '../../devices/words.ts'
import type { orders, powerbanks, stations } from '../schema.ts'

/** A power bank in a slot, as a cabinet reports it. Units: percent, millivolts, milliamperes, degrees Celsius. */
export interface SeenBank {
  slot: number
  bankId: string
  levelPercent?: number
  millivolts?: number
  milliamps?: number
  celsius?: number
  sohPercent?: number
  faults?: { bank: boolean; typeC: boolean; lightning: boolean; microUsb: boolean }
  /** Its charge was asked for and not read. */
  isUnread?: true
}

/** All that a cabinet's slots hold: unasked, as an answer, or with its login (TCP-B). */
export interface InventoryReport {
  kind: 'inventory' | 'login'
  /** How many slots it says it has: a hint, for what it lists beyond them exists too. */
  slots?: number
  banks: readonly SeenBank[]
  /** Occupied, by nobody knows which bank. */
  unreadable?: readonly number[]
  /** There, but nothing was said of them. */
  unknown?: readonly number[]
}

/** A cabinet's answer in our words. */
export interface CabinetAnswer extends Answer {
  bankId?: string | null
}

/** A bank was put into a slot. */
export interface ReturnReport {
  kind: 'returned'
  bank: SeenBank
}

/** A slot went wrong. `event`: 0x83's number for what happened. */
export interface AbnormalReport {
  kind: 'abnormal'
  event: number
  slot: number
  bankId: string | null
}

/** A command as it stood when its answer came; `isLate`: its time had run out. */
export type AnsweredCommand = Pick<CommandRow, 'id' | 'slot' | 'args' | 'requestedBy' | 'sentAt'> & { isLate: boolean }

/** A cabinet's answer in our words, joined to the command it answers; null: nothing waited for it. */
export interface AnswerReport {
  kind: 'answer'
  said: CabinetAnswer
  command: AnsweredCommand | null
}

/** A command that ended without an answer; `queued`: it waits to be sent once more. */
export type EndedCommand = Omit<Ended, 'deviceKind'>

/** A cabinet has dialled in, which ended what its older connection had under way. */
export interface ConnectReport {
  kind: 'connected'
  dialect: string
  address: string
  ended: readonly EndedCommand[]
}

/** A cabinet's connection is gone, and with it what it had under way. */
export interface DisconnectReport {
  kind: 'disconnected'
  reason: string
  ended: readonly EndedCommand[]
}

/** What a cabinet says or does that means something for orders, slots or banks, in the words of the protocol. */
export type Report = InventoryReport | ReturnReport | AbnormalReport | AnswerReport | ConnectReport | DisconnectReport

/** A power bank of ours. `deviceId`: its id on the wire. */
export interface KnownBank
  extends Pick<typeof powerbanks.$inferSelect, 'id' | 'status' | 'soh' | 'goodReadings' | 'twinAt'> {
  deviceId: string
}

/** A slot, and the bank that was thought to sit there. */
export interface FilledSlot {
  stationId: number
  slotNumber: number
  powerbankId: number
}

/** An order with what its eject has come to. */
export interface LiveOrder
  extends Pick<
    typeof orders.$inferSelect,
    | 'id'
    | 'status'
    | 'stationId'
    | 'userId'
    | 'powerbankId'
    | 'askedPowerbankId'
    | 'namedPowerbankId'
    | 'slotNumber'
    | 'commandId'
    | 'createdAt'
    | 'borrowedAt'
    | 'absentAt'
    | 'returnHeardAt'
    | 'notTakenAt'
    | 'deletedAt'
  > {
  commandStatus: CommandStatus | null
  commandSentAt: Date | null
}

/** A return that a cabinet told of. */
export interface HeardReturn extends FilledSlot {
  at: Date
}

/** An abnormal report on file. */
export interface FiledReport {
  slot: number
  event: string
  bankId: string | null
  at: Date
}

/**
 * What is known when a report is worked, all of it the database's: no clock but `now` counts. Whatever a kind of report
 * does not ask for is empty.
 */
export interface Snapshot {
  now: Date
  rules: Rules
  station: Pick<typeof stations.$inferSelect, 'id' | 'slotsDeclared' | 'metalSince' | 'unreadLooks' | 'listedBanks'> & {
    connectedAt: Date | null
    /** The highest slot it has listed beyond those it said it has; 0: it never did. */
    slotsBeyond: number
  }
  /** The banks that the report names, by their id on the wire. One that is absent was not let in (`ensure` in bank-ids.ts). */
  banks: ReadonlyMap<string, KnownBank>
  /** What the cabinet was thought to hold, and where else the named banks were thought to be. */
  slots: readonly FilledSlot[]
  /**
   * By rising id: the open orders of the named banks, and those that asked for one and were named another; for a list also those that wait for this cabinet, its loans whose
   * bank nobody has seen leave yet, and the cancelled ones whose bank may yet be taken; for an answer, the order of its
   * command, open or not; for commands that ended, theirs.
   */
  orders: readonly LiveOrder[]
  /** When the cabinet was sent those questions for its slots that the report may answer. */
  askedAt: readonly Date[]
  /** The first and the last return of the named bank into the named slot. */
  returns: readonly HeardReturn[]
  /** The newest abnormal reports of the cabinet. */
  filed: readonly FiledReport[]
  /** For an answer that names another bank than was asked for: it was said before that this bank left this slot. */
  isSaidBefore: boolean
  /** When it was told of late that the cabinet answered what nobody had asked. */
  unmatched: readonly Date[]
}

/** A bank that a cabinet's lists show. Instants in ISO 8601. */
export interface ListedBank {
  /** Since when each list has shown it. */
  since: string
  /** When it was shown last; a version before this one did not write that down. */
  at?: string
  slot: number
  /** Other slots in which one of the same id was listed beside it. */
  others?: readonly number[]
  /** Another cabinet listed one of the same id meanwhile. */
  isTwin?: true
}

/** The banks of a cabinet's lists, by their ids. */
export type ListedBanks = Readonly<Record<string, ListedBank>>

/** What an operator may set (docs/decisions.md "What a cabinet's word proves"). */
export interface Rules {
  /** How long somebody may take to pull out a bank that was unlocked. */
  takingSeconds: number
  /** So many readings without a fault, one after the other, and a bank that was faulty is for rent again. */
  goodReadings: number
  /** A cabinet is looked into at least so often, whatever it says. */
  lookSeconds: number
  /** The same for one that has open orders. */
  lookLentSeconds: number
}

/** The rules unless somebody sets others. */
export const usualRules: Rules = { takingSeconds: 60, goodReadings: 3, lookSeconds: 3_600, lookLentSeconds: 300 }

const MS = 1_000

/** That instant so many seconds earlier. */
export const before = (at: Date, seconds: number) => new Date(at.getTime() - seconds * MS)

/** A question older than this is not answered any more. */
const ASKED_SECONDS = 60

/** A list that nobody asked for may be a picture so old, unless its connection is younger. */
const UNASKED_SECONDS = 7

/**
 * No later than when the cabinet looked at its slots for this list: the first question of this connection that may be the
 * answered one, for after a silence nobody knows which of them it is.
 */
export function askedAt({ now, station: { connectedAt }, askedAt }: Snapshot): Date {
  const oldest = before(now, ASKED_SECONDS)
  const mayBe = askedAt.filter((at) => at > oldest && connectedAt !== null && at >= connectedAt)
  if (mayBe.length > 0) return mayBe.reduce((first, at) => (at < first ? at : first), now)
  const unasked = before(now, UNASKED_SECONDS)
  return connectedAt !== null && connectedAt > unasked ? connectedAt : unasked
}

/** After a login a cabinet needs this long to check its power banks (docs/protocol.md 3, 0x60). */
const SETTLING_SECONDS = 7

/** It was asked for its slots when it might not have looked at all of them yet: what it does not list is not proved absent. */
export const isSettling = (snapshot: Snapshot) => {
  const { connectedAt } = snapshot.station
  return connectedAt !== null && connectedAt > before(askedAt(snapshot), SETTLING_SECONDS)
}

/** A cabinet that was asked before a bank left may still list it; such a sighting closes no fresh loan. */
const FRESH_LOAN_SECONDS = 5

/** The loan began so recently that an older picture of the slots may still show the bank. */
export const isFresh = ({ now }: Snapshot, { borrowedAt }: LiveOrder) =>
  borrowedAt !== null && borrowedAt > before(now, FRESH_LOAN_SECONDS)

export const isOpen = ({ status, deletedAt }: LiveOrder) =>
  (status === 'pending' || status === 'borrow') && deletedAt === null

/** Its eject was sent, and nobody knows what came of it. */
export const isDoubtful = ({ commandStatus }: LiveOrder) => commandStatus === 'unknown' || commandStatus === 'failed'
