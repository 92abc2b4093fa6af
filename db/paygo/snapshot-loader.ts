import type { Tx } from '../postgres/connect.ts'
import { columnsOf, type Fragment } from '../postgres/rows.ts'
import type { Answer, Figures, Said, Snapshot, Transaction } from './decide/snapshot.ts'
import {
  type AdviceMessage,
  contentHash,
  mtis,
  type ReversalMessage,
  type TerminalMessage,
} from './terminal-messages.ts'
import type { Act, ActResult } from './words.ts'

// Whatever is said of a terminal's money locks its row first, by a statement of its own: the statements behind it then see
// what those had committed who held it before.

const COLUMNS = [
  'id',
  'kind',
  'saidMinor',
  'amountMinor',
  'status',
  'act',
  'actMinor',
  'isGivenUp',
  'bookedMinor',
  'refundedMinor',
  'isCounted',
  'terminalId',
  'userId',
] as const satisfies (keyof KnownTransaction)[]

/** A transaction with whom it is about. */
export interface KnownTransaction extends Transaction {
  terminalId: number | null
  userId: number | null
}

const empty: Snapshot = { said: null, transaction: null, isReversed: false, figures: null }

export const noFigures: Figures = {
  ...{ credits: 0, creditsReversed: 0, debits: 0, debitsReversed: 0 },
  ...{ creditsMinor: 0, creditsReversedMinor: 0, debitsMinor: 0, debitsReversedMinor: 0 },
}

/** A message as it was first said. */
interface SaidRow extends Omit<Said, 'isSame'> {
  id: number
  isAbout: boolean
  contentHash: string
  answer: (Answer & { figures?: Figures }) | null
}

/** What is known when a terminal says something. */
export interface AtHand {
  snapshot: Snapshot
  /** As the writer needs it. */
  transaction: KnownTransaction | null
  /** The row of this very message from before; null: it is new. */
  before: SaidRow | null
  /** It is an advice with the STAN of its purchase, and stands beside that. */
  isAbout: boolean
}

/** SQL: the terminal that is locked. Sent when it is called: a statement of the driver's own waits until somebody awaits it. */
async function lockTerminal(tx: Tx, id: Fragment): Promise<void> {
  await tx`select 1 from terminals where id = ${id} for no key update`
}

/** What a reversal, or a purchase that may have been reversed before it came, is matched by. */
function namedBy(message: TerminalMessage): { mti: string; stan: string; sentAt: string } {
  if (message.kind === 'reversal') return message.original
  const mti = message.kind === 'totals' ? '' : mtis[message.kind]
  return { mti, stan: message.stan, sentAt: message.sentAt }
}

async function saidBefore(tx: Tx, terminalId: number, message: TerminalMessage, day: string) {
  const { mti, stan, sentAt } = namedBy(message)
  const [row] = await tx<{ said: SaidRow[] | null; isReversed: boolean }[]>`
    select (
      select jsonb_agg(jsonb_build_object('id', id, 'isAbout', is_about, 'kind', kind, 'contentHash', content_hash,
        'answer', answer))
      from terminal_messages where terminal_id = ${terminalId} and day = ${day} and stan = ${message.stan}) as said,
      exists (select from terminal_reversals where terminal_id = ${terminalId} and original_stan = ${stan}
        and original_sent_at = ${sentAt} and original_mti = ${mti}) as is_reversed`
  return { said: row!.said ?? [], isReversed: row!.isReversed }
}

/** Of a terminal, the newest first: no message says its year. */
const theOne = async (tx: Tx, terminalId: number, which: Fragment, order: Fragment = tx`t.id desc`) => {
  const [row] = await tx<KnownTransaction[]>`
    select ${columnsOf(tx, 't', COLUMNS)} from transactions t where t.terminal_id = ${terminalId} and ${which}
    order by ${order} limit 1`
  return row ?? null
}

const original = (tx: Tx, { mti, stan, sentAt }: ReversalMessage['original']) =>
  tx`(t.stan = ${stan} and t.sent_at = ${sentAt} and t.mti = ${mti})`

/** The purchase whose STAN it has comes first, then what it names. */
function advised(tx: Tx, terminalId: number, message: AdviceMessage, day: string) {
  const sameStan = tx`(t.stan = ${message.stan} and t.day = ${day} and t.mti = ${mtis.purchase})`
  const named = message.original ? original(tx, message.original) : tx`t.rrn = ${message.rrn ?? null}`
  return theOne(tx, terminalId, tx`(${sameStan} or ${named})`, tx`${sameStan} desc, t.id desc`)
}

