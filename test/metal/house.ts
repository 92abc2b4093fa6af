import { isMovement, isStale, saidAgain } from '../../db/powerbank/decide/answered.ts'
import type { Change } from '../../db/powerbank/decide/changes.ts'
import { decide } from '../../db/powerbank/decide/decide.ts'
import { ended } from '../../db/powerbank/decide/ended.ts'
import { BANK_MISSING } from '../../db/powerbank/decide/listed-order.ts'
import { RETURN_HEARD } from '../../db/powerbank/decide/returned.ts'
import { type CabinetAnswer, isOpen, type Report } from '../../db/powerbank/decide/snapshot.ts'
import { move } from './order-moves.ts'
import {
  AWAITED,
  at,
  type Command,
  type House,
  KEPT_COMMANDS,
  LATE_SECONDS,
  live,
  MOVEMENT_SECONDS,
  NEVER,
  QUERY_SECONDS,
  snapshotOf,
} from './rows.ts'

// The house in virtual time, as far as cabinets concern it: the rules are the real ones (db/powerbank/decide/), and what
// db/devices and the gateway do by the clock is done here in as few lines as it can be said.

/** Has a cabinet looked into in so many seconds, or sooner. */
export function look({ now, stations }: House, stationId: number, withinSeconds: number): void {
  const station = stations.get(stationId)!
  station.lookDueAt = Math.min(station.lookDueAt, now + withinSeconds)
}

/** Asks a cabinet what it holds, unless that question waits. */
function ask(house: House, stationId: number): void {
  const waits = house.commands.get(stationId)!.some(({ kind, status }) => kind === 'inventory' && status === 'queued')
  if (!waits) enqueue(house, stationId, 'inventory', null)
}

/** What each kind of change does to the rows; those that are not here concern no loan. */
const writers: { [K in Change['kind']]?: (house: House, change: Extract<Change, { kind: K }>) => unknown } = {
  order: move,
  absent: (house, { orderId }) => void (house.orders.get(orderId)!.absentAt = at(house.now)),
  stayed: (house, { orderId }) => void (house.orders.get(orderId)!.notTakenAt = null),
  named: (house, { orderId, powerbankId }) =>
    Object.assign(house.orders.get(orderId)!, { namedPowerbankId: powerbankId }),
  renamed: (house, { orderId, powerbankId, slotNumber, evidence }) => {
    const order = house.orders.get(orderId)!
    order.turns.push(`${house.now.toFixed(1)} renamed: ${evidence}`)
    Object.assign(order, { powerbankId, slotNumber, evidence, askedPowerbankId: null, absentAt: at(house.now) })
  },
  heard: (house, { orderId }) => void (house.orders.get(orderId)!.returnHeardAt = at(house.now)),
  withdraw: (house, { commandId, orderId, evidence }) => {
    const order = orderId === null ? undefined : house.orders.get(orderId)
    const command = [...house.commands.values()].flat().find(({ id }) => id === commandId)
    if (command?.status !== 'queued') return
    command.status = 'expired'
    if (order) move(house, { kind: 'order', id: order.id, to: 'cancelled', evidence })
  },
  vacate: ({ slots }, { powerbankId }) => slots.delete(powerbankId),
  put: ({ slots }, { stationId, powerbankId, bank }) =>
    slots.set(powerbankId, { stationId, slotNumber: bank.slot, powerbankId }),
  bank: ({ banks, now }, { powerbankId, isTwin }) => {
    for (const bank of banks.values()) if (bank.id === powerbankId && isTwin) bank.twinAt = at(now)
  },
  event: ({ returns, now, orders }, { name, stationId, orderId, data }) => {
    if (name === BANK_MISSING) orders.get(orderId!)!.isMissingTold = true
    if (name !== 'powerbank.returned' && name !== RETURN_HEARD) return
    const place = { stationId, slotNumber: Number(data.slot), powerbankId: Number(data.powerbankId) }
    const key = `${stationId} ${place.slotNumber} ${place.powerbankId}`
    const heard = { ...place, at: at(now) }
    returns.set(key, [returns.get(key)?.[0] ?? heard, heard])
  },
  listed: (house, { stationId, slots, banks, unreadable, rules }) => {
    const station = house.stations.get(stationId)!
    const isLent = [...house.orders.values()].some(
      (order) => order.stationId === stationId && isOpen(live(house, order)),
    )
    const again = house.mistake.looksNever ? NEVER : house.now + (isLent ? rules.lookLentSeconds : rules.lookSeconds)
    Object.assign(station, {
      slotsDeclared: slots,
      listedBanks: banks,
      unreadable,
      unreadLooks: unreadable.length > 0 ? station.unreadLooks + 1 : 0,
      lookDueAt: Math.min(station.lookDueAt <= house.now ? NEVER : station.lookDueAt, again),
    })
  },
  letOut: ({ stations }, { stationId, bankId }) => {
    const station = stations.get(stationId)!
    const { [bankId]: entry, ...listedBanks } = station.listedBanks
    if (!entry?.others) station.listedBanks = listedBanks
  },
  look: (house, { stationId, withinSeconds }) => look(house, stationId, withinSeconds),
  ask: (house, { stationId }) => ask(house, stationId),
}

