import { createHash } from 'node:crypto'
import { Refused } from '../platform/refused.ts'
import { INBOX_CHANNEL } from '../postgres/channels.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import type { inbox } from './schema.ts'
import type { InboxState } from './words.ts'

type Row = typeof inbox.$inferSelect
/** What is read of a webhook event. */
export const COLUMNS = [
  'id',
  'provider',
  'dedupKey',
  'contentHash',
  'headers',
  'state',
  'attempts',
  'result',
  'lastError',
  'repeats',
  'receivedAt',
  'workedAt',
] as const satisfies (keyof Row)[]

/** What somebody outside told us, and what became of it (docs/providers.md 0 rule 5). */
export type WebhookEvent = Pick<Row, (typeof COLUMNS)[number]>

/** A webhook event with its bytes. */
export type Stored = WebhookEvent & Pick<Row, 'raw' | 'address'>

export interface NewWebhookEvent {
  provider: string
  /** What makes it the same webhook event for its sender. */
  dedupKey: string
  /** What it says, in a form that is the same whenever it says the same. */
  content: string
  raw: Buffer
  headers: Record<string, string>
  address: string | null
  /** It tells how its subject is now, not what happened once: other content is newer content, not a contradiction. */
  isState?: boolean
}

/** How the work on a webhook event ended. `unmatched`: it names what we do not know yet, and may be worked again. */
export interface Outcome {
  state: 'done' | 'ignored' | 'failed' | 'unmatched'
  result: Record<string, unknown>
  /** For the operator: why it is not done. Never personal data. */
  why?: string
}

/** States in which nothing was done for a webhook event yet. */
const open: readonly InboxState[] = ['received', 'failed', 'unmatched']
export const isOpen = ({ state }: WebhookEvent) => open.includes(state)
/** After so many failures of ours it waits for an operator. */
const ATTEMPTS_MAX = 6
/** 10 s, 40 s, 160 s, 11 min, 43 min. */
const BACKOFF_SECONDS = 10
const BACKOFF_FACTOR = 4
/** What names an unknown patient is tried again so often, and for so long (docs/providers.md 9). */
const REMATCH_MINUTES = 10
const REMATCH_HOURS = 24
const errorCharactersMax = 300
const raceAttemptsMax = 5

/** SHA-256 as hex. */
export const hash = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')

async function add(
  tx: Tx,
  given: NewWebhookEvent,
  dedupKey: string,
  lastError: string | null,
): Promise<WebhookEvent | undefined> {
  const { provider, content, raw, headers, address } = given
  const [row] = await tx<WebhookEvent[]>`
    insert into inbox (provider, dedup_key, content_hash, raw, headers, address, state, last_error)
    values (${provider}, ${dedupKey}, ${hash(content)}, ${raw}, ${tx.json(headers)}, ${address},
      ${lastError === null ? 'received' : 'failed'}, ${lastError})
    on conflict (provider, dedup_key) do nothing returning ${tx(COLUMNS)}`
  return row
}

/**
 * Stores a webhook event; its transaction commits before it is answered. The same said again is the same row. Under a key
 * that said something else, it takes that row's place as long as nothing was done for it (or it `isState`); else it is
 * a `conflict`, kept beside the first as failed.
 */
export async function receive(
  tx: Tx,
  given: NewWebhookEvent,
): Promise<{ webhookEvent: WebhookEvent; is: 'new' | 'repeat' | 'conflict' }> {
  const { provider, dedupKey, isState = false } = given
  for (let attempt = 0; attempt < raceAttemptsMax; attempt++) {
    const fresh = await add(tx, given, dedupKey, null)
    if (fresh) return { webhookEvent: fresh, is: 'new' }
    // One after the other: who waited for a row that is replaced meanwhile finds none under its key, again and again.
    await tx`select pg_advisory_xact_lock(hashtextextended(${`inbox ${provider} ${dedupKey}`}, 0))`
    const [known] = await tx<WebhookEvent[]>`
      select ${tx(COLUMNS)} from inbox where provider = ${provider} and dedup_key = ${dedupKey} for update`
    if (!known) continue
    if (known.contentHash === hash(given.content)) return { webhookEvent: await repeated(tx, known.id), is: 'repeat' }
    if (!isState && known.state !== 'unmatched' && known.state !== 'failed') {
      const other = `${dedupKey} ≠ ${hash(given.content)}`
      const kept = await add(tx, given, other, 'the same key was said with other content')
      if (kept) return { webhookEvent: kept, is: 'conflict' }
      const [again] = await tx<{ id: number }[]>`
        select id from inbox where provider = ${provider} and dedup_key = ${other} for update`
      return { webhookEvent: await repeated(tx, again!.id), is: 'conflict' }
    }
    await tx`
      update inbox set dedup_key = dedup_key || ' until ' || id,
        state = case when state in ('done', 'ignored') then state else 'ignored' end
      where id = ${known.id}`
  }
  throw new Error('a webhook event was replaced again and again while it was received')
}

async function repeated(tx: Tx, id: number): Promise<WebhookEvent> {
  const [row] = await tx<
    WebhookEvent[]
  >`update inbox set repeats = repeats + 1 where id = ${id} returning ${tx(COLUMNS)}`
  return row!
}

/** Keeps what could not be read at all, once per content: it is failed from the beginning. */
export async function keepUnread(
  tx: Tx,
  given: Omit<NewWebhookEvent, 'dedupKey' | 'content'>,
  why: string,
): Promise<WebhookEvent> {
  const content = hash(given.raw)
  const key = `unread ${content}`
  const kept = await add(tx, { ...given, dedupKey: key, content }, key, why.slice(0, errorCharactersMax))
  if (kept) return kept
  const [known] = await tx<{ id: number }[]>`
    select id from inbox where provider = ${given.provider} and dedup_key = ${key} for update`
  return repeated(tx, known!.id)
}

