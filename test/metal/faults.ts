import { at, type Order } from './rows.ts'
import type { Bank, Cabinet, World } from './street.ts'

/** A slow customer has so long; then the next look has the last word, and that may have to wait for a link. */
const TAKEN_SECONDS = 150
/** No loan outlives this much readable evidence of its return (the bound this model is for). */
const EVIDENCE_SECONDS = 300
/** After a login a cabinet tells of its slots within this. */
const SETTLING_SECONDS = 15
/** A bank that another order unlocked may be taken while this one asks. */
const UNLOCKED_SECONDS = 120
/** What was under way when a list was made may be so old when it is worked. */
const UNDER_WAY_SECONDS = 12

/** What has been checked of each order, so that each turn is looked at once. */
export type Seen = Map<number, number>

const bankOf = ({ house, banks }: World, { powerbankId }: Order): Bank[] => {
  const known = [...house.banks.values()].find(({ id }) => id === powerbankId)
  return banks.filter(({ wire }) => wire === known?.deviceId)
}

/** A turn that an order has just taken, against the metal. */
function turnFault(world: World, order: Order): string | null {
  const { id, status, evidence, createdAt } = order
  const banks = bankOf(world, order)
  const inHand = banks.find((bank) => bank.order === id)
  // An answer said again, to a question for the same bank, cannot be told from the first; the time for taking it can.
  const isSaid = evidence.includes('eject answer') && order.powerbankId === order.askedFor
  // Asked for before the cabinet has listed its slots, after it was away: who had it meanwhile nobody knows.
  const { connectedAt } = world.cabinets[order.stationId - 1]!
  const isBlind = at(connectedAt) <= createdAt && createdAt < at(connectedAt + SETTLING_SECONDS)
  const mayHaveLeft = ({ openedAt }: Bank) => at(openedAt + UNLOCKED_SECONDS) >= createdAt
  if (status === 'borrow' && !isSaid && !isBlind && !banks.some(mayHaveLeft))
    return `order ${id} is a loan of ${banks[0]?.wire}, which no lock was opened for (${evidence})`
  if (status === 'return' && inHand)
    return `order ${id} is returned, and ${inHand.wire} is with its customer (${evidence})`
  if (status === 'cancelled' && inHand && world.now - inHand.since > UNDER_WAY_SECONDS)
    return `order ${id} is cancelled, and ${inHand.wire} is with its customer (${evidence})`
  return null
}

/** For how long anybody could have read that a bank is here. */
function readableSeconds({ now }: World, { place, since }: Bank): number {
  if (!place) return 0
  const { cabinet, slot } = place
  if (!cabinet.isConnected) return 0
  return now - Math.max(since, cabinet.hearingSince, cabinet.slots[slot - 1]!.unreadableUntil)
}

const isHeard = ({ now }: World, { isConnected, hearingSince }: Cabinet) =>
  isConnected && now - hearingSince > TAKEN_SECONDS

/** What is wrong with the house, compared with the metal. Null: nothing. */
export function faultOf(world: World, seen: Seen): string | null {
  const { house, banks, cabinets, now } = world
  const open: Order[] = []
  for (const order of house.orders.values()) {
    if (seen.get(order.id) !== order.turns.length) {
      seen.set(order.id, order.turns.length)
      const fault = turnFault(world, order)
      if (fault) return fault
    }
    if (order.status === 'borrow' || order.status === 'pending') open.push(order)
  }
  for (const order of open) {
    if (order.status !== 'borrow') continue
    const its = bankOf(world, order)
    const began = order.borrowedAt ?? at(0)
    const bound = EVIDENCE_SECONDS + (its[0]?.isUnsaid ? house.rules.lookSeconds : 0)
    if (at(now - bound) > began && its.length === 1 && readableSeconds(world, its[0]!) > bound)
      return `order ${order.id} is a loan of ${its[0]!.wire}, which has been in ${its[0]!.place!.cabinet.id}/${its[0]!.place!.slot} for five minutes`
  }
  for (const bank of banks) {
    if (bank.order === null || bank.isUntold || now - bank.since < TAKEN_SECONDS) continue
    const order = house.orders.get(bank.order)
    const from = order && cabinets[order.stationId - 1]
    // What a box has not told before it was taken down nobody will know.
    if (!from || !isHeard(world, from) || from.hungAt > bank.since) continue
    if (order.isMissingTold) continue
    const names = open.filter((one) => bankOf(world, one).includes(bank))
    if (names.length === 0) return `${bank.wire} is with the customer of order ${bank.order}, and no order names it`
  }
  return null
}