function apply(house: House, changes: readonly Change[]): void {
  // A list clears the looks that were due, not those that it brings: they are written in one statement.
  const isLook = ({ kind }: Change) => kind === 'look'
  // The line is of the change's own kind, which is only known at run time.
  for (const change of [...changes.filter((change) => !isLook(change)), ...changes.filter(isLook)])
    (writers[change.kind] as ((house: House, change: Change) => void) | undefined)?.(house, change)
}

/** A report comes and is worked. */
export function hear(house: House, stationId: number, said: Report): void {
  const { mistake } = house
  const report = mistake.report?.(said) ?? said
  const snapshot = snapshotOf(house, stationId, report)
  const known = mistake.snapshot?.(snapshot) ?? snapshot
  house.decisions += 1
  const changes = decide(known, report)
  apply(house, mistake.changes?.(changes, known, report) ?? changes)
}

function enqueue(
  house: House,
  deviceId: number,
  kind: string,
  slot: number | null,
  args: Command['args'] = {},
): number {
  const id = ++house.made
  const commands = house.commands.get(deviceId)!
  const fixed = { status: 'queued', sentAt: null, createdAt: at(house.now), answeredAt: null } as const
  commands.push({ id, deviceId, kind, slot, args, isMovement: kind !== 'inventory', requestedBy: null, ...fixed })
  if (commands.length > KEPT_COMMANDS) forget(house, deviceId)
  return id
}

/** Drops what no order needs any more, so that a long life stays cheap. */
function forget(house: House, stationId: number): void {
  const old = at(house.now - 600)
  for (const [id, order] of house.orders)
    if (!isOpen(live(house, order)) && order.createdAt < old) house.orders.delete(id)
  const needed = new Set([...house.orders.values()].map(({ commandId }) => commandId))
  const commands = house.commands.get(stationId)!
  const isOver = ({ id, status, createdAt }: Command) =>
    !needed.has(id) && status !== 'queued' && status !== 'sent' && createdAt < old
  house.commands.set(
    stationId,
    commands.filter((command) => !isOver(command)),
  )
}

/**
 * Somebody asks for the bank that the house thinks is in this slot.
 * @returns the order; null: refused, as a station that is away, an empty slot or one nobody can read is
 */
export function borrow(house: House, stationId: number, slotNumber: number): number | null {
  const station = house.stations.get(stationId)!
  const place = [...house.slots.values()].find((at) => at.stationId === stationId && at.slotNumber === slotNumber)
  if (!place || !station.isConnected || station.unreadable.includes(slotNumber)) return null
  const { powerbankId } = place
  for (const order of house.orders.values())
    if (order.powerbankId === powerbankId && isOpen(live(house, order))) return null
  const bankId = [...house.banks.values()].find(({ id }) => id === powerbankId)!.deviceId
  const commandId = enqueue(house, stationId, 'eject', slotNumber, { bankId })
  const id = ++house.made
  const unseen = { borrowedAt: null, absentAt: null, returnHeardAt: null, notTakenAt: null, deletedAt: null }
  const row = { id, stationId, userId: 1, powerbankId, slotNumber, commandId, createdAt: at(house.now), ...unseen }
  house.orders.set(id, {
    ...row,
    askedPowerbankId: null,
    namedPowerbankId: null,
    status: 'pending',
    evidence: '',
    askedFor: powerbankId,
    turns: [`${house.now.toFixed(1)} asked`],
  })
  return id
}

/** The commands that may leave now: of each kind the oldest, unless one of it is under way. */
export function send(house: House, stationId: number): Command[] {
  if (!house.stations.get(stationId)!.isConnected) return []
  const commands = house.commands.get(stationId)!
  return [true, false].flatMap((isMove) => {
    const own = commands.filter(({ isMovement }) => isMovement === isMove)
    if (own.some(({ status }) => status === 'sent')) return []
    const next = own.find(({ status }) => status === 'queued')
    if (!next) return []
    Object.assign(next, { status: 'sent', sentAt: at(house.now) })
    return [next]
  })
}

