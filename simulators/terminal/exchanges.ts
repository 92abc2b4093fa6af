/** Questions about money, one after the other, each until it has its answer or it is known that none will come. */
import type { Heard } from '../../protocol/terminal.ts'
import { answerMillisecondsOf, type Exchange, type Machine, say, spoken } from './machine.ts'
import { countDebit, countReversal, originalOf, type Sale, settled } from './till.ts'

const repeatSecondsStandard = 30
/** It has not been done, and is to be asked again: another key, an acquirer out of reach, a host that failed. */
const notNow = ['A0', '91', '96']
const noAnswer = '68'
const noLine = 'the line ended'

const isSale = ({ report: { kind } }: Exchange) => kind === 'purchase' || kind === 'authorisation'

/** Asks as soon as there is a line and nothing else waits. */
export function enqueue(machine: Machine, exchange: Omit<Exchange, 'times'>): void {
  machine.queue.push({ ...exchange, times: 0 })
  pump(machine)
}

/** Asks what is first in line. */
export function pump(machine: Machine): void {
  const [first] = machine.queue
  if (!machine.online || !first || first.timer) return
  first.times++
  const { repeatSeconds = repeatSecondsStandard } = machine.settings
  const milliseconds = isSale(first) || !first.sale ? answerMillisecondsOf(machine) : repeatSeconds * 1000
  first.timer = setTimeout(() => unanswered(machine, first), milliseconds)
  say(machine, first.times > 1 ? { ...first.report, isRepeat: true } : first.report, first.sale?.card)
}

function put(exchange: Exchange) {
  clearTimeout(exchange.timer)
  exchange.timer = undefined
}

const did = (machine: Machine, act: 'unanswered' | 'in_doubt', { report, sale }: Exchange, text?: string) =>
  machine.journal.add({
    ...{ event: 'did', act, stan: sale?.stan ?? report.stan },
    ...(text !== undefined && { text }),
  })

/** Nobody knows what became of a sale: it shall not have happened (docs/protocol.md 7.7). */
function doubt(machine: Machine, exchange: Exchange & { sale: Sale }, why: string) {
  const { sale } = exchange
  put(exchange)
  did(machine, 'in_doubt', exchange, why)
  sale.state = 'in_doubt'
  machine.queue[machine.queue.indexOf(exchange)] = reversalOf(machine, sale, noAnswer)
  pump(machine)
}

/** What takes a sale back. */
export function reversalOf(machine: Machine, sale: Sale, reason: string): Exchange {
  const isAdvice = machine.faults.has('store-and-forward') && ({ isAdvice: true } as const)
  const report = { kind: 'reversal', amountMinor: sale.amountMinor, reason, original: originalOf(sale) } as const
  return { report: { ...report, ...spoken(machine), ...isAdvice }, sale, times: 0 }
}

function forget(machine: Machine, exchange: Exchange) {
  put(exchange)
  machine.queue.splice(machine.queue.indexOf(exchange), 1)
}

const hasSale = (exchange: Exchange): exchange is Exchange & { sale: Sale } => exchange.sale !== undefined

function unanswered(machine: Machine, exchange: Exchange) {
  put(exchange)
  // The host may have closed the batch: the same figures are asked again, not new ones.
  if (!hasSale(exchange)) did(machine, 'unanswered', exchange)
  else if (isSale(exchange) && !(machine.faults.has('lost-answer') && exchange.times === 1))
    return doubt(machine, exchange, 'no answer')
  pump(machine)
}

/** The line is gone: what was under way has no answer, and is asked or taken back over the next. */
export function lineLost(machine: Machine): void {
  machine.asked.clear()
  const [first] = machine.queue
  if (!first?.timer) return
  put(first)
  if (!hasSale(first)) did(machine, 'unanswered', first, noLine)
  else if (isSale(first)) doubt(machine, first, noLine)
}

const answers: Record<Exchange['report']['kind'], readonly string[]> = {
  authorisation: ['0110'],
  purchase: ['0210'],
  advice: ['0230'],
  reversal: ['0410', '0430'],
  totals: ['0510'],
}

/** An answer about money. What nobody waits for any more means nothing. */
export function answered(machine: Machine, heard: Heard) {
  const [first] = machine.queue
  if (!first?.timer || heard.stan !== first.report.stan || !answers[first.report.kind].includes(heard.mti)) return
  if (!hasSale(first)) {
    forget(machine, first)
    balanced(machine, heard)
  } else if (isSale(first)) {
    // Nothing that is not signed says that a sale has not happened.
    if (!heard.isSigned) return doubt(machine, first, heard.code)
    forget(machine, first)
    sold(machine, first.sale, heard)
  } else if (!notNow.includes(heard.code)) {
    forget(machine, first)
    const { report, sale } = first
    if (report.kind === 'reversal') reversed(machine, sale, heard.code)
    if (report.kind === 'advice') advised(machine, sale, report.amountMinor, heard.code)
  }
  pump(machine)
}

function sold(machine: Machine, sale: Sale, { code, rrn, approval }: Heard) {
  const { stan, amountMinor } = sale
  if (code !== '00') {
    sale.state = 'declined'
    return machine.journal.add({ event: 'did', act: 'declined', stan, amountMinor, code })
  }
  sale.state = sale.kind === 'authorisation' ? 'held' : 'approved'
  if (rrn !== undefined) sale.rrn = rrn
  if (approval !== undefined) sale.approval = approval
  if (sale.kind === 'purchase') countDebit(machine.till, sale)
  machine.journal.add({ event: 'did', act: 'approved', stan, amountMinor })
}

function advised({ till, journal }: Machine, sale: Sale, amountMinor: number, code: string) {
  const { stan, kind } = sale
  const isStored = code === '00'
  if (isStored) {
    Object.assign(sale, { amountMinor, state: 'approved' })
    countDebit(till, sale)
  }
  const act = !isStored ? 'declined' : kind === 'authorisation' ? 'completed' : 'advised'
  journal.add({ event: 'did', act, stan, amountMinor, code })
}

function reversed({ till, journal }: Machine, sale: Sale, code: string) {
  const { stan, amountMinor } = sale
  const isDone = code === '00'
  if (isDone) {
    countReversal(till, sale)
    sale.state = 'reversed'
  }
  journal.add({ event: 'did', act: isDone ? 'reversed' : 'not_reversed', stan, amountMinor, code })
}

function balanced({ till, journal }: Machine, { code, totals }: Heard) {
  if (code === '00') settled(till)
  else if (totals) till.hosts = totals
  journal.add({ event: 'did', act: code === '00' ? 'settled' : 'differed', code })
}
