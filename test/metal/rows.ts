import type { Change } from '../../db/powerbank/decide/changes.ts'
import {
  type AnsweredCommand,
  type EndedCommand,
  isOpen,
  type LiveOrder,
  type Report,
  type Rules,
  type Snapshot,
  usualRules,
} from '../../db/powerbank/decide/snapshot.ts'

// What the house knows of a street, in memory: rows are maps, instants are virtual.

/** An order's row. */
export interface Order extends Omit<LiveOrder, 'commandStatus' | 'commandSentAt'> {
  evidence: string
  /** The bank that was asked for. */
  askedFor: number
  /** People were told that its customer may have its bank. */
  isMissingTold?: boolean
  /** Every turn it took, for whoever reads a failing seed. */
  turns: string[]
}

/** A command's row. */
export interface Command extends EndedCommand, Omit<AnsweredCommand, 'isLate'> {
  status: EndedCommand['status']
  createdAt: Date
  answeredAt: Date | null
}

export type Station = Snapshot['station'] & { isConnected: boolean; lookDueAt: number; unreadable: readonly number[] }

/** What a wrong house would do otherwise: planted, so that the model shows that it would be caught. */
export interface Mistake {
  /** What it is told. */
  report?(report: Report): Report
  /** What it knows. */
  snapshot?(snapshot: Snapshot): Snapshot
  /** What it makes of it. */
  changes?(changes: Change[], snapshot: Snapshot, report: Report): Change[]
  /** An old answer, said again, is taken. */
  takesStale?: true
  /** A cabinet is looked into only when something seems open. */
  looksNever?: true
}

export interface House {
  now: number
  rules: Rules
  mistake: Mistake
  banks: Map<string, Snapshot['banks'] extends ReadonlyMap<string, infer B> ? B : never>
  stations: Map<number, Station>
  slots: Map<number, { stationId: number; slotNumber: number; powerbankId: number }>
  orders: Map<number, Order>
  /** Those of each station that may still matter. */
  commands: Map<number, Command[]>
  /** The first and the last return of each bank into each slot. */
  returns: Map<string, Snapshot['returns']>
  /** What each station has said of each slot: which bank left it. */
  said: Set<string>
  made: number
  /** How often the rules were asked. */
  decisions: number
}

export const MS = 1_000
const START_MS = Date.UTC(2026, 2, 1)
export const MOVEMENT_SECONDS = 15
export const QUERY_SECONDS = 7
export const LATE_SECONDS = 86_400
export const KEPT_COMMANDS = 24
export const AWAITED = new Set(['queued', 'sent', 'unknown'])
export const NEVER = Number.POSITIVE_INFINITY

/** A virtual instant as the rules know instants. */
export const at = (seconds: number) => new Date(START_MS + Math.round(seconds * MS))

/** A house that knows these stations and banks, and nothing of where the banks are. */
export function newHouse(stations: number, slots: number, bankIds: readonly string[], mistake: Mistake): House {
  const house: House = {
    now: 0,
    rules: usualRules,
    mistake,
    banks: new Map(),
    stations: new Map(),
    slots: new Map(),
    orders: new Map(),
    commands: new Map(),
    returns: new Map(),
    said: new Set(),
    made: 0,
    decisions: 0,
  }
  bankIds.forEach((deviceId, n) => {
    house.banks.set(deviceId, { id: n + 1, deviceId, status: 'active', soh: 100, goodReadings: 0, twinAt: null })
  })
  for (let id = 1; id <= stations; id++) {
    const fixed = {
      slotsDeclared: slots,
      metalSince: null,
      unreadLooks: 0,
      listedBanks: {},
      slotsBeyond: 0,
      unreadable: [],
    }
    house.stations.set(id, { id, connectedAt: null, isConnected: false, lookDueAt: NEVER, ...fixed })
    house.commands.set(id, [])
  }
  return house
}

export const commandOf = (house: House, { stationId, commandId }: Pick<Order, 'stationId' | 'commandId'>) =>
  house.commands.get(stationId)!.find(({ id }) => id === commandId)

export function live(house: House, order: Order): LiveOrder {
  const command = commandOf(house, order)
  // A command that is forgotten was answered, or given up, long ago.
  return { ...order, commandStatus: command?.status ?? 'answered', commandSentAt: command?.sentAt ?? order.createdAt }
}

/** Its bank was asked for again since. */
const isAskedAnew = ({ orders }: House, { id, powerbankId }: Order) =>
  [...orders.values()].some((other) => other.id > id && other.powerbankId === powerbankId)

/** What the house knows when this comes. */
export function snapshotOf(house: House, stationId: number, report: Report): Snapshot {
  const commandId = report.kind === 'answer' ? report.command?.id : undefined
  const orders: LiveOrder[] = []
  for (const order of house.orders.values()) {
    const isNear = order.status === 'cancelled' && order.notTakenAt !== null && !isAskedAnew(house, order)
    if (isOpen({ ...order, commandStatus: null, commandSentAt: null }) || order.commandId === commandId || isNear)
      orders.push(live(house, order))
  }
  const own = house.commands.get(stationId)!
  const { isConnected: _, lookDueAt: _due, unreadable: _slots, ...station } = house.stations.get(stationId)!
  const { slot = null, bankId = null } = report.kind === 'answer' ? report.said : {}
  return {
    now: at(house.now),
    rules: house.rules,
    station,
    banks: house.banks,
    slots: [...house.slots.values()],
    orders,
    askedAt: own.flatMap(({ kind, sentAt, status, answeredAt }) =>
      kind === 'inventory' && sentAt && (AWAITED.has(status) || answeredAt?.getTime() === at(house.now).getTime())
        ? [sentAt]
        : [],
    ),
    returns: [...house.returns.values()].flat(),
    filed: [],
    isSaidBefore: house.said.has(`${stationId} ${slot} ${bankId}`),
    unmatched: [],
  }
}
