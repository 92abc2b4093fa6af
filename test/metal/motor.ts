import { answered, hear } from './house.ts'
import { after, type Bank, type Cabinet, hasTwin, isReadable, log, say, type World } from './street.ts'

// What a motor does, and what a customer does with what it lets out.

const MOTOR_SECONDS = 1.2

/** Somebody waits for this slot's own eject: who gets what if it is opened by mistake just then is not tried here. */
const isAskedFor = ({ house }: World, { id }: Cabinet, n: number) =>
  [...house.orders.values()].some(
    ({ stationId, slotNumber, status }) => stationId === id && slotNumber === n && status === 'pending',
  )

/** The motor turns, or jams; the answer comes, is late, is lost or comes twice. */
export function eject(world: World, cabinet: Cabinet, asked: number, wire: string, order: number | null): void {
  const { random } = world
  const luck = random.one()
  const other = random.below(cabinet.slots.length) + 1
  const n = luck < 0.02 && !hasTwin(world, cabinet, other) && !isAskedFor(world, cabinet, other) ? other : asked
  const slot = cabinet.slots[n - 1]!
  const isJammed = random.one() < 0.06
  log(world, () => `cabinet ${cabinet.id} is told to eject ${asked}${isJammed ? ', and jams' : ''}`)
  // Brokers redeliver, and not before the next question.
  if (random.one() < 0.1) cabinet.saidOf.get(asked)?.()
  if (isJammed && random.one() < 0.5) slot.unreadableUntil = world.now + random.between(5, 200)
  const ok = !isJammed && slot.bank !== null
  after(world, MOTOR_SECONDS, () => {
    const { bank } = slot
    const named = ok && bank ? bank.wire : wire
    if (ok && bank) {
      unlock(world, cabinet, n, order)
      bank.isUntold = n !== asked
    }
    const answer = () => {
      const isTaken = answered(world.house, cabinet.id, { kind: 'eject', slot: asked, bankId: ok ? named : null, ok })
      // One that is taken for an old one (`isStale`) has told nothing, and nobody could tell its copy from it.
      if (!isTaken) return
      if (bank) bank.isUntold = false
      cabinet.saidOf.set(asked, () => say(world, cabinet, `${what}, again`, answer))
    }
    const what = `eject ${asked} ${ok ? `ok ${named}` : 'refused'}`
    const fate = random.one()
    // Now and then it is never said, or only long after.
    if (fate < 0.05) return
    const late = fate < 0.08 ? random.between(5, 60) : 0
    if (late > 0) after(world, late, () => say(world, cabinet, `${what}, late`, answer))
    else say(world, cabinet, what, answer)
    if (random.one() < 0.05) after(world, random.between(0.1, 100), () => cabinet.saidOf.get(asked)?.())
  })
}

/** The lock opens. Somebody takes the bank, soon, slowly, or not at all; then it closes. */
function unlock(world: World, cabinet: Cabinet, n: number, order: number | null): void {
  const { random } = world
  const slot = cabinet.slots[n - 1]!
  slot.unlockedUntil = world.now + 55
  slot.order = order
  slot.bank!.openedAt = world.now
  const luck = random.one()
  if (luck > 0.97) return
  after(world, luck < 0.8 ? random.between(0, 3) : random.between(3, 54), () => {
    if (slot.order !== order || slot.unlockedUntil < world.now || !slot.bank) return
    const { bank } = slot
    log(world, () => `${bank.wire} is taken from ${cabinet.id}/${n} for order ${order}`)
    Object.assign(slot, { bank: null, unlockedUntil: 0, order: null })
    Object.assign(bank, { place: null, order, since: world.now })
    after(world, random.one() < 0.3 ? random.between(1, 20) : random.between(20, 2_000), () => bringBack(world, bank))
  })
}

/** A list that names one id twice says nothing of either; nobody tries that here. */
const holdsTwin = ({ slots }: Cabinet, { wire }: Bank) => slots.some(({ bank }) => bank?.wire === wire)

/** Somebody puts a bank into a free slot of any cabinet. */
export function bringBack(world: World, bank: Bank): void {
  const { random, cabinets } = world
  const cabinet = random.pick(cabinets.filter((one) => !holdsTwin(one, bank)))
  const free = cabinet.slots.flatMap((slot, n) => (slot.bank ? [] : [n + 1]))
  if (bank.place || free.length === 0) return void (bank.place || after(world, 30, () => bringBack(world, bank)))
  const n = random.pick(free)
  const slot = cabinet.slots[n - 1]!
  slot.bank = bank
  if (random.one() < 0.08) slot.unreadableUntil = world.now + random.between(5, 100)
  Object.assign(bank, { place: { cabinet, slot: n }, order: null, since: world.now, isUntold: false })
  log(world, () => `${bank.wire} is put into ${cabinet.id}/${n}`)
  // The frame itself may never be made.
  bank.isUnsaid = random.one() < 0.03 || !isReadable(world, slot)
  if (bank.isUnsaid) return
  cabinet.flash.push({ slot: n, wire: bank.wire })
  tellReturn(world, cabinet, n, bank.wire)
}

export function tellReturn(world: World, cabinet: Cabinet, slot: number, wire: string): void {
  say(world, cabinet, `return ${slot}:${wire}`, () => {
    hear(world.house, cabinet.id, { kind: 'returned', bank: { slot, bankId: wire } })
    // The acknowledgement may be lost: then it is said again at the next login, whenever that is.
    if (world.random.one() < 0.9)
      cabinet.flash = cabinet.flash.filter((told) => told.slot !== slot || told.wire !== wire)
  })
}
