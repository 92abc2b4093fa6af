import { appended, type Happened, recordAll } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'
import type { Fragment } from '../postgres/rows.ts'
import * as acts from './acts.ts'
import { type Answered, answer } from './answers.ts'
import * as books from './books.ts'
import type { Change, ChangeOf, Progress } from './decide/changes.ts'
import type { Figures } from './decide/snapshot.ts'
import { ends, type PaymentNews, tellOwners } from './notices.ts'
import { type KnownTransaction, noFigures } from './snapshot-loader.ts'
import type { ActResult } from './words.ts'

/** What the acquirer said of the act at hand, or what asking it showed. */
export interface Outcome {
  actId: number
  result: ActResult
  code?: string | undefined
  approval?: string | undefined
  rrn?: string | undefined
  /** It was asked and said nothing: there is no use in asking again at once. */
  isSilent?: boolean
}

/** What was decided about. */
export interface Subject {
  terminalId: number | null
  transaction: KnownTransaction | null
  outcome: Outcome | null
  request?: acts.Request
  /** What a terminal said that is worked, as hex: what happens is made true by it. */
  frame?: string | undefined
}

/** What is to be done now that it is written, and who is to be answered. */
export interface Written {
  /** Acts that the acquirer is to be told. */
  told: number[]
  /** Acts that it is to be asked for. */
  asked: number[]
  answers: Answered[]
}

/**
 * What the acquirer calls it once it has answered what a transaction began with. A terminal's own approval stays, and so
 * does what a terminal was answered.
 */
function namesOf({ transaction, outcome }: Subject) {
  const { kind, act } = transaction!
  if (outcome === null || (act !== 'purchase' && act !== 'authorise')) return {}
  const { rrn, approval, result, code = result === 'approved' ? '00' : undefined } = outcome
  return {
    ...(rrn !== undefined && { rrn }),
    ...(approval !== undefined && kind !== 'advice' && { approval }),
    ...(code !== undefined && kind === 'stored' && { code }),
  }
}

/** What was decided about somebody. */
export interface Decided {
  subject: Subject
  changes: readonly Change[]
}

/** The same, with all that its moves come to. */
interface Decision extends Decided {
  progress: Progress
  written: Written
}

const progressOf = (changes: readonly Change[]): Progress => {
  const progress: Progress = {}
  for (const change of changes) {
    if (change.kind !== 'move') continue
    const { kind: _, id: __, ...more } = change
    Object.assign(progress, more)
  }
  return progress
}

/** Every change of a kind, with the decision it is of. */
const only = <K extends Change['kind']>(decisions: readonly Decision[], kind: K) =>
  decisions.flatMap((decision) =>
    decision.changes
      .filter((change): change is ChangeOf<K> => change.kind === kind)
      .map((change) => ({ ...decision, change })),
  )

/** What a terminal is answered now, beside the message at hand. */
const answerOf = (changes: readonly Change[]) =>
  changes.find(
    (change): change is ChangeOf<'answer'> & { to: number } => change.kind === 'answer' && change.to !== 'this',
  )

/** How transactions go on. What is not named stays, for they are held. */
async function move(tx: Tx, decisions: readonly Decision[]): Promise<void> {
  const rows = decisions.flatMap(({ subject, changes, progress }) => {
    const code = answerOf(changes)?.code
    const named = { ...namesOf(subject), ...(code !== undefined && { code }) }
    if (subject.transaction === null || Object.keys({ ...progress, ...named }).length === 0) return []
    const isCompleted = progress.status === 'completed' && subject.transaction.status !== 'completed'
    return [{ ...subject.transaction, ...progress, ...named, isCompleted }]
  })
  if (rows.length === 0) return
  await tx`
    update transactions t set status = i.status, act = i.act, act_minor = i."actMinor", amount_minor = i."amountMinor",
      booked_minor = i."bookedMinor", refunded_minor = i."refundedMinor", is_given_up = i."isGivenUp",
      is_counted = i."isCounted", rrn = coalesce(i.rrn, t.rrn), approval = coalesce(i.approval, t.approval),
      code = coalesce(i.code, t.code), updated_at = now(),
      completed_at = case when i."isCompleted" then now() else t.completed_at end
    from jsonb_to_recordset(${tx.json(rows)}) as i (id bigint, status text, act text, "actMinor" bigint,
      "amountMinor" bigint, "bookedMinor" bigint, "refundedMinor" bigint, "isGivenUp" boolean, "isCounted" boolean,
      rrn text, approval text, code text, "isCompleted" boolean)
    where t.id = i.id`
}