/**
 * Works a webhook event once: what it causes, its state and its result in one transaction. `prepare` runs before it and may
 * ask the outside; it gives what is to be done. A webhook event that is done is given back as it is. A failure of ours is
 * counted and thrown on; it is due again later, at most six times. Locks the webhook event before anything else.
 * @param isAsked an operator asked for it in their own words: a refusal is an answer to them, and nothing is counted
 * @throws Refused not_found, and what `prepare` and its work throw
 */
export async function work(
  db: Db,
  id: number,
  prepare: (webhookEvent: Stored) => Promise<(tx: Tx) => Promise<Outcome>>,
  { isAsked = false } = {},
): Promise<{ webhookEvent: WebhookEvent; isWorked: boolean }> {
  const stored = await get(db.sql, id)
  if (!stored) throw new Refused('not_found', `webhook event ${id}`)
  if (!isOpen(stored)) return { webhookEvent: stored, isWorked: false }
  try {
    const act = await prepare(stored)
    return await db.transaction(async (tx) => {
      const [webhookEvent] = await tx<WebhookEvent[]>`select ${tx(COLUMNS)} from inbox where id = ${id} for update`
      if (!isOpen(webhookEvent!)) return { webhookEvent: webhookEvent!, isWorked: false }
      const { state, result, why = null } = await act(tx)
      const [worked] = await tx<WebhookEvent[]>`
        update inbox set state = ${state}, result = ${tx.json(result)}, last_error = ${why},
          attempts = attempts + 1, worked_at = now()
        where id = ${id} and state = ${webhookEvent!.state} returning ${tx(COLUMNS)}`
      return { webhookEvent: worked!, isWorked: true }
    })
  } catch (error) {
    if (!(isAsked && error instanceof Refused)) await fail(db, id, error as Error)
    throw error
  }
}

/** Counts an attempt that failed on our side; what was done meanwhile by somebody else stays done. */
export async function fail(db: Db, id: number, error: Error): Promise<void> {
  await db.transaction(
    (tx) => tx`
      update inbox set attempts = attempts + 1, worked_at = now(),
        last_error = ${error.message.slice(0, errorCharactersMax)},
        state = case when state = 'failed' or attempts + 1 >= ${ATTEMPTS_MAX} then 'failed' else 'received' end
      where id = ${id} and state = any(${[...open]}::text[])`,
  )
}

/** SQL: when a webhook event is to be tried: at once, a while after it failed, or when we may know what it names; null: never by itself. */
export const dueAt = (q: Queryable) => q`
  case state
    when 'received' then case when attempts = 0 then received_at
      else worked_at + make_interval(secs => ${BACKOFF_SECONDS} * power(${BACKOFF_FACTOR}, attempts - 1)) end
    when 'unmatched' then case when received_at > now() - make_interval(hours => ${REMATCH_HOURS})
      then worked_at + make_interval(mins => ${REMATCH_MINUTES}) end
  end`

/** Which webhook events of a provider are due, oldest first. */
export async function due(q: Queryable, provider: string, limit: number): Promise<number[]> {
  const rows = await q<{ id: number }[]>`
    select id from inbox
    where provider = ${provider} and state in ('received', 'unmatched') and ${dueAt(q)} <= now()
    order by id limit ${limit}`
  return rows.map(({ id }) => id)
}

/** Wakes whoever works the webhook events nobody waits for, when the transaction commits. */
export async function ring(tx: Tx): Promise<void> {
  await tx`select pg_notify(${INBOX_CHANNEL}, '')`
}

export async function get(q: Queryable, id: number): Promise<Stored | undefined> {
  const [row] = await q<Stored[]>`select ${q(COLUMNS)}, raw, address from inbox where id = ${id}`
  return row
}

/** The latest webhook events, newest first. */
export async function list(
  q: Queryable,
  { state, provider, limit }: { state?: InboxState | undefined; provider?: string | undefined; limit: number },
): Promise<WebhookEvent[]> {
  return await q<WebhookEvent[]>`
    select ${q(COLUMNS)} from inbox
    where ${state ? q`state = ${state}` : q`true`} and ${provider ? q`provider = ${provider}` : q`true`}
    order by id desc limit ${limit}`
}

/** One page of what these providers told us, newest first. */
export async function page(
  q: Queryable,
  given: { providers: readonly string[]; state?: InboxState | undefined; limit: number; offset: number },
): Promise<{ rows: WebhookEvent[]; total: number }> {
  const { providers, state, limit, offset } = given
  const asked = q`provider = any(${[...providers]}::text[]) and ${state ? q`state = ${state}` : q`true`}`
  const [counted] = await q<{ total: number }[]>`select count(*) as total from inbox where ${asked}`
  const rows = await q<WebhookEvent[]>`
    select ${q(COLUMNS)} from inbox where ${asked} order by id desc limit ${limit} offset ${offset}`
  return { rows, total: counted!.total }
}

/** Takes a webhook event out of the way whose content was received anew under its own key. */
export async function supersede(tx: Tx, id: number, by: number): Promise<void> {
  await tx`
    update inbox set state = 'ignored', worked_at = now(), result = ${tx.json({ status: 'superseded', by })}
    where id = ${id} and state = any(${[...open]}::text[])`
}