/** Which message from before this one repeats, if it does; an advice may stand beside the purchase of its STAN. */
function repeated(message: TerminalMessage, said: SaidRow[]): Pick<AtHand, 'before' | 'isAbout'> {
  const first = said.find(({ isAbout }) => !isAbout) ?? null
  if (message.kind !== 'advice') return { before: first, isAbout: false }
  const own = said.find(({ isAbout }) => isAbout) ?? null
  const isAlone = message.rrn === undefined && message.original === undefined
  const isAbout = own !== null || (isAlone && first?.kind === 'purchase')
  return { before: isAbout ? own : first, isAbout }
}

const openFigures = async (tx: Tx, terminalId: number): Promise<Figures> => {
  const [open] = await tx<Figures[]>`
    select ${tx(Object.keys(noFigures))} from terminal_batches where terminal_id = ${terminalId} and closed_at is null`
  return open ?? noFigures
}

function transactionOf(tx: Tx, terminalId: number, message: TerminalMessage, day: string) {
  switch (message.kind) {
    case 'advice':
      return advised(tx, terminalId, message, day)
    case 'reversal':
      return theOne(tx, terminalId, original(tx, message.original))
    default:
      return null
  }
}

/** What is known of all that a message names, held until the transaction ends. Sent at once: one round trip. */
export async function atHand(tx: Tx, terminalId: number, message: TerminalMessage, day: string): Promise<AtHand> {
  const [, { said, isReversed }, transaction, figures] = await Promise.all([
    lockTerminal(tx, tx`${terminalId}`),
    saidBefore(tx, terminalId, message, day),
    transactionOf(tx, terminalId, message, day),
    message.kind === 'totals' ? openFigures(tx, terminalId) : null,
  ])
  const { before, isAbout } = repeated(message, said)
  // A purchase beside which an advice stands was said before, too, and is no repetition of it.
  const known = before ?? (isAbout ? said[0]! : null)
  const isSame = before !== null && before.contentHash === contentHash(message)
  return {
    snapshot: {
      said: known && { isSame, kind: known.kind, answer: known.answer },
      transaction,
      isReversed,
      figures,
    },
    transaction,
    before,
    isAbout,
  }
}

/** An act that the acquirer was told, and its transaction. */
export interface ActAtHand {
  id: number
  act: Act
  amountMinor: number
  result: ActResult | null
  attempts: number
  /** It is what the transaction waits for. */
  isOpen: boolean
  transaction: KnownTransaction
}

type ActRow = KnownTransaction & {
  actId: number
  told: Act
  toldMinor: number
  result: ActResult | null
  attempts: number
  isLast: boolean
}

/** The same for what the acquirer says of an act. */
export async function actAtHand(tx: Tx, actId: number): Promise<ActAtHand> {
  const [, [row]] = await Promise.all([
    lockTerminal(
      tx,
      tx`(select t.terminal_id from acquirer_acts a join transactions t on t.id = a.transaction_id where a.id = ${actId})`,
    ),
    tx<ActRow[]>`
      select ${columnsOf(tx, 't', COLUMNS)}, a.id as act_id, a.act as told, a.amount_minor as told_minor, a.result, a.attempts,
        a.id = (select max(id) from acquirer_acts where transaction_id = t.id) as is_last
      from acquirer_acts a join transactions t on t.id = a.transaction_id where a.id = ${actId} for update of t`,
  ])
  const { actId: id, told, toldMinor, result, attempts, isLast, ...transaction } = row!
  const isOpen = isLast && transaction.act !== null
  return { id, act: told, amountMinor: toldMinor, result, attempts, isOpen, transaction }
}

/** The same for what people want of a transaction; null: there is none. */
export async function transactionAtHand(tx: Tx, transactionId: number): Promise<KnownTransaction | null> {
  const [, [row]] = await Promise.all([
    lockTerminal(tx, tx`(select terminal_id from transactions where id = ${transactionId})`),
    tx<KnownTransaction[]>`
      select ${columnsOf(tx, 't', COLUMNS)} from transactions t where t.id = ${transactionId} for update of t`,
  ])
  return row ?? null
}

/** A snapshot for what no terminal says. */
export const about = (transaction: Transaction): Snapshot => ({ ...empty, transaction })
