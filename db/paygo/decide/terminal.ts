import { answered, type Change, told } from './changes.ts'
import {
  type AdviceReport,
  isWaiting,
  type ReversalReport,
  type SaleReport,
  type Snapshot,
  type TerminalReport,
  type TotalsReport,
  type Transaction,
} from './snapshot.ts'

// What terminals say. Nothing here waits for the acquirer: what it answers is another report (acquirer.ts).

/** The same STAN again: the same content gets the stored answer, which may be on its way; another one is a mistake (94). */
export function again({ said }: Snapshot, report: TerminalReport): Change[] | null {
  if (!said) return null
  // An advice may have the STAN of the purchase that it is about.
  if (report.kind === 'advice' && !report.isAbout && said.kind === 'purchase') return null
  if (!said.isSame) return [answered('94')]
  return said.answer ? [{ kind: 'answer', to: 'this', ...said.answer }] : []
}

/** A purchase or authorisation: the acquirer decides, unless its reversal was faster or our side declines. */
export function sale({ isReversed }: Snapshot, { kind, refusal }: SaleReport): Change[] {
  if (isReversed) return [answered('21')]
  if (refusal !== undefined) return [answered(refusal)]
  return [{ kind: 'begin', status: 'pending', act: kind === 'purchase' ? 'purchase' : 'authorise', isCounted: false }]
}

const exception = (id: number | null, what: string): Change => ({ kind: 'exception', id, what })

/** An advice about a transaction we know: a hold is taken, up to what is held; a purchase is booked once. */
function aboutKnown(transaction: Transaction, advisedMinor: number): Change[] {
  const { id, kind, status, act, amountMinor } = transaction
  if (kind !== 'authorisation')
    return status === 'completed' ? [] : [exception(id, `advice of a purchase that is ${status}`)]
  if (status !== 'authorised' || act !== null) return [exception(id, `completion of a hold that is ${status}`)]
  if (advisedMinor > amountMinor) return [exception(id, 'completion of more than is held')]
  return [
    ...told(id, 'capture', advisedMinor, { amountMinor: advisedMinor, isCounted: true }),
    { kind: 'count', figure: 'debits', amountMinor: advisedMinor },
  ]
}

/** It has happened: 00 once it is stored, whatever comes of it (docs/protocol.md 7.7). */
export function advice({ transaction, isReversed }: Snapshot, { amountMinor, isAbout }: AdviceReport): Change[] {
  if (isReversed) return [answered('21')]
  if (transaction) return [answered('00'), ...aboutKnown(transaction, amountMinor)]
  if (isAbout) return [answered('00'), exception(null, 'advice about nothing that is known')]
  return [
    { kind: 'begin', status: 'pending', act: 'purchase', isCounted: true },
    answered('00'),
    { kind: 'count', figure: 'debits', amountMinor },
  ]
}

/** A purchase that is reversed stands in both figures, also one that never was approved; holds in none. */
const counted = (isDebit: boolean, isCounted: boolean, amountMinor: number): Change[] =>
  isDebit
    ? [
        ...(isCounted ? [] : [{ kind: 'count', figure: 'debits', amountMinor } as const]),
        { kind: 'count', figure: 'debitsReversed', amountMinor },
      ]
    : []

/** The original shall not have happened. Said again, or of what is not there any more, it changes nothing. */
export function reversal({ transaction, isReversed }: Snapshot, { amountMinor, original }: ReversalReport): Change[] {
  const remembered: Change[] = [answered('00'), { kind: 'remember', original, amountMinor }]
  if (!transaction) {
    if (isReversed) return [answered('00')]
    return [...remembered, ...counted(original.mti !== '0100', false, amountMinor)]
  }
  const { id, kind, status, act, saidMinor, refundedMinor, isCounted } = transaction
  if (amountMinor !== transaction.amountMinor && amountMinor !== saidMinor) return [answered('13')]
  if (isReversed) return [answered('00')]
  // Money goes back once: what people have given back, or are giving back, is not given back again.
  if (refundedMinor > 0 || act === 'refund') return [answered('21'), exception(id, 'reversal of what is refunded')]
  const isDebit = kind !== 'authorisation' || isCounted
  const changes: Change[] = [...remembered, ...counted(isDebit, isCounted, transaction.amountMinor)]
  // It does not know that the host has completed its hold, and what for.
  if (status === 'completed' && !isDebit) changes.push(exception(id, 'reversal of what the host has taken'))
  if (status === 'failed' || status === 'cancelled') return [...changes, { kind: 'move', id, isCounted: isDebit }]
  changes.push({ kind: 'move', id, status: 'cancelled', isCounted: isDebit })
  // Whoever still waits for its answer hears that nothing was done; what the acquirer has not answered is reversed when it has.
  if (isWaiting(transaction)) changes.push({ kind: 'answer', to: id, code: '21' })
  if (act === null) changes.push(...told(id, 'reverse', transaction.amountMinor))
  return changes
}

/** Agreement closes the batch; otherwise ours are said, and it stays open. */
export function totals({ figures }: Snapshot, report: TotalsReport): Change[] {
  const ours = figures!
  const agree = Object.entries(ours).every(([name, value]) => report.totals[name as keyof typeof ours] === value)
  if (agree) return [answered('00'), { kind: 'close_batch' }]
  return [{ kind: 'answer', to: 'this', code: '95', figures: ours }]
}
