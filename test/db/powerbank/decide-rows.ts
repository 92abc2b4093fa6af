import {
  type AnsweredCommand,
  type EndedCommand,
  type FiledReport,
  type FilledSlot,
  type HeardReturn,
  isOpen,
  type KnownBank,
  type LiveOrder,
  type Report,
  type Snapshot,
  usualRules,
} from '../../../db/powerbank/decide/snapshot.ts'

// The house without its database: what the rows hold, in memory, with the constraints that the tables have.

export interface Command extends EndedCommand, Omit<AnsweredCommand, 'isLate'> {
  status: EndedCommand['status']
  createdAt: Date
}

/** An order's row. */
export type OrderRow = Omit<LiveOrder, 'commandStatus' | 'commandSentAt'> & { evidence: string | null }

export interface State {
  now: Date
  banks: Map<string, KnownBank>
  stations: Map<number, Snapshot['station']>
  slots: Map<number, FilledSlot>
  orders: Map<number, OrderRow>
  commands: Map<number, Command>
  lookDueAt: Map<number, Date>
  returns: HeardReturn[]
  filed: Map<number, FiledReport[]>
  unmatched: Map<number, Date[]>
  made: number
}

/** What may not be written was decided. */
export class BrokenConstraintError extends Error {}

export function assert(holds: unknown, what: string): asserts holds {
  if (!holds) throw new BrokenConstraintError(what)
}

export const MS = 1_000
export const unseen = { absentAt: null, returnHeardAt: null, notTakenAt: null }
export const AWAITED = new Set(['queued', 'sent', 'unknown'])

export const later = (at: Date, seconds: number) => new Date(at.getTime() + seconds * MS)
export const next = (state: State) => ++state.made

/** Cabinets from 1 on, connected; banks from 1 on, spread over their slots; ids on the wire `B1`, `B2` … */
export function build({ cabinets, slots, banks }: { cabinets: number; slots: number; banks: number }): State {
  const now = new Date('2026-03-01T12:00:00Z')
  const state: State = {
    now,
    banks: new Map(),
    stations: new Map(),
    slots: new Map(),
    orders: new Map(),
    commands: new Map(),
    lookDueAt: new Map(),
    returns: [],
    filed: new Map(),
    unmatched: new Map(),
    made: 0,
  }
  for (let id = 1; id <= cabinets; id++) {
    const fixed = { slotsDeclared: slots, metalSince: null, unreadLooks: 0, listedBanks: {}, slotsBeyond: 0 }
    state.stations.set(id, { id, connectedAt: later(now, -60), ...fixed })
  }
  for (let id = 1; id <= banks && id <= cabinets * slots; id++) {
    state.banks.set(`B${id}`, { id, deviceId: `B${id}`, status: 'active', soh: 100, goodReadings: 0, twinAt: null })
    const stationId = ((id - 1) % cabinets) + 1
    state.slots.set(id, { stationId, slotNumber: Math.ceil(id / cabinets), powerbankId: id })
  }
  return state
}

export function live({ commands }: State, order: OrderRow): LiveOrder {
  const command = order.commandId === null ? undefined : commands.get(order.commandId)
  return { ...order, commandStatus: command?.status ?? null, commandSentAt: command?.sentAt ?? null }
}

export const openOrders = (state: State) => [...state.orders.values()].map((order) => live(state, order)).filter(isOpen)

/** What the house knows when a report comes; of all that, since nothing is loaded for it. */
export function snapshotOf(state: State, stationId: number, report: Report, answeredId?: number): Snapshot {
  const commandId = report.kind === 'answer' ? report.command?.id : undefined
  const orders = openOrders(state)
  const own = [...state.orders.values()].find((order) => order.commandId === commandId)
  if (own && commandId !== undefined && !orders.some(({ id }) => id === own.id)) orders.push(live(state, own))
  const isQuestion = ({ id, deviceId, kind, status }: Command) =>
    deviceId === stationId && kind === 'inventory' && (AWAITED.has(status) || id === answeredId)
  return {
    now: state.now,
    rules: usualRules,
    station: state.stations.get(stationId)!,
    banks: state.banks,
    slots: [...state.slots.values()],
    orders: orders.toSorted((a, b) => a.id - b.id),
    askedAt: [...state.commands.values()].filter(isQuestion).flatMap(({ sentAt }) => sentAt ?? []),
    returns: state.returns,
    filed: state.filed.get(stationId) ?? [],
    isSaidBefore: false,
    unmatched: state.unmatched.get(stationId) ?? [],
  }
}
