import { appended, record } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'
import * as acts from './acts.ts'
import { type Answered, answer } from './answers.ts'
import * as books from './books.ts'
import type { Change, ChangeOf, Progress } from './decide/changes.ts'
import type { KnownTransaction } from './snapshot-loader.ts'
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

/** How a transaction goes on. `code`: what its terminal is answered now. */
function move(tx: Tx, subject: Subject, progress: Progress, code: string | undefined) {
  const { id, status } = subject.transaction!
  const values = { ...progress, ...namesOf(subject), ...(code !== undefined && { code }) }
  if (Object.keys(values).length === 0) return null
  const isCompleted = progress.status === 'completed' && status !== 'completed'
  return tx`
    update transactions set ${tx(values as Record<string, string>)}, updated_at = now()
      ${isCompleted ? tx`, completed_at = now()` : tx``}
    where id = ${id}`
}

/** Whoever looks at transactions is told of each move that they can see; never of a card. */
function tellOf(tx: Tx, { transaction }: Subject, { status, refundedMinor, amountMinor }: Progress) {
  const known = transaction!
  const isMoved = status !== undefined && status !== known.status
  if (!isMoved && refundedMinor === undefined) return null
  return record(tx, `transaction.${isMoved ? status : 'refunded'}`, {
    userId: known.userId,
    data: {
      transactionId: known.id,
      terminalId: known.terminalId,
      status: status ?? known.status,
      amountMinor: amountMinor ?? known.amountMinor,
      refundedMinor: refundedMinor ?? known.refundedMinor,
    },
  })
}

/** SQL: tells of a transaction that the same statement begins: the row `t`, with these columns. */
export const BEGUN = ['id', 'terminalId', 'userId', 'status', 'amountMinor', 'refundedMinor'] as const
export const tellBegun = (tx: Tx) =>
  appended(
    tx,
    tx`
      select 'transaction.' || status as kind, user_id, jsonb_build_object('transactionId', id, 'terminalId', terminal_id,
        'status', status, 'amountMinor', amount_minor, 'refundedMinor', refunded_minor) as data from t`,
  )

const count = (tx: Tx, terminalId: number, { figure, amountMinor }: ChangeOf<'count'>) => {
  const [number, sum] = [tx(figure), tx(`${figure}Minor`)]
  return tx`
    insert into terminal_batches as b (terminal_id, ${number}, ${sum}) values (${terminalId}, 1, ${amountMinor})
    on conflict (terminal_id) where closed_at is null
    do update set ${number} = b.${number} + 1, ${sum} = b.${sum} + excluded.${sum}`
}

const remember = (tx: Tx, terminalId: number, { original, amountMinor }: ChangeOf<'remember'>) => tx`
  insert into terminal_reversals (terminal_id, original_mti, original_stan, original_sent_at, amount_minor)
  values (${terminalId}, ${original.mti}, ${original.stan}, ${original.sentAt}, ${amountMinor})`

/** Tells people that they have to look. */
export async function except(
  tx: Tx,
  { terminalId, transaction }: Pick<Subject, 'terminalId' | 'transaction'>,
  { id, what }: Omit<ChangeOf<'exception'>, 'kind'>,
): Promise<void> {
  await tx`insert into payment_exceptions (terminal_id, transaction_id, what) values (${terminalId}, ${id}, ${what})`
  const data = { terminalId, transactionId: id, what }
  await record(tx, 'transaction.exception', { userId: transaction?.userId ?? null, data })
}

/** What is written one by one: the acquirer is told or asked, people have to look, a batch is over. */
async function keep(tx: Tx, subject: Subject, change: Change, written: Written): Promise<void> {
  const actId = subject.outcome?.actId
  if (change.kind === 'tell') written.told.push(await acts.tell(tx, change, subject.request ?? null))
  else if (change.kind === 'tell_again') {
    await acts.tellAgain(tx, actId!)
    written.told.push(actId!)
  } else if (change.kind === 'ask') {
    const isLater = subject.outcome!.isSilent ?? false
    await acts.ask(tx, actId!, isLater)
    if (!isLater) written.asked.push(actId!)
  } else if (change.kind === 'answer' && change.to !== 'this') {
    const { kind: _, to, ...said } = change
    written.answers.push(...(await answer(tx, to, said)))
  } else if (change.kind === 'count') await count(tx, subject.terminalId!, change)
  else if (change.kind === 'remember') await remember(tx, subject.terminalId!, change)
  else if (change.kind === 'exception') await except(tx, subject, change)
  else if (change.kind === 'close_batch')
    await tx`
      update terminal_batches set closed_at = now() where terminal_id = ${subject.terminalId} and closed_at is null`
}

/**
 * Writes what was decided of a transaction that is there; `begin` and the message at hand are the caller's. The caller
 * holds the terminal. Statements that wait for nothing of each other's are sent at once, in this order.
 */
export async function write(tx: Tx, subject: Subject, changes: readonly Change[]): Promise<Written> {
  const only = <K extends Change['kind']>(kind: K) =>
    changes.filter((change): change is ChangeOf<K> => change.kind === kind)
  const { transaction, outcome } = subject
  const moves = only('move')
  const progress: Progress = {}
  for (const { kind: _, id: __, ...more } of moves) Object.assign(progress, more)
  const answered = only('answer').find(({ to }) => to !== 'this')
  const posts = only('post')
  const written: Written = { told: [], asked: [], answers: [] }
  const isClosed = outcome !== null && moves.some(({ act }) => act !== undefined)
  await Promise.all([
    posts.length > 0 ? books.post(tx, transaction!, outcome!.actId, posts) : null,
    transaction && changes.length > 0 ? move(tx, subject, progress, answered?.code) : null,
    isClosed ? acts.close(tx, outcome.actId, outcome.result, outcome.code ?? null) : null,
    ...changes.map((change) => keep(tx, subject, change, written)),
    transaction ? tellOf(tx, subject, progress) : null,
  ])
  return written
}
