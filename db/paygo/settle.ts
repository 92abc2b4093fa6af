import { batches } from '../postgres/batches.ts'
import type { Db } from '../postgres/connect.ts'
import type { Acquirer, AcquirerState, Reply, Spoken } from './acquirer.ts'
import * as acts from './acts.ts'
import type { Answered } from './answers.ts'
import { type Outcome, type Written, writeAll } from './change-writer.ts'
import type { Change } from './decide/changes.ts'
import { decide } from './decide/decide.ts'
import type { Report } from './decide/snapshot.ts'
import { type ActAtHand, about, actsAtHand } from './snapshot-loader.ts'

/** So many things are told and asked of one act and what follows from it, at most; the rest is `sweep`'s. */
const STEPS_MAX = 6

/** Acts that are read, or written down, together. */
const BATCH_MAX = 100

/** Something to be done with the acquirer: an act is told, or it is asked what became of it. */
interface Step {
  kind: 'tell' | 'ask'
  actId: number
}

const silent = { result: 'silent', known: 'silent' } as const

/** What is said in time; nothing counts as silence. What cannot be asked at all is thrown, and `sweep` comes back to it. */
async function inTime<T>({ limitMs }: Acquirer, said: Promise<T>): Promise<T | typeof silent> {
  const { promise, resolve } = Promise.withResolvers<typeof silent>()
  // A process that stops need not wait: the act is written, and swept by whoever comes next.
  const timer = setTimeout(resolve, limitMs, silent).unref()
  return await Promise.race([said, promise]).finally(() => clearTimeout(timer))
}

type OutcomeOf = (act: ActAtHand, changes: Change[]) => Omit<Outcome, 'actId'>

/** What was said of an act, or is to be looked up of it. */
interface Word {
  actId: number
  reportOf(act: ActAtHand): Report
  outcomeOf: OutcomeOf
}

/** What was said of acts, no two of them of one transaction, becomes rows, if it still means something. */
const work = (db: Db, words: readonly Word[]): Promise<Written[]> =>
  db.transaction(async (tx) => {
    const ids = words.map(({ actId }) => actId)
    const known = await actsAtHand(tx, ids)
    const decided = words.map(({ actId, reportOf, outcomeOf }) => {
      const act = known.get(actId)!
      const { transaction } = act
      // What the acquirer says of the whole may be about what was told after this.
      const report = reportOf(act)
      const changes = act.isOpen || report.kind !== 'state' ? decide(about(transaction), report) : []
      const outcome = { actId, ...outcomeOf(act, changes) }
      return { subject: { terminalId: transaction.terminalId, transaction, outcome }, changes }
    })
    return await writeAll(tx, decided)
  })

/** The acquirer has answered, or not. */
const replied = (actId: number, reply: Reply): Word => ({
  actId,
  reportOf: ({ act, amountMinor, isOpen }) => ({ ...reply, kind: 'outcome', act, amountMinor, isOpen }),
  outcomeOf: () => reply,
})

/** What it says it has shows what became of an act: of a purchase that is reversed now, nobody will know. */
const stated = (actId: number, state: AcquirerState): Word => ({
  actId,
  reportOf: () => ({ kind: 'state', amountMinor: 0, refundedMinor: 0, ...state }),
  outcomeOf: ({ act }, changes) => {
    const isInDoubt = (act === 'purchase' || act === 'authorise') && !changes.some(({ kind }) => kind === 'post')
    return { result: isInDoubt ? 'silent' : 'approved', isSilent: state.known === 'silent' }
  },
})

/** What acts need of the database, together with others that need it at the same time. */
interface Desk {
  orderOf(actId: number): Promise<Awaited<ReturnType<typeof acts.ordersOf>>[number] | null>
  /** Of one transaction one after the other. */
  write(said: { transactionId: number; word: Word }): Promise<Written>
}

const desks = new WeakMap<Db, Desk>()

