import type { BankId } from '../../protocol/cabinet.ts'
import { freeSlots } from '../../simulators/cabinet/box.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { type Dice, dice } from './dice.ts'

/** A cabinet of the run and its row. */
export interface Station {
  id: number
  box: Cabinet
}

/** Something that happened to metal, whoever was told of it. */
export interface Act {
  act: 'ejected' | 'inserted'
  stationId: number
  slot: number
  bankId: BankId
  /** Unix milliseconds. */
  at: number
  /** Of a return: when the cabinet was told that it is taken. */
  acknowledgedAt: number | null
}

/** What becomes of a bank that comes out. */
interface Fate {
  /** Its customer brings it back at once, whatever the house knows by then; another keeps it. */
  isQuick: boolean
  delayMs: number
}

/** The world outside: what really happened to every bank, and people who take them and bring them back. */
export interface Physical {
  /** In the order in which it happened, over all cabinets. */
  acts: readonly Act[]
  /** Eject frames that reached a cabinet, as `station/slot`, one for each. */
  ejectsHeard: readonly string[]
  /** Banks that are in somebody's hands. */
  out(): BankId[]
  /** Somebody puts a bank back, somewhere. */
  giveBack(bankId: BankId): void
  /** Calls for every act and acknowledgement to come. */
  watch(observer: () => void): void
  /** From now on nobody is quick. */
  calm(): void
}

const quickDelayMsMax = 1_500
const quickOfAll = 0.3

/** Begins to write down what these cabinets really do. */
export function observe(stations: readonly Station[], seed: number): Physical {
  const acts: Act[] = []
  const ejectsHeard: string[] = []
  const hands = new Set<BankId>()
  const observers: (() => void)[] = []
  // A die for each bank: which of two comes out first must not change the fate of either.
  const diceOf = new Map<BankId, Dice>()
  const die = (bankId: BankId) => {
    const own = diceOf.get(bankId) ?? dice(seed ^ Number.parseInt(bankId.slice(-8), 16))
    diceOf.set(bankId, own)
    return own
  }
  let isCalm = false

  function giveBack(bankId: BankId) {
    if (!hands.delete(bankId)) return
    const { box } = die(bankId).pick(stations.filter(({ box }) => freeSlots(box.box).length > 0))
    box.insert(bankId, die(bankId).pick(freeSlots(box.box)))
  }

  function ejected(bankId: BankId) {
    hands.add(bankId)
    const fate: Fate = { isQuick: die(bankId).chance(quickOfAll), delayMs: die(bankId).whole(0, quickDelayMsMax) }
    if (fate.isQuick && !isCalm) setTimeout(() => giveBack(bankId), fate.delayMs)
  }

  function acknowledged(stationId: number, slot: number) {
    const told = acts.findLast((act) => act.act === 'inserted' && act.stationId === stationId && act.slot === slot)
    if (told) told.acknowledgedAt ??= Date.now()
  }

  for (const { id: stationId, box } of stations)
    box.journal.watch((entry) => {
      const { event, at } = entry
      if (event === 'did' && (entry.act === 'ejected' || entry.act === 'inserted')) {
        acts.push({ act: entry.act, stationId, slot: entry.slot!, bankId: entry.bankId!, at, acknowledgedAt: null })
        if (entry.act === 'ejected') ejected(entry.bankId!)
      } else if (event === 'heard' && entry.words.kind === 'eject') ejectsHeard.push(`${stationId}/${entry.words.slot}`)
      else if (event === 'heard' && entry.words.kind === 'acknowledged' && entry.words.report === 'returned')
        acknowledged(stationId, entry.words.slot)
      else return
      for (const tell of observers) tell()
    })

  return {
    acts,
    ejectsHeard,
    out: () => [...hands],
    giveBack,
    watch: (observer) => void observers.push(observer),
    calm: () => {
      isCalm = true
    },
  }
}

/** One loan as the metal tells it. */
export interface Loan {
  bankId: BankId
  from: { stationId: number; slot: number }
  to: { stationId: number; slot: number } | null
}

/** Every loan there was, in the order in which the banks went out. */
export function loansOf(acts: readonly Act[]): Loan[] {
  const loans: Loan[] = []
  for (const { act, bankId, stationId, slot } of acts) {
    if (act === 'ejected') loans.push({ bankId, from: { stationId, slot }, to: null })
    else {
      const open = loans.find((loan) => loan.bankId === bankId && loan.to === null)
      if (open) open.to = { stationId, slot }
    }
  }
  return loans
}
