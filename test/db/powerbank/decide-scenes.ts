import type { Change, ChangeOf } from '../../../db/powerbank/decide/changes.ts'
import {
  type KnownBank,
  type LiveOrder,
  type SeenBank,
  type Snapshot,
  usualRules,
} from '../../../db/powerbank/decide/snapshot.ts'

// Snapshots for the pure tests: cabinet 1 has been connected for an hour, bank 10 of slot 1 is what the rules are tried on.

export const HERE = 1
export const BESIDE = 2

const NOW = new Date('2026-03-01T12:00:00Z')
/** So many seconds before the snapshot's now. */
export const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000)

/** A bank's id on the wire. */
export const wire = (id: number) => `444348410000${id.toString(16).padStart(4, '0').toUpperCase()}`

export const known = (id: number, about: Partial<KnownBank> = {}): KnownBank => ({
  id,
  deviceId: wire(id),
  status: 'active',
  soh: 100,
  goodReadings: 0,
  twinAt: null,
  ...about,
})

/** A cabinet's words for a bank in a slot. */
export const seen = (slot: number, id = 10, about: Partial<SeenBank> = {}): SeenBank => ({
  slot,
  bankId: wire(id),
  levelPercent: 90,
  ...about,
})

/** Banks by their ids on the wire. */
export const registered = (...banks: KnownBank[]) => new Map(banks.map((bank) => [bank.deviceId, bank]))

/** This cabinet: of eight slots, connected for an hour. */
export const cabinet = (about: Partial<Snapshot['station']> = {}): Snapshot['station'] => ({
  id: HERE,
  connectedAt: ago(3600),
  slotsDeclared: 8,
  metalSince: null,
  unreadLooks: 0,
  listedBanks: {},
  slotsBeyond: 0,
  ...about,
})

/** Banks 10, 11 and 12 are registered, and nothing else is known but what is given. */
export const snapshot = (about: Partial<Snapshot> = {}): Snapshot => ({
  now: NOW,
  rules: usualRules,
  station: cabinet(),
  banks: registered(known(10), known(11), known(12)),
  slots: [],
  orders: [],
  // It was asked for just now.
  askedAt: [NOW],
  returns: [],
  filed: [],
  isSaidBefore: false,
  unmatched: [],
  ...about,
})

const order = (about: Partial<LiveOrder>): LiveOrder => ({
  id: 100,
  status: 'pending',
  stationId: HERE,
  userId: 5,
  powerbankId: 10,
  askedPowerbankId: null,
  namedPowerbankId: null,
  slotNumber: 1,
  createdAt: ago(600),
  borrowedAt: null,
  absentAt: null,
  returnHeardAt: null,
  notTakenAt: null,
  deletedAt: null,
  commandId: 1000,
  commandStatus: 'queued',
  commandSentAt: null,
  ...about,
})

/** Bank 10 went out of slot 1 here, so long ago. */
export const loan = (secondsAgo = 600, about: Partial<LiveOrder> = {}) =>
  order({
    status: 'borrow',
    createdAt: ago(secondsAgo + 1),
    borrowedAt: ago(secondsAgo),
    commandStatus: 'answered',
    commandSentAt: ago(secondsAgo + 1),
    ...about,
  })

/** Bank 10 is asked for, and its eject was sent so long ago, which came to this. Not sent: it waits in the queue. */
export const asked = (
  commandStatus: LiveOrder['commandStatus'],
  sentSecondsAgo: number | null = null,
  about: Partial<LiveOrder> = {},
) =>
  order({
    commandStatus,
    commandSentAt: sentSecondsAgo === null ? null : ago(sentSecondsAgo),
    createdAt: ago((sentSecondsAgo ?? 0) + 1),
    ...about,
  })

/** The changes of one kind. */
export const only = <K extends Change['kind']>(changes: readonly Change[], kind: K) =>
  changes.filter((change): change is ChangeOf<K> => change.kind === kind)

/** What becomes of orders: `[to, evidence]` of each that moves or is called off. */
export const fates = (changes: readonly Change[]) =>
  changes.flatMap((change) => {
    if (change.kind === 'order') return [[change.to, change.evidence]]
    return change.kind === 'withdraw' ? [['called off', change.evidence]] : []
  })

/** The events told, by name. */
export const told = (changes: readonly Change[]) => only(changes, 'event').map(({ name }) => name)

/** In how many seconds the cabinet is looked into first; null: not for this. */
export const lookSeconds = (changes: readonly Change[]) =>
  only(changes, 'look').reduce<number | null>(
    (first, look) => Math.min(first ?? look.withinSeconds, look.withinSeconds),
    null,
  )

/** A bank that was thought to sit there. */
export const slot = (slotNumber: number, powerbankId: number, stationId = HERE) => ({
  stationId,
  slotNumber,
  powerbankId,
})