/** What has become of a payment, where something has that people can see. */
function moveOf({ subject: { transaction }, progress }: Decision) {
  const { status, refundedMinor, amountMinor } = progress
  const known = transaction!
  const isMoved = status !== undefined && status !== known.status
  if (!isMoved && refundedMinor === undefined) return null
  return {
    word: isMoved ? status : ('refunded' as const),
    data: {
      transactionId: known.id,
      terminalId: known.terminalId,
      status: status ?? known.status,
      amountMinor: amountMinor ?? known.amountMinor,
      refundedMinor: refundedMinor ?? known.refundedMinor,
    },
  }
}

/** Whoever looks at transactions is told of each move that they can see; never of a card. */
function toldOf(decision: Decision): Happened[] {
  const { transaction, frame } = decision.subject
  const moved = moveOf(decision)
  return moved ? [{ kind: `transaction.${moved.word}`, userId: transaction!.userId, data: moved.data, frame }] : []
}

/** Who paid is told what it came to. */
function newsOf(decision: Decision): PaymentNews[] {
  const moved = moveOf(decision)
  const end = ends.find((word) => word === moved?.word)
  const { userId } = decision.subject.transaction!
  if (!moved || !end || userId === null) return []
  const { transactionId, refundedMinor, amountMinor } = moved.data
  return [{ userId, end, transactionId, amountMinor: end === 'refunded' ? refundedMinor : amountMinor }]
}

/** SQL: tells of transactions that the same statement begins: the rows of `t`, with these columns. @param frame SQL: see `appended` */
export const BEGUN = ['id', 'terminalId', 'userId', 'status', 'amountMinor', 'refundedMinor'] as const
export const tellBegun = (tx: Tx, frame: Fragment = tx`null`) =>
  appended(
    tx,
    tx`
      select 'transaction.' || status as kind, user_id, jsonb_build_object('transactionId', id, 'terminalId', terminal_id,
        'status', status, 'amountMinor', amount_minor, 'refundedMinor', refunded_minor) as data, ${frame}::text as frame from t`,
  )

/** Figures of the terminals' batches go up, each terminal's at once. */
async function count(tx: Tx, decisions: readonly Decision[]): Promise<void> {
  const sums = new Map<number, Figures & { terminal_id: number }>()
  for (const { subject, change } of only(decisions, 'count')) {
    const terminalId = subject.terminalId!
    const sum = sums.get(terminalId) ?? { ...noFigures, terminal_id: terminalId }
    sum[change.figure] += 1
    sum[`${change.figure}Minor`] += change.amountMinor
    sums.set(terminalId, sum)
  }
  if (sums.size === 0) return
  await tx`
    insert into terminal_batches as b (terminal_id, credits, credits_minor, debits, debits_minor, debits_reversed,
      debits_reversed_minor)
    select * from jsonb_to_recordset(${tx.json([...sums.values()])}) as i (terminal_id bigint, credits int,
      "creditsMinor" bigint, debits int, "debitsMinor" bigint, "debitsReversed" int, "debitsReversedMinor" bigint)
    on conflict (terminal_id) where closed_at is null do update set
      credits = b.credits + excluded.credits, credits_minor = b.credits_minor + excluded.credits_minor,
      debits = b.debits + excluded.debits, debits_minor = b.debits_minor + excluded.debits_minor,
      debits_reversed = b.debits_reversed + excluded.debits_reversed,
      debits_reversed_minor = b.debits_reversed_minor + excluded.debits_reversed_minor`
}

async function remember(tx: Tx, decisions: readonly Decision[]): Promise<void> {
  const rows = only(decisions, 'remember').map(({ subject: { terminalId }, change: { original, amountMinor } }) => ({
    ...{ terminal: terminalId, amount: amountMinor, mti: original.mti, stan: original.stan, sent_at: original.sentAt },
  }))
  if (rows.length === 0) return
  await tx`
    insert into terminal_reversals (terminal_id, original_mti, original_stan, original_sent_at, amount_minor)
    select terminal, mti, stan, sent_at, amount from jsonb_to_recordset(${tx.json(rows)})
      as i (terminal bigint, mti text, stan text, sent_at text, amount bigint)`
}

/** People have to look: what is told of it. */
const exceptionsOf = (decisions: readonly Decision[]) =>
  only(decisions, 'exception').map(({ subject, change: { id, what } }) => ({
    kind: 'transaction.exception',
    userId: subject.transaction?.userId ?? null,
    frame: subject.frame,
    data: { terminalId: subject.terminalId, transactionId: id, what },
  }))