function deskOf(db: Db): Desk {
  const known = desks.get(db)
  if (known) return known
  const desk: Desk = {
    orderOf: batches(
      async (ids: readonly number[]) => {
        const orders = new Map((await acts.ordersOf(db.sql, ids)).map((order) => [order.number, order]))
        return ids.map((id) => orders.get(id) ?? null)
      },
      { max: BATCH_MAX },
    ),
    write: batches(
      (some) =>
        work(
          db,
          some.map(({ word }) => word),
        ),
      { max: BATCH_MAX, keyOf: ({ transactionId }) => transactionId },
    ),
  }
  desks.set(db, desk)
  return desk
}

/** What is in doubt is never told before it was asked for. */
async function take(db: Db, acquirer: Acquirer, { kind, actId }: Step): Promise<Written> {
  const desk = deskOf(db)
  const order = await desk.orderOf(actId)
  if (order === null || (kind === 'tell' && order.result !== null)) return { told: [], asked: [], answers: [] }
  const { result: _, ...told } = order
  const { transactionId } = told
  const word =
    kind === 'tell'
      ? replied(actId, await inTime(acquirer, acquirer.tell(told)))
      : stated(actId, await inTime(acquirer, acquirer.stateOf(transactionId)))
  return await desk.write({ transactionId, word })
}

/** One step after the other, as each is written: what waits for a lease that is over is done by `sweep`. */
async function follow(db: Db, acquirer: Acquirer, begin: Step): Promise<Answered[]> {
  const steps = [begin]
  const answers: Answered[] = []
  for (let taken = 0; steps.length > 0 && taken < STEPS_MAX; taken++) {
    const written = await take(db, acquirer, steps.shift()!)
    answers.push(...written.answers)
    steps.push(...written.told.map((actId) => ({ kind: 'tell' as const, actId })))
    steps.push(...written.asked.map((actId) => ({ kind: 'ask' as const, actId })))
  }
  return answers
}

/**
 * Tells the acquirer what these acts say, writes what comes of it and goes on with what follows, until nothing is to be
 * done now. Outside any transaction. An act that is being settled by somebody else as well is done once all the same.
 * @returns the answers that terminals have got by it; each is told by TERMINAL_ANSWER_CHANNEL as soon as it is written
 */
export async function settle(db: Db, acquirer: Acquirer, actIds: readonly number[]): Promise<Answered[]> {
  const answers = await Promise.all(actIds.map((actId) => follow(db, acquirer, { kind: 'tell', actId })))
  return answers.flat()
}

/**
 * The same for somebody who waits so long at most: it goes on beyond that, and whoever looks at the rows later sees what it
 * came to. `failed` hears what went wrong then.
 */
export async function settleWithin(
  db: Db,
  acquirer: Acquirer,
  actIds: readonly number[],
  waitMs: number,
  failed: (error: unknown) => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, waitMs)
  const settled = settle(db, acquirer, actIds)
    .catch(failed)
    .finally(() => clearTimeout(timer))
  await Promise.race([settled, promise])
}

/** What the acquirer says of a number without being asked: too late, or once more. */
export async function answered(db: Db, acquirer: Acquirer, actId: number, reply: Spoken): Promise<Answered[]> {
  const [written] = await work(db, [replied(actId, reply)])
  const { told, answers } = written!
  return [...answers, ...(await settle(db, acquirer, told))]
}

/**
 * Goes on with acts whose time is over, because whoever told them died or the acquirer was silent: in any process, in
 * several at once, each act in one. Nobody knows whether they were told: that is asked, never told again.
 */
export async function sweep(db: Db, acquirer: Acquirer, limit: number): Promise<Answered[]> {
  const claimed = await acts.claim(db.sql, limit)
  const answers = await Promise.all(
    claimed.map(async ({ id, transactionId, result }) => {
      if (result !== null) return await follow(db, acquirer, { kind: 'ask', actId: id })
      const { asked, answers } = await deskOf(db).write({ transactionId, word: replied(id, { result: 'silent' }) })
      const further = await Promise.all(asked.map((actId) => follow(db, acquirer, { kind: 'ask', actId })))
      return [...answers, ...further.flat()]
    }),
  )
  return answers.flat()
}
