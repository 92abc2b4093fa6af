import type { Change } from '../../../db/powerbank/decide/changes.ts'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import { ended } from '../../../db/powerbank/decide/ended.ts'
import { mayMove } from '../../../db/powerbank/decide/order-states.ts'
import {
  type CabinetAnswer,
  type EndedCommand,
  type FilledSlot,
  isOpen,
  type Report,
} from '../../../db/powerbank/decide/snapshot.ts'
import {
  AWAITED,
  assert,
  type Command,
  later,
  live,
  next,
  openOrders,
  type State,
  snapshotOf,
  unseen,
} from './decide-rows.ts'

// What happens to those rows: reports are worked, commands go their way, time passes.

const COMMAND_SECONDS = 15

function move(state: State, change: Extract<Change, { kind: 'order' }>): void {
  const order = state.orders.get(change.id)
  assert(order && mayMove(order.status, change.to), `order ${change.id} may not go ${order?.status} -> ${change.to}`)
  const { to: status, evidence, powerbankId, slotNumber, isNotTaken } = change
  const borrowedAt = status === 'borrow' || status === 'return' ? (order.borrowedAt ?? state.now) : order.borrowedAt
  state.orders.set(order.id, {
    ...order,
    status,
    evidence,
    borrowedAt,
    notTakenAt: isNotTaken ? state.now : null,
    slotNumber: slotNumber === undefined ? order.slotNumber : slotNumber,
    powerbankId: powerbankId ?? order.powerbankId,
    askedPowerbankId:
      powerbankId === undefined || powerbankId === order.powerbankId
        ? order.askedPowerbankId
        : powerbankId === order.askedPowerbankId
          ? null
          : (order.askedPowerbankId ?? order.powerbankId),
  })
  const open = openOrders(state).filter((other) => other.powerbankId === state.orders.get(order.id)!.powerbankId)
  assert(!isOpen(live(state, state.orders.get(order.id)!)) || open.length === 1, `bank lent twice: order ${order.id}`)
}

function put(state: State, { stationId, powerbankId, bank }: Extract<Change, { kind: 'put' }>): void {
  const there = state.slots.get(powerbankId)
  const row = { stationId, slotNumber: bank.slot, powerbankId }
  assert(
    !there || (there.stationId === stationId && there.slotNumber === bank.slot),
    `bank ${powerbankId} put from one place to another without being taken out`,
  )
  const isTaken = [...state.slots.values()].some(
    (other) => other.stationId === stationId && other.slotNumber === bank.slot && other.powerbankId !== powerbankId,
  )
  assert(!isTaken, `slot ${bank.slot} of cabinet ${stationId} holds two banks`)
  state.slots.set(powerbankId, row)
}

/** Asks a cabinet what it holds, unless that question waits already. */
export function ask(state: State, stationId: number): void {
  const waits = [...state.commands.values()].some(
    ({ deviceId, kind, status }) => deviceId === stationId && kind === 'inventory' && status === 'queued',
  )
  if (!waits) enqueue(state, { deviceId: stationId, kind: 'inventory', slot: null })
}

function look(state: State, stationId: number, withinSeconds: number): void {
  const [at, due] = [later(state.now, withinSeconds), state.lookDueAt.get(stationId)]
  state.lookDueAt.set(stationId, due && due < at ? due : at)
}

function heard(state: State, { name, stationId, data }: Extract<Change, { kind: 'event' }>): void {
  const { powerbankId, slot } = data as { powerbankId: number; slot: number }
  if (name === 'powerbank.returned') state.returns.push({ stationId, slotNumber: slot, powerbankId, at: state.now })
  if (name === 'answer.unmatched')
    state.unmatched.set(stationId, [...(state.unmatched.get(stationId) ?? []), state.now])
}

/** What each kind of change does to the rows. A kind without a line here does not compile. */
const writers: { [K in Change['kind']]: (state: State, change: Extract<Change, { kind: K }>) => unknown } = {
  order: move,
  withdraw: (state, { commandId, orderId, evidence }) => {
    const command = state.commands.get(commandId)!
    if (command.status !== 'queued') return
    command.status = 'expired'
    if (orderId !== null) move(state, { kind: 'order', id: orderId, to: 'cancelled', evidence })
  },
  absent: (state, { orderId }) => void (state.orders.get(orderId)!.absentAt = state.now),
  heard: (state, { orderId }) => void (state.orders.get(orderId)!.returnHeardAt = state.now),
  stayed: (state, { orderId }) => void (state.orders.get(orderId)!.notTakenAt = null),
  named: (state, { orderId, powerbankId }) =>
    Object.assign(state.orders.get(orderId)!, { namedPowerbankId: powerbankId }),
  renamed: (state, { orderId, powerbankId, slotNumber, evidence }) =>
    Object.assign(state.orders.get(orderId)!, {
      powerbankId,
      slotNumber,
      evidence,
      askedPowerbankId: null,
      absentAt: state.now,
    }),
  letOut: () => {},
  unread: () => {},
  wake: (state, { orderId }) => assert(state.orders.has(orderId), `order ${orderId} is woken and is not there`),
  forced: (state, { stationId, userId, powerbankId, slot, commandId }) => {
    const id = next(state)
    const row = {
      id,
      stationId,
      userId,
      powerbankId,
      askedPowerbankId: null,
      namedPowerbankId: null,
      slotNumber: slot,
      commandId,
      createdAt: state.now,
    }
    const closed = {
      status: 'force_eject',
      evidence: 'force eject answer',
      borrowedAt: null,
      ...unseen,
      deletedAt: null,
    } as const
    state.orders.set(id, { ...row, ...closed })
  },
  vacate: (state, { powerbankId }) => state.slots.delete(powerbankId),
  put,
  bank: (state, { powerbankId, sohPercent, status, goodReadings, isTwin }) => {
    const bank = [...state.banks.values()].find(({ id }) => id === powerbankId)!
    bank.soh = sohPercent ?? bank.soh
    bank.status = status ?? bank.status
    bank.goodReadings = goodReadings ?? bank.goodReadings
    if (isTwin) bank.twinAt = state.now
  },
  file: (state, { stationId, slot, event, bankId }) =>
    state.filed.set(stationId, [
      { slot, event: String(event), bankId, at: state.now },
      ...(state.filed.get(stationId) ?? []),
    ]),
  event: heard,
  state: () => {},
  iccid: () => {},
  heartbeat: () => {},
  listed: ({ lookDueAt, now, stations }, { stationId, slots, banks, unreadable }) => {
    if ((lookDueAt.get(stationId) ?? now) <= now) lookDueAt.delete(stationId)
    const station = stations.get(stationId)!
    const unreadLooks = unreadable.length > 0 ? station.unreadLooks + 1 : 0
    stations.set(stationId, { ...station, slotsDeclared: slots, listedBanks: banks, unreadLooks })
  },
  look: (state, { stationId, withinSeconds }) => look(state, stationId, withinSeconds),
  ask: (state, { stationId }) => ask(state, stationId),
}