async function except(tx: Tx, exceptions: ReturnType<typeof exceptionsOf>): Promise<void> {
  if (exceptions.length === 0) return
  await tx`
    insert into payment_exceptions (terminal_id, transaction_id, what)
    select "terminalId", "transactionId", what from jsonb_to_recordset(${tx.json(exceptions.map(({ data }) => data))})
      as i ("terminalId" bigint, "transactionId" bigint, what text)`
}

/** What the ledger has to know. */
const postsOf = (decisions: readonly Decision[]) =>
  decisions.flatMap(({ subject: { transaction, outcome }, changes }) => {
    const entries = changes.filter((change) => change.kind === 'post')
    return entries.length > 0 ? [{ transaction: transaction!, actId: outcome!.actId, entries }] : []
  })

/** The acquirer is to be told more, or again, or asked; a batch is over. The numbers are each decision's own. */
async function keep(tx: Tx, decisions: readonly Decision[]): Promise<void> {
  const tells = only(decisions, 'tell')
  const told = acts.tell(
    tx,
    tells.map(({ change, subject: { request } }) => ({ ...change, ...request })),
  )
  const again = only(decisions, 'tell_again').map(async ({ subject: { outcome }, written }) => {
    await acts.tellAgain(tx, outcome!.actId)
    written.told.push(outcome!.actId)
  })
  const asked = only(decisions, 'ask').map(async ({ subject: { outcome }, written }) => {
    const isLater = outcome!.isSilent ?? false
    await acts.ask(tx, outcome!.actId, isLater)
    if (!isLater) written.asked.push(outcome!.actId)
  })
  const over = only(decisions, 'close_batch').map(
    ({ subject: { terminalId } }) =>
      tx`update terminal_batches set closed_at = now() where terminal_id = ${terminalId} and closed_at is null`,
  )
  const [ids] = await Promise.all([told, ...again, ...asked, ...over])
  for (const { change, written } of tells) written.told.push(ids.get(change.id)!)
}

/** Those who wait for what their terminals said first. */
async function say(tx: Tx, decisions: readonly Decision[]): Promise<void> {
  const said = new Map(
    decisions.flatMap((decision) => {
      const found = answerOf(decision.changes)
      if (!found) return []
      const { kind: _, to, ...answer } = found
      return [[to, { answer, written: decision.written }] as const]
    }),
  )
  if (said.size === 0) return
  const answered = await answer(
    tx,
    [...said].map(([transactionId, { answer }]) => ({ transactionId, answer })),
  )
  for (const { transactionId, ...one } of answered) said.get(transactionId)!.written.answers.push(one)
}

/** Acts that the acquirer has answered, once their transactions wait for something else or for nothing. */
const closed = (decisions: readonly Decision[]) =>
  decisions.flatMap(({ subject: { outcome }, progress }) =>
    outcome !== null && progress.act !== undefined
      ? [{ id: outcome.actId, result: outcome.result, code: outcome.code ?? null }]
      : [],
  )

/**
 * Writes what was decided of transactions that are there, no two decisions of one of them; `begin` and the messages at hand are
 * the caller's, who holds the terminals. Each kind of change is one statement for all of them, and those that wait for nothing
 * of each other's are sent at once, in this order.
 */
export async function writeAll(tx: Tx, decided: readonly Decided[]): Promise<Written[]> {
  const decisions = decided.map((one): Decision => {
    const written: Written = { told: [], asked: [], answers: [] }
    return { ...one, progress: progressOf(one.changes), written }
  })
  const moving = decisions.filter(({ subject, changes }) => subject.transaction !== null && changes.length > 0)
  const exceptions = exceptionsOf(decisions)
  await Promise.all([
    move(tx, moving),
    acts.close(tx, closed(decisions)),
    keep(tx, decisions),
    say(tx, decisions),
    count(tx, decisions),
    remember(tx, decisions),
    books.post(tx, postsOf(decisions)),
    except(tx, exceptions),
    recordAll(tx, [...exceptions, ...moving.flatMap(toldOf)]),
    tellOwners(tx, moving.flatMap(newsOf)),
  ])
  return decisions.map(({ written }) => written)
}

/** The same of one. */
export const write = async (tx: Tx, subject: Subject, changes: readonly Change[]): Promise<Written> =>
  (await writeAll(tx, [{ subject, changes }]))[0]!
