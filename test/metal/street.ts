import type { SeenBank } from '../../db/powerbank/decide/snapshot.ts'
import { answered, connected, disconnected, hear, replaced, send } from './house.ts'
import { bringBack, eject, tellReturn } from './motor.ts'
import type { Random } from './random.ts'
import type { House } from './rows.ts'

// Cabinets, banks and customers as they really are, in virtual time. The world knows where each bank is and who has it; the
// house hears of it only by frames, which are late, lost, said twice and said again.

/** A bank: `wire` is what its chip says, which two may share. */
export interface Bank {
  wire: string
  /** Another bank had this name first. */
  isClone: boolean
  /** Where it is; null: in somebody's hand. */
  place: { cabinet: Cabinet; slot: number } | null
  /** Whose order let it out, while it is in a hand. */
  order: number | null
  /** When the lock that holds it was last opened. */
  openedAt: number
  /** Nothing was ever said that could tell of it: another slot was opened, and the answer that names it was lost. */
  isUntold: boolean
  /** It was put back, and the cabinet never said so: only a look tells. */
  isUnsaid: boolean
  /** Since when it is where it is. */
  since: number
}

interface Slot {
  bank: Bank | null
  /** Until when nobody can read what is in it. */
  unreadableUntil: number
  /** Until when a bank may be pulled out, and for which order. */
  unlockedUntil: number
  order: number | null
}

export interface Cabinet {
  id: number
  slots: Slot[]
  isConnected: boolean
  /** Counts connections: what was said on an older one is lost. */
  epoch: number
  connectedAt: number
  /** Until when what the gateway says does not arrive, though heartbeats do. */
  stalledUntil: number
  /** When the last frame of this connection will have arrived, each way: frames of one connection keep their order. */
  upAt: number
  downAt: number
  /** Returns that nobody has acknowledged yet, kept in flash. */
  flash: { slot: number; wire: string }[]
  /** Since when it hangs there. */
  hungAt: number
  /** Since when it has been connected and has heard what it was told. */
  hearingSince: number
  /** It lists its slots with its login. */
  listsAtLogin: boolean
  /** What says the last answer of a slot again. */
  saidOf: Map<number, () => void>
}

export interface World {
  house: House
  now: number
  random: Random
  cabinets: Cabinet[]
  banks: Bank[]
  queue: { at: number; n: number; act: () => void }[]
  /** Of every eject its order, as the house was told by its customer. */
  steps: number
  lines: string[]
  isLogged: boolean
}

const LATENCY_SECONDS = 0.3

/** Does something in so many seconds. */
export function after(world: World, seconds: number, act: () => void): void {
  const entry = { at: world.now + seconds, n: world.steps++, act }
  const { queue } = world
  let place = queue.length
  while (place > 0 && queue[place - 1]!.at > entry.at) place--
  queue.splice(place, 0, entry)
}

/** Notes a line of this life, if anybody reads it. */
export const log = (world: World, line: () => string) => {
  if (world.isLogged) world.lines.push(`${world.now.toFixed(1)} ${line()}`)
}

/** A clone stays where it is: where two that move have one name, nobody could say which of them is lent. */
export const isClone = ({ slots }: Cabinet, n: number) => slots[n - 1]?.bank?.isClone === true

/** Whether one of its banks is a clone. */
export const holdsClone = (cabinet: Cabinet) => cabinet.slots.some((_, n) => isClone(cabinet, n + 1))

/** Whether another bank has the name of the one in this slot. */
export const hasTwin = ({ banks }: World, { slots }: Cabinet, n: number) =>
  banks.filter(({ wire }) => wire === slots[n - 1]?.bank?.wire).length > 1

/** Says something to the house, on this connection; lost with it. */
export function say(world: World, cabinet: Cabinet, what: string, act: () => void, lateSeconds = 0): void {
  const { epoch } = cabinet
  if (!cabinet.isConnected) return
  const latency = world.random.one() < 0.05 ? world.random.between(1, 4) : LATENCY_SECONDS * world.random.one()
  cabinet.upAt = Math.max(cabinet.upAt, world.now + latency + lateSeconds)
  after(world, cabinet.upAt - world.now, () => {
    if (cabinet.epoch !== epoch || !cabinet.isConnected) return
    log(world, () => `cabinet ${cabinet.id} says ${what}`)
    act()
    deliver(world, cabinet)
  })
}

/** Whether its chip can be read now. */
export const isReadable = (world: World, { unreadableUntil }: Slot) => unreadableUntil <= world.now

/** A picture of the slots. Just after a login a cabinet has not read all of them. */
function picture(world: World, cabinet: Cabinet): { slots: number; banks: SeenBank[]; unreadable: number[] } {
  const banks: SeenBank[] = []
  const unreadable: number[] = []
  const isSettling = world.now - cabinet.connectedAt < 7
  cabinet.slots.forEach((slot, n) => {
    if (!slot.bank) return
    if (isSettling && world.random.one() < 0.3) return
    if (isReadable(world, slot)) banks.push({ slot: n + 1, bankId: slot.bank.wire, levelPercent: 90 })
    else unreadable.push(n + 1)
  })
  return { slots: cabinet.slots.length, banks, unreadable }
}