/**
 * Makes changes true.
 * @throws BrokenConstraintError: a table would not have taken them
 */
export function apply(state: State, changes: readonly Change[]): void {
  // The line is of the change's own kind, which is only known at run time.
  for (const change of changes) (writers[change.kind] as (state: State, change: Change) => unknown)(state, change)
}

/** A report comes and is worked. */
export function report(state: State, stationId: number, said: Report, answeredId?: number): void {
  apply(state, decide(snapshotOf(state, stationId, said, answeredId), said))
}

export function enqueue(
  state: State,
  about: Pick<Command, 'deviceId' | 'kind' | 'slot'> & { requestedBy?: number },
): number {
  const id = next(state)
  const isMovement = about.kind !== 'inventory'
  const fixed = { id, isMovement, status: 'queued', args: {}, sentAt: null, createdAt: state.now } as const
  state.commands.set(id, { requestedBy: null, ...about, ...fixed })
  return id
}

/** Somebody asks for a bank of a slot. */
export function borrow(state: State, { stationId, slotNumber, powerbankId }: FilledSlot): void {
  if (openOrders(state).some((order) => order.powerbankId === powerbankId)) return
  const commandId = enqueue(state, { deviceId: stationId, kind: 'eject', slot: slotNumber })
  const id = next(state)
  const row = {
    id,
    stationId,
    userId: 1,
    powerbankId,
    askedPowerbankId: null,
    namedPowerbankId: null,
    slotNumber,
    commandId,
    createdAt: state.now,
  }
  state.orders.set(id, { ...row, status: 'pending', evidence: null, borrowedAt: null, ...unseen, deletedAt: null })
}

/** The cabinet is sent the oldest command that waits, unless one like it is under way. */
export function send(state: State, stationId: number): Command | undefined {
  const all = [...state.commands.values()].filter(({ deviceId }) => deviceId === stationId)
  const isUnderWay = (one: Command) =>
    all.some(({ status, kind, isMovement }) => status === 'sent' && (one.isMovement ? isMovement : kind === one.kind))
  const command = all.find((one) => one.status === 'queued' && !isUnderWay(one))
  if (command) Object.assign(command, { status: 'sent', sentAt: command.sentAt ?? state.now })
  return command
}

/** The cabinet answers; the answer finds its command as `answered` in db/devices/command-results.ts has it. */
export function answer(state: State, stationId: number, said: CabinetAnswer): number | undefined {
  const [last] = [...state.commands.values()]
    .filter(
      ({ deviceId, kind, slot, sentAt, isMovement }) =>
        deviceId === stationId && kind === said.kind && sentAt !== null && (!isMovement || slot === said.slot),
    )
    .sort((a, b) => Number(b.status === 'sent') - Number(a.status === 'sent') || b.id - a.id)
  const found = last && AWAITED.has(last.status) ? last : undefined
  const command = found ? { ...found, isLate: found.status === 'unknown' } : null
  if (found) found.status = said.ok === false ? 'failed' : 'answered'
  report(state, stationId, { kind: 'answer', said, command })
  return found?.id
}

function end(over: Command[], status: (command: Command) => Command['status']): EndedCommand[] {
  for (const command of over) command.status = status(command)
  return over
}

/** The cabinet dials in again: what was under way is over. */
export function dialAgain(state: State, stationId: number): void {
  const sent = [...state.commands.values()].filter(
    ({ deviceId, status }) => deviceId === stationId && status === 'sent',
  )
  state.stations.set(stationId, { ...state.stations.get(stationId)!, connectedAt: state.now })
  report(state, stationId, {
    kind: 'connected',
    dialect: 'B',
    address: '::1',
    ended: end(sent, () => 'unknown'),
  })
}

/** Time passes: what is overdue ends, and cabinets whose look is due are asked. */
export function wait(state: State, seconds: number): void {
  state.now = later(state.now, seconds)
  const overdue = [...state.commands.values()].filter(
    ({ status, sentAt, createdAt }) =>
      (status === 'queued' || status === 'sent') && (sentAt ?? createdAt) <= later(state.now, -COMMAND_SECONDS),
  )
  const over = end(overdue, ({ sentAt }) => (sentAt ? 'unknown' : 'expired'))
  const orders = [...state.orders.values()].map((order) => live(state, order))
  apply(state, ended(orders, over))
  for (const [stationId, due] of state.lookDueAt)
    if (due < state.now) {
      state.lookDueAt.delete(stationId)
      ask(state, stationId)
    }
}
