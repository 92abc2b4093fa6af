/** What people do at a terminal. */
import { randomInt } from 'node:crypto'
import type { Card } from './cards.ts'
import { localOf } from './clock.ts'
import { enqueue, reversalOf } from './exchanges.ts'
import { clockOf, type Machine, spoken } from './machine.ts'
import { keep, type Sale } from './till.ts'

const ordinary = '00'
const customerLeft = '17'
const approvalCodes = 1_000_000

/** What a terminal cannot do now, it says itself. @throws RangeError */
function assertFree({ device, queue, isSignedOff }: Machine, mayWait: boolean): void {
  if (device.condition !== 'working') throw new RangeError('the terminal is in maintenance')
  if (isSignedOff) throw new RangeError('the terminal is signed off')
  if (queue.some(({ report }) => report.kind === 'reversal') && !mayWait)
    throw new RangeError('a reversal waits for its answer')
  if (queue.some(({ report }) => report.kind === 'purchase' || report.kind === 'authorisation'))
    throw new RangeError('the sale before has no answer yet')
}

/** Stores what happens without a line, and says it later. */
const isOffline = ({ faults, online }: Machine) => faults.has('store-and-forward') && !online

function numbered(machine: Machine) {
  const said = { ...spoken(machine), ...localOf(clockOf(machine)) }
  const before = machine.till.sales.at(-1)
  return machine.faults.has('duplicate-stan') && before ? { ...said, stan: before.stan } : said
}

/** What the message of a sale says besides its kind. */
function wordsOf(machine: Machine, amountMinor: number, { entryMode, said }: Card) {
  const { merchant } = machine.settings
  const words = { ...numbered(machine), amountMinor, entryMode, condition: ordinary, card: said }
  return merchant === undefined ? words : { ...words, merchant }
}

function newSale(kind: Sale['kind'], { stan, sentAt, amountMinor }: ReturnType<typeof wordsOf>, card: Card): Sale {
  return { kind, stan, sentAt, amountMinor, card, state: 'asked', isCounted: false }
}

/** A sale that the host decides, or the terminal itself where it has no line and may. @throws RangeError not now */
export function sell(
  machine: Machine,
  kind: 'purchase' | 'authorisation',
  { amountMinor, card }: { amountMinor: number; card: Card },
): Sale {
  if (isOffline(machine)) return advise(machine, { amountMinor, card })
  assertFree(machine, false)
  if (!machine.online) throw new RangeError('the terminal has no line')
  const words = wordsOf(machine, amountMinor, card)
  const sale = keep(machine.till, newSale(kind, words, card))
  if (machine.faults.has('reversal-first')) enqueue(machine, reversalOf(machine, sale, customerLeft))
  enqueue(machine, { report: { kind, ...words }, sale })
  return sale
}

/** A purchase that the terminal approves by itself, told as soon as there is a line. @throws RangeError not now */
export function advise(machine: Machine, { amountMinor, card }: { amountMinor: number; card: Card }): Sale {
  assertFree(machine, isOffline(machine))
  const approval = String(randomInt(approvalCodes)).padStart(6, '0')
  const words = wordsOf(machine, amountMinor, card)
  const sale = keep(machine.till, { ...newSale('advice', words, card), approval, state: 'approved' })
  const { stan } = sale
  machine.journal.add({ event: 'did', act: 'approved', stan, amountMinor, text: 'without a line' })
  enqueue(machine, { report: { kind: 'advice', ...words, approval }, sale })
  return sale
}

/** Takes what is due of the last deposit that is held. @throws RangeError there is none, or not so much */
export function complete(machine: Machine, amountMinor?: number): Sale {
  const sale = machine.till.sales.findLast(({ state }) => state === 'held')
  if (!sale) throw new RangeError('nothing is held')
  const due = amountMinor ?? sale.amountMinor
  if (due > sale.amountMinor) throw new RangeError('that is more than is held')
  if (machine.queue.some(({ sale: other }) => other === sale)) throw new RangeError('it is being completed or reversed')
  const { entryMode, said } = sale.card
  const words = { ...spoken(machine), ...localOf(clockOf(machine)), amountMinor: due, entryMode, condition: ordinary }
  const { merchant } = machine.settings
  const about = { card: said, ...(merchant !== undefined && { merchant }), ...(sale.rrn && { rrn: sale.rrn }) }
  enqueue(machine, { report: { kind: 'advice', ...words, ...about }, sale })
  return sale
}

const reversible: Sale['state'][] = ['approved', 'held']

/** The customer goes: takes the last sale back, or the one of that number. @throws RangeError there is none */
export function reverse(machine: Machine, stan?: string): Sale {
  const isMeant = (sale: Sale) => (stan === undefined ? reversible.includes(sale.state) : sale.stan === stan)
  const sale = machine.till.sales.findLast(isMeant)
  if (!sale) throw new RangeError('there is no such sale')
  if (!reversible.includes(sale.state)) throw new RangeError(`that sale is ${sale.state}`)
  if (machine.queue.some(({ report, sale: other }) => other === sale && report.kind === 'reversal'))
    throw new RangeError('it is being reversed')
  enqueue(machine, reversalOf(machine, sale, customerLeft))
  return sale
}

/** Asks whether the host has counted the same. @throws RangeError something still waits for its answer */
export function total(machine: Machine): void {
  const { till, queue } = machine
  if (queue.length > 0) throw new RangeError('something waits for its answer')
  const { localDate } = localOf(clockOf(machine))
  enqueue(machine, { report: { kind: 'totals', ...spoken(machine), localDate, totals: { ...till.totals } } })
}