/** The command that an answer belongs to (`answer` in db/powerbank/answers.ts). */
function awaited(house: House, stationId: number, { kind, slot, bankId, ok }: CabinetAnswer): Command | undefined {
  const oldest = at(house.now - LATE_SECONDS)
  const own = house.commands
    .get(stationId)!
    .filter((one) => one.kind === kind && one.sentAt && one.sentAt > oldest && (!one.isMovement || one.slot === slot))
  const asked = own.filter(({ args }) => bankId && args.bankId === bankId).at(-1)
  // Refused and done: one of the two answers is an old one, and a refusal has no name to be known by.
  const isDone = ok !== false && asked?.status === 'failed' && !house.said.has(`${stationId} ${slot} ${bankId}`)
  if (asked && isDone) return asked
  const found = asked && AWAITED.has(asked.status) ? asked : (own.find(({ status }) => status === 'sent') ?? own.at(-1))
  return found && AWAITED.has(found.status) ? found : undefined
}

/** The cabinet answers. @returns whether the answer was one that something waited for */
export function answered(house: House, stationId: number, said: CabinetAnswer): boolean {
  const found = awaited(house, stationId, said)
  const command = found ? { ...found, isLate: found.status !== 'sent' && found.status !== 'queued' } : null
  const report = { kind: 'answer', said, command } as const
  const isOld = isMovement(said) && !house.mistake.takesStale && isStale(snapshotOf(house, stationId, report), report)
  if (!found || isOld) {
    hear(house, stationId, { ...report, command: null })
    if (command) apply(house, saidAgain(snapshotOf(house, stationId, report), { ...report, command }))
    return false
  }
  found.status = said.ok === false ? 'failed' : 'answered'
  found.answeredAt = at(house.now)
  hear(house, stationId, report)
  if (said.bankId && said.ok !== false) house.said.add(`${stationId} ${said.slot} ${said.bankId}`)
  return true
}

/** Ends what was under way. */
function abandon(commands: readonly Command[]): Command[] {
  const over = commands.filter(({ status }) => status === 'sent')
  for (const command of over) command.status = 'unknown'
  return over
}

/** A cabinet has dialled in. */
export function connected(house: House, stationId: number): void {
  const over = abandon(house.commands.get(stationId)!)
  Object.assign(house.stations.get(stationId)!, { isConnected: true, connectedAt: at(house.now) })
  hear(house, stationId, { kind: 'connected', dialect: 'B', address: '::1', ended: over })
}

/** A connection is gone. */
export function disconnected(house: House, stationId: number): void {
  const over = abandon(house.commands.get(stationId)!)
  house.stations.get(stationId)!.isConnected = false
  hear(house, stationId, { kind: 'disconnected', reason: 'closed', ended: over })
}

/** What it means that commands ended without an answer. */
const settle = (house: House, over: readonly Command[]) =>
  apply(
    house,
    ended(
      [...house.orders.values()].map((order) => live(house, order)),
      over,
    ),
  )

/** The station has another box from now on (`replaced` in db/powerbank/stations.ts). */
export function replaced(house: House, stationId: number): void {
  disconnected(house, stationId)
  const unsent = house.commands.get(stationId)!.filter(({ status, isMovement }) => status === 'queued' && isMovement)
  for (const command of unsent) command.status = 'failed'
  settle(house, unsent)
  for (const [id, place] of house.slots) if (place.stationId === stationId) house.slots.delete(id)
  const fresh = { metalSince: at(house.now), listedBanks: {}, unreadable: [], unreadLooks: 0 }
  Object.assign(house.stations.get(stationId)!, fresh)
}

/** What the clock does. @returns the stations whose movement was not answered in time: their connection is reset */
export function tick(house: House): number[] {
  const late: number[] = []
  for (const [stationId, commands] of house.commands) {
    const over = commands.filter(
      ({ status, isMovement, sentAt, createdAt }) =>
        (status === 'sent' || status === 'queued') &&
        (sentAt ?? createdAt).getTime() <= at(house.now - (isMovement ? MOVEMENT_SECONDS : QUERY_SECONDS)).getTime(),
    )
    if (over.length > 0) {
      for (const command of over) command.status = command.sentAt ? 'unknown' : 'expired'
      if (over.some(({ isMovement, sentAt }) => isMovement && sentAt)) late.push(stationId)
      settle(house, over)
    }
    const station = house.stations.get(stationId)!
    if (station.isConnected && station.lookDueAt <= house.now) {
      station.lookDueAt = NEVER
      ask(house, stationId)
    }
  }
  return late
}