const listed = (banks: readonly SeenBank[], unreadable: readonly number[]) =>
  `${banks.map(({ slot, bankId }) => `${slot}:${bankId}`).join(' ')}${unreadable.length > 0 ? ` unreadable ${unreadable}` : ''}`

/** Brings what waits for a cabinet. */
export function deliver(world: World, cabinet: Cabinet): void {
  for (const { kind, slot, args, id } of send(world.house, cabinet.id)) {
    const { epoch } = cabinet
    const arrives = Math.max(cabinet.downAt, world.now + LATENCY_SECONDS * world.random.one(), cabinet.stalledUntil)
    cabinet.downAt = arrives
    const order = [...world.house.orders.values()].find((order) => order.commandId === id)?.id ?? null
    after(world, arrives - world.now, () => {
      if (cabinet.epoch !== epoch) return
      if (kind === 'inventory') list(world, cabinet)
      else eject(world, cabinet, slot!, String(args.bankId), order)
    })
  }
}

function list(world: World, cabinet: Cabinet): void {
  const { slots, banks, unreadable } = picture(world, cabinet)
  say(world, cabinet, `list ${listed(banks, unreadable)}`, () => {
    for (const slot of cabinet.slots)
      if (slot.bank && banks.some(({ bankId }) => bankId === slot.bank?.wire)) slot.bank.isUnsaid = false
    answered(world.house, cabinet.id, { kind: 'inventory' })
    hear(world.house, cabinet.id, { kind: 'inventory', slots, banks, unreadable })
  })
}

export function dial(world: World, cabinet: Cabinet): void {
  cabinet.epoch += 1
  Object.assign(cabinet, { isConnected: true, connectedAt: world.now, upAt: world.now, downAt: world.now })
  cabinet.hearingSince = Math.max(world.now, cabinet.stalledUntil)
  const { slots, banks, unreadable } = picture(world, cabinet)
  say(world, cabinet, `login ${cabinet.listsAtLogin ? listed(banks, unreadable) : ''}`, () => {
    connected(world.house, cabinet.id)
    if (cabinet.listsAtLogin) hear(world.house, cabinet.id, { kind: 'login', slots, banks, unreadable })
    for (const { slot, wire } of cabinet.flash) tellReturn(world, cabinet, slot, wire)
  })
}

/** The link breaks, and is made again. */
export function hangUp(world: World, cabinet: Cabinet, awaySeconds: number): void {
  if (!cabinet.isConnected) return
  log(world, () => `cabinet ${cabinet.id} hangs up`)
  cabinet.isConnected = false
  cabinet.epoch += 1
  const { epoch } = cabinet
  after(world, 0.1, () => {
    if (world.house.stations.get(cabinet.id)!.isConnected) disconnected(world.house, cabinet.id)
  })
  after(world, awaySeconds, () => {
    if (cabinet.epoch === epoch) dial(world, cabinet)
  })
}

/** Another box hangs where this one did, with banks of its own; those of the old one are gone with it. */
export function replace(world: World, cabinet: Cabinet): void {
  log(world, () => `cabinet ${cabinet.id} is replaced`)
  for (const slot of cabinet.slots) {
    // They come back one day, to another cabinet.
    const { bank } = slot
    if (bank) {
      Object.assign(bank, { place: null, order: null, since: world.now })
      after(world, world.random.between(300, 4_000), () => bringBack(world, bank))
    }
    Object.assign(slot, { bank: null, unlockedUntil: 0, order: null, unreadableUntil: 0 })
  }
  Object.assign(cabinet, {
    isConnected: false,
    epoch: cabinet.epoch + 1,
    flash: [],
    saidOf: new Map(),
    hungAt: world.now,
  })
  replaced(world.house, cabinet.id)
  after(world, 5, () => dial(world, cabinet))
}

/** Somebody's eject of this bank is not decided yet, or may still be obeyed: who took it then would be anybody's guess. */
const isInDoubt = ({ house }: World, { wire }: Bank) => {
  const { id } = house.banks.get(wire)!
  return [...house.orders.values()].some(
    ({ status, powerbankId, askedPowerbankId, notTakenAt }) =>
      (powerbankId === id || askedPowerbankId === id) &&
      (status === 'pending' || status === 'borrow' || notTakenAt !== null),
  )
}

/** While a cabinet is off line, staff carry one of its banks to another. */
export function carry(world: World, cabinet: Cabinet): void {
  const { random } = world
  if (cabinet.isConnected) hangUp(world, cabinet, random.between(30, 300))
  after(world, 5, () => {
    const free = cabinet.slots.flatMap(({ bank, unlockedUntil }, n) =>
      bank &&
      !cabinet.flash.some(({ wire }) => wire === bank.wire) &&
      !hasTwin(world, cabinet, n + 1) &&
      unlockedUntil < world.now &&
      !isInDoubt(world, bank)
        ? [n]
        : [],
    )
    if (cabinet.isConnected || free.length === 0) return
    const slot = cabinet.slots[random.pick(free)]!
    const bank = slot.bank!
    log(world, () => `staff carry ${bank.wire} away from ${cabinet.id}`)
    slot.bank = null
    // Until its cabinet is back and has listed its slots, the house lends it where it was.
    Object.assign(bank, { place: null, order: null, since: world.now, openedAt: world.now + 300 })
    after(world, random.between(5, 60), () => bringBack(world, bank))
  })
}
