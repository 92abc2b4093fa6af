import type { Tx } from '../postgres/connect.ts'
import { columnsOf, type Fragment } from '../postgres/rows.ts'
import type { Answer, Figures, Original, Said, Snapshot, Transaction } from './decide/snapshot.ts'
import { contentHash, mtis, type TerminalMessage } from './terminal-messages.ts'
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

/** What a terminal says, and on which day. */
export interface Saying {
  terminalId: number
  message: TerminalMessage
  day: string
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

/**
 * Locks terminals by rising id. @param ids SQL: a selection. Sent when it is called: a statement of the driver's own waits until
 * somebody awaits it.
 */
async function lockTerminals(tx: Tx, ids: Fragment): Promise<void> {
  await tx`select 1 from terminals where id in (${ids}) order by id for no key update`
}

/** What a reversal, or a purchase that may have been reversed before it came, is matched by. */
function namedBy(message: TerminalMessage): { mti: string; stan: string; sentAt: string } {
  if (message.kind === 'reversal') return message.original
  const mti = message.kind === 'totals' ? '' : mtis[message.kind]
  return { mti, stan: message.stan, sentAt: message.sentAt }
}

async function saidBefore(tx: Tx, sayings: readonly Saying[]) {
  const asked = sayings.map(({ terminalId, message, day }, n) => {
    const { mti, stan, sentAt } = namedBy(message)
    return { n, terminal: terminalId, day, stan: message.stan, of_mti: mti, of_stan: stan, of_sent_at: sentAt }
  })
  return await tx<{ said: SaidRow[] | null; isReversed: boolean }[]>`
    select (
      select jsonb_agg(jsonb_build_object('id', id, 'isAbout', is_about, 'kind', kind, 'contentHash', content_hash,
        'answer', answer))
      from terminal_messages m where m.terminal_id = i.terminal and m.day = i.day and m.stan = i.stan) as said,
      exists (select from terminal_reversals r where r.terminal_id = i.terminal and r.original_stan = i.of_stan
        and r.original_sent_at = i.of_sent_at and r.original_mti = i.of_mti) as is_reversed
    from jsonb_to_recordset(${tx.json(asked)})
      as i (n int, terminal bigint, day date, stan text, of_mti text, of_stan text, of_sent_at text)
    order by n`
}

/**
 * The transactions that reversals and advices mean, by the place of what means them: what they name, but first the purchase
 * whose STAN an advice has. The newest, for no message says its year.
 */
async function named(tx: Tx, sayings: readonly Saying[]): Promise<Map<number, KnownTransaction>> {
  const asked = sayings.flatMap(({ terminalId: terminal, message, day }, n) => {
    if (message.kind !== 'advice' && message.kind !== 'reversal') return []
    const { mti, stan, sentAt }: Partial<Original> = message.original ?? {}
    const own = message.kind === 'advice' ? { own_stan: message.stan, own_day: day, rrn: message.rrn } : {}
    return [{ n, terminal, of_mti: mti, of_stan: stan, of_sent_at: sentAt, ...own }]
  })
  if (asked.length === 0) return new Map()
  const isOwn = tx`(t.stan = i.own_stan and t.day = i.own_day and t.mti = ${mtis.purchase})`
  const rows = await tx<(KnownTransaction & { n: number })[]>`
    select i.n, found.* from jsonb_to_recordset(${tx.json(asked)}) as i (n int, terminal bigint, of_mti text, of_stan text,
      of_sent_at text, own_stan text, own_day date, rrn text), lateral (
      select ${columnsOf(tx, 't', COLUMNS)} from transactions t
      where t.terminal_id = i.terminal and (${isOwn}
        or (t.stan = i.of_stan and t.sent_at = i.of_sent_at and t.mti = i.of_mti)
        or (i.of_mti is null and t.rrn = i.rrn))
      order by ${isOwn} is true desc, t.id desc limit 1) found`
  return new Map(rows.map(({ n, ...transaction }) => [n, transaction]))
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

/** By terminal; of those that have agreed to everything there are none. */
async function openFigures(tx: Tx, sayings: readonly Saying[]): Promise<Map<number, Figures>> {
  const ids = sayings.filter(({ message }) => message.kind === 'totals').map(({ terminalId }) => terminalId)
  if (ids.length === 0) return new Map()
  const rows = await tx<(Figures & { terminalId: number })[]>`
    select terminal_id, ${tx(Object.keys(noFigures))} from terminal_batches
    where terminal_id = any(${ids}::bigint[]) and closed_at is null`
  return new Map(rows.map(({ terminalId, ...figures }) => [terminalId, figures]))
}

/**
 * What is known of all that messages of different terminals name, held until the transaction ends. Sent at once: one round
 * trip, and two statements for purchases, however many they are.
 */
export async function atHand(tx: Tx, sayings: readonly Saying[]): Promise<AtHand[]> {
  const [, before, transactions, figures] = await Promise.all([
    lockTerminals(tx, tx`select unnest(${sayings.map(({ terminalId }) => terminalId)}::bigint[])`),
    saidBefore(tx, sayings),
    named(tx, sayings),
    openFigures(tx, sayings),
  ])
  return sayings.map(({ terminalId, message }, n) => {
    const { said, isReversed } = before[n]!
    const transaction = transactions.get(n) ?? null
    const ours = message.kind === 'totals' ? (figures.get(terminalId) ?? noFigures) : null
    return known(message, said ?? [], { transaction, isReversed, figures: ours })
  })
}

function known(
  message: TerminalMessage,
  said: SaidRow[],
  { transaction, ...more }: Pick<AtHand, 'transaction'> & Pick<Snapshot, 'isReversed' | 'figures'>,
): AtHand {
  const { before, isAbout } = repeated(message, said)
  // A purchase beside which an advice stands was said before, too, and is no repetition of it.
  const first = before ?? (isAbout ? said[0]! : null)
  const isSame = before !== null && before.contentHash === contentHash(message)
  const snapshot = { ...more, transaction, said: first && { isSame, kind: first.kind, answer: first.answer } }
  return { snapshot, transaction, before, isAbout }
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

/** The same for what the acquirer says of acts, no two of them of one transaction; by their numbers. */
export async function actsAtHand(tx: Tx, actIds: readonly number[]): Promise<Map<number, ActAtHand>> {
  const which = tx`acquirer_acts a join transactions t on t.id = a.transaction_id where a.id = any(${[...actIds]}::bigint[])`
  const [, rows] = await Promise.all([
    lockTerminals(tx, tx`select t.terminal_id from ${which}`),
    tx<ActRow[]>`
      select ${columnsOf(tx, 't', COLUMNS)}, a.id as act_id, a.act as told, a.amount_minor as told_minor, a.result, a.attempts,
        a.id = (select max(id) from acquirer_acts where transaction_id = t.id) as is_last
      from ${which} order by t.id for update of t`,
  ])
  return new Map(
    rows.map(({ actId: id, told, toldMinor, result, attempts, isLast, ...transaction }) => {
      const isOpen = isLast && transaction.act !== null
      return [id, { id, act: told, amountMinor: toldMinor, result, attempts, isOpen, transaction }]
    }),
  )
}

/** The same for what people want of a transaction; null: there is none. */
export async function transactionAtHand(tx: Tx, transactionId: number): Promise<KnownTransaction | null> {
  const [, [row]] = await Promise.all([
    lockTerminals(tx, tx`select terminal_id from transactions where id = ${transactionId}`),
    tx<KnownTransaction[]>`
      select ${columnsOf(tx, 't', COLUMNS)} from transactions t where t.id = ${transactionId} for update of t`,
  ])
  return row ?? null
}

/** A snapshot for what no terminal says. */
export const about = (transaction: Transaction): Snapshot => ({ ...empty, transaction })
