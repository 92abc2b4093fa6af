import { borrow, tick } from './house.ts'
import { random } from './random.ts'
import { type Mistake, newHouse } from './rows.ts'
import {
  after,
  type Bank,
  carry,
  deliver,
  dial,
  hangUp,
  holdsClone,
  isClone,
  log,
  replace,
  type World,
} from './street.ts'

// What happens on a street by itself, and how one begins.

/** What happens by itself: customers come, links break, chips fail, boxes are swapped. */
function chance(world: World): void {
  const { random, cabinets, house } = world
  const cabinet = random.pick(cabinets)
  // A box that does not answer is what people replace.
  const isDoubted = [...house.orders.values()].some(
    ({ stationId, status }) => stationId === cabinet.id && status === 'pending',
  )
  const luck = random.one()
  if (isDoubted && luck < 0.05 && !holdsClone(cabinet)) replace(world, cabinet)
  else if (luck < 0.7) {
    const n = random.below(cabinet.slots.length) + 1
    const order = isClone(cabinet, n) ? null : borrow(house, cabinet.id, n)
    if (order !== null) {
      log(world, () => `order ${order}: somebody asks for ${cabinet.id}/${n}`)
      deliver(world, cabinet)
    }
  } else if (luck < 0.78) hangUp(world, cabinet, random.one() < 0.8 ? random.between(1, 10) : random.between(10, 300))
  else if (luck < 0.83) {
    cabinet.stalledUntil = world.now + random.between(5, 60)
    cabinet.hearingSince = cabinet.stalledUntil
  } else if (luck < 0.95) {
    const n = random.below(cabinet.slots.length) + 1
    // A clone that nobody can read while its twin comes and goes is not to be told from a bank that came back.
    if (!isClone(cabinet, n)) cabinet.slots[n - 1]!.unreadableUntil = world.now + random.between(2, 300)
  } else if (luck < 0.955 && !holdsClone(cabinet)) replace(world, cabinet)
  else if (luck > 0.97 && !holdsClone(cabinet)) carry(world, cabinet)
  after(world, random.between(1, 60 / cabinets.length), () => chance(world))
}

function everySecond(world: World): void {
  for (const id of tick(world.house)) {
    const cabinet = world.cabinets[id - 1]!
    if (cabinet.isConnected) hangUp(world, cabinet, world.random.between(1, 5))
  }
  for (const cabinet of world.cabinets) if (cabinet.isConnected) deliver(world, cabinet)
  after(world, 1, () => everySecond(world))
}

/** A world of this seed. */
export function newWorld(seed: number, mistake: Mistake = {}, isLogged = false): World {
  const dice = random(seed)
  const [cabinets, slots] = [2 + dice.below(2), 3 + dice.below(3)]
  const count = Math.floor(cabinets * slots * 0.6)
  const wires = Array.from({ length: count }, (_, n) => `B${n + 1}`)
  const world: World = {
    house: newHouse(cabinets, slots, wires, mistake),
    now: 0,
    random: dice,
    cabinets: [],
    banks: [],
    queue: [],
    steps: 0,
    lines: [],
    isLogged,
  }
  for (let id = 1; id <= cabinets; id++)
    world.cabinets.push({
      id,
      slots: Array.from({ length: slots }, () => ({ bank: null, unreadableUntil: 0, unlockedUntil: 0, order: null })),
      isConnected: false,
      epoch: 0,
      connectedAt: 0,
      stalledUntil: 0,
      upAt: 0,
      downAt: 0,
      flash: [],
      saidOf: new Map(),
      hearingSince: 0,
      hungAt: 0,
      listsAtLogin: dice.one() < 0.5,
    })
  // Now and then two banks have one id.
  const twin = dice.one() < 0.3 ? wires[0]! : null
  const all = twin ? [...wires, twin] : wires
  for (const wire of all) {
    const isClone = wire === twin && world.banks.some((bank) => bank.wire === wire)
    const cabinet = isClone ? world.cabinets.at(-1)! : wire === twin ? world.cabinets[0]! : dice.pick(world.cabinets)
    const n = cabinet.slots.findIndex(({ bank }) => bank === null)
    if (n < 0) continue
    const bank: Bank = {
      wire,
      isClone,
      place: { cabinet, slot: n + 1 },
      order: null,
      openedAt: Number.NEGATIVE_INFINITY,
      isUntold: false,
      isUnsaid: false,
      since: 0,
    }
    cabinet.slots[n]!.bank = bank
    world.banks.push(bank)
  }
  for (const cabinet of world.cabinets) after(world, dice.between(0, 3), () => dial(world, cabinet))
  after(world, 1, () => everySecond(world))
  after(world, 20, () => chance(world))
  return world
}

/** Does the next thing. */
export function step(world: World): void {
  const next = world.queue.shift()!
  world.now = next.at
  world.house.now = next.at
  next.act()
}
