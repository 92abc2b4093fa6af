import { batches } from '../postgres/batches.ts'
import { INBOX_CHANNEL } from '../postgres/channels.ts'
import type { Db } from '../postgres/connect.ts'
import { COLUMNS, hash, type NewWebhookEvent, type WebhookEvent } from './inbox.ts'

/** In one statement; of the largest bodies there are, what the database takes easily. */
const BATCH_MAX = 64

type Store = (given: NewWebhookEvent) => Promise<WebhookEvent | null>

/** By database and provider: what hangs of one keeps no other waiting. */
const stores = new WeakMap<Db, Map<string, Store>>()
const ringing = new WeakMap<Db, 'now' | 'again'>()

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

function storeOf(db: Db, provider: string): Store {
  const ofDb = stores.get(db) ?? new Map<string, Store>()
  stores.set(db, ofDb)
  const known = ofDb.get(provider)
  if (known) return known
  const work = async (batch: readonly NewWebhookEvent[]) => {
    const byKey = new Map((await insert(db, batch)).map((row) => [row.dedupKey, row]))
    return batch.map(({ dedupKey }) => {
      const row = byKey.get(dedupKey) ?? null
      // Of two with one key the first has it.
      byKey.delete(dedupKey)
      return row
    })
  }
  const store = batches(work, { max: BATCH_MAX })
  ofDb.set(provider, store)
  return store
}

/**
 * Stores a webhook event whose key nobody has said before; null: somebody has, and nothing was stored. It is committed when
 * this resolves. What comes while the last ones are being written is written together, for a commit costs as much as many.
 */
export const storeNew = (db: Db, given: NewWebhookEvent): Promise<WebhookEvent | null> =>
  storeOf(db, given.provider)(given)

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
