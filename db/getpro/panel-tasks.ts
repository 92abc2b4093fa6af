import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import { PANEL_CHANNEL } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Fragment, type Page, pageOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import type { panelTasks } from './schema.ts'
import type { PanelTaskState } from './words.ts'

/** After so many attempts in a row it waits for an operator: about a day. */
const ATTEMPTS_MAX = 30
/** 10 s, 20 s, 40 s … an hour. */
const BACKOFF_SECONDS = 10
const BACKOFF_SECONDS_MAX = 3_600
const errorCharactersMax = 300

type Row = typeof panelTasks.$inferSelect
const COLUMNS = [
  'id',
  'accountId',
  'reason',
  'state',
  'attempts',
  'dueAt',
  'lastError',
  'createdAt',
  'changedAt',
  'doneAt',
] as const satisfies (keyof Row)[]

/** What the panel is to be told of an account, and how that stands. */
export type PanelTask = Pick<Row, (typeof COLUMNS)[number]>

/** A task that somebody has for the present. */
export type Claimed = Pick<Row, 'id' | 'accountId' | 'attempts' | 'claims' | 'version'>

/**
 * Says that an account's access changed, in the transaction that changes it. There is one task of an account: what the panel is
 * told is how things stand, so that changes never overtake each other, and a hundred of them are one call.
 */
export async function enqueue(tx: Tx, accountId: number, reason: string): Promise<void> {
  await tx`
    with wanted as (
      insert into panel_tasks as t (account_id, reason) values (${accountId}, ${reason})
      on conflict (account_id) do update set reason = excluded.reason, version = t.version + 1, state = 'waiting',
        attempts = 0, due_at = now(), changed_at = now()
    )
    select pg_notify(${PANEL_CHANNEL}, '')`
}

/** Takes tasks that are due, each for one worker, the oldest first. */
export const claim = (q: Queryable, limit: number, leaseSeconds: number) => q<Claimed[]>`
  update panel_tasks set leased_until = now() + make_interval(secs => ${leaseSeconds}), claims = claims + 1,
    attempts = attempts + 1
  where id in (
    select id from panel_tasks
    where state = 'waiting' and due_at <= now() and (leased_until is null or leased_until <= now())
    order by due_at, id limit ${limit} for update skip locked)
  returning id, account_id, attempts, claims, version`

/**
 * Writes what came of a task. If its account changed meanwhile it stays due; so it is if its lease was over, for then two may
 * have told the panel, and nobody knows who was last.
 */
async function end(tx: Tx, { id, claims, version }: Claimed, values: Fragment): Promise<void> {
  const [mine] = await tx<{ isSame: boolean }[]>`
    update panel_tasks set leased_until = null where id = ${id} and claims = ${claims}
    returning version = ${version} as is_same`
  if (!mine) await tx`update panel_tasks set state = 'waiting', due_at = now() where id = ${id}`
  else if (mine.isSame) await tx`update panel_tasks set ${values} where id = ${id}`
}

/** The panel knows. */
export const finish = (tx: Tx, task: Claimed): Promise<void> =>
  end(tx, task, tx`state = 'done', attempts = 0, last_error = null, done_at = now()`)

/** Why the panel could not be told. */
export interface Failure {
  why: string
  /** Trying again is no use. */
  isFinal: boolean
  /** It said when to come again. */
  seconds?: number
}

/** Later again, or never. @returns whether it waits for an operator now */
export async function fail(tx: Tx, task: Claimed, { why, isFinal, seconds }: Failure): Promise<boolean> {
  const isGivenUp = isFinal || task.attempts >= ATTEMPTS_MAX
  const pause = seconds ?? Math.min(BACKOFF_SECONDS * 2 ** (task.attempts - 1), BACKOFF_SECONDS_MAX)
  await end(
    tx,
    task,
    tx`state = ${isGivenUp ? 'failed' : 'waiting'}, last_error = ${why.slice(0, errorCharactersMax)},
      due_at = now() + make_interval(secs => ${pause})`,
  )
  return isGivenUp
}

/** One page of the tasks, what changed last first. */
export async function list(
  q: Queryable,
  given: { state?: PanelTaskState | undefined; limit: number; offset: number },
): Promise<Page<PanelTask>> {
  const of = q`panel_tasks t where ${given.state ? q`state = ${given.state}` : q`true`}`
  return await pageOf(
    q,
    of,
    q`select ${columnsOf(q, 't', COLUMNS)} from ${of} order by changed_at desc, id desc`,
    given,
  )
}

/** Tries a task again now, whatever became of it. @throws Refused not_found (task_unknown) */
export async function replay(tx: Tx, actor: Actor, id: number): Promise<PanelTask> {
  const [row] = await tx<PanelTask[]>`
    update panel_tasks set state = 'waiting', attempts = 0, due_at = now(), version = version + 1 where id = ${id}
    returning ${tx(COLUMNS)}`
  if (!row) throw new Refused('not_found', 'there is no such task', { reason: 'task_unknown' })
  await tx`select pg_notify(${PANEL_CHANNEL}, '')`
  await audit.record(tx, actor, 'getpro', {
    action: 'panel_task.replay',
    entityType: 'panel_task',
    entityId: id,
    newValues: { accountId: row.accountId },
  })
  return row
}
