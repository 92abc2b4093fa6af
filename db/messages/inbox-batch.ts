import { INBOX_CHANNEL } from '../postgres/channels.ts'
import type { Db } from '../postgres/connect.ts'
import { COLUMNS, hash, type NewWebhookEvent, type WebhookEvent } from './inbox.ts'

/** In one statement; of the largest bodies there are, what the database takes easily. */
const BATCH_MAX = 64

interface Waiting {
  given: NewWebhookEvent
  resolve(row: WebhookEvent | null): void
  reject(error: unknown): void
}

interface Queue {
  waiting: Waiting[]
  isBusy: boolean
}

/** By database and provider: what hangs of one keeps no other waiting. */
const queues = new WeakMap<Db, Map<string, Queue>>()
const ringing = new WeakMap<Db, 'now' | 'again'>()

function queueOf(db: Db, provider: string): Queue {
  const ofDb = queues.get(db) ?? new Map<string, Queue>()
  const queue = ofDb.get(provider) ?? { waiting: [], isBusy: false }
  queues.set(db, ofDb.set(provider, queue))
  return queue
}

/** All of them that are new, in one statement, which is its own transaction: committed when this returns. */
async function insert(db: Db, batch: readonly NewWebhookEvent[]): Promise<WebhookEvent[]> {
  const rows = batch.map(({ provider, dedupKey, content, raw, headers, address }) => ({
    ...{ provider, dedup_key: dedupKey, content_hash: hash(content), raw: raw.toString('base64'), headers, address },
  }))
  return await db.sql<WebhookEvent[]>`
    insert into inbox (provider, dedup_key, content_hash, raw, headers, address)
    select provider, dedup_key, content_hash, decode(raw, 'base64'), headers, address
    from jsonb_to_recordset(${db.sql.json(rows)})
      as i (provider text, dedup_key text, content_hash text, raw text, headers jsonb, address text)
    on conflict (provider, dedup_key) do nothing returning ${db.sql(COLUMNS)}`
}

/** Each hears of its own row; of two with one key the first has it. */
function answer(batch: readonly Waiting[], rows: readonly WebhookEvent[]): void {
  const byKey = new Map(rows.map((row) => [row.dedupKey, row]))
  for (const { given, resolve } of batch) {
    resolve(byKey.get(given.dedupKey) ?? null)
    byKey.delete(given.dedupKey)
  }
}

async function drain(db: Db, queue: Queue): Promise<void> {
  queue.isBusy = true
  while (queue.waiting.length > 0) {
    const batch = queue.waiting.splice(0, BATCH_MAX)
    try {
      answer(
        batch,
        await insert(
          db,
          batch.map(({ given }) => given),
        ),
      )
    } catch (error) {
      // One that cannot be stored is nobody else's fault.
      if (batch.length === 1) batch[0]!.reject(error)
      else for (const one of batch) await insert(db, [one.given]).then((rows) => answer([one], rows), one.reject)
    }
  }
  queue.isBusy = false
}

/**
 * Stores a webhook event whose key nobody has said before; null: somebody has, and nothing was stored. It is committed when
 * this resolves. What comes while the last ones are being written is written together, for a commit costs as much as many.
 */
export async function storeNew(db: Db, given: NewWebhookEvent): Promise<WebhookEvent | null> {
  const queue = queueOf(db, given.provider)
  const { promise, resolve, reject } = Promise.withResolvers<WebhookEvent | null>()
  queue.waiting.push({ given, resolve, reject })
  if (!queue.isBusy) void drain(db, queue)
  return await promise
}

/**
 * Wakes whoever works webhook events, now that they are committed: one bell for all that came while the last one rang, for
 * transactions that notify commit one after the other. One that is lost costs a poll.
 */
export function ringSoon(db: Db): void {
  if (ringing.has(db)) return void ringing.set(db, 'again')
  ringing.set(db, 'now')
  const ring = async (): Promise<void> => {
    await db.sql`select pg_notify(${INBOX_CHANNEL}, '')`.catch(() => undefined)
    const isOver = ringing.get(db) === 'now'
    ringing.set(db, 'now')
    return isOver ? void ringing.delete(db) : await ring()
  }
  void ring()
}
