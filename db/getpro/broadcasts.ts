import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import type { Fragment } from '../postgres/rows.ts'
import * as notices from './notices.ts'
import { Refused } from './refused.ts'

/** Plain text, in Russian and, where it is given, in English. */
export interface News {
  ru: { title: string; body: string }
  en?: { title: string; body: string } | undefined
}

/** Whom it is for: these, everybody, or those who have access now. */
export type Audience = { accountIds: readonly number[] } | 'all' | 'active'

/** Something told to many. Said again by the same key, with the same hash, it is told once. */
export interface NewBroadcast {
  news: News
  to: Audience
  key: string
  hash: string
}

/** A broadcast that is there. */
export interface Broadcast {
  id: number
  /** To how many. */
  total: number
}

/** SQL: whom it is for. */
function whomOf(tx: Tx, to: Audience): Fragment {
  if (to === 'all') return tx`true`
  if (to === 'active') return tx`exists (select from subscriptions s where s.account_id = a.id and s.ends_at > now())`
  return tx`a.id = any(${[...to.accountIds]}::bigint[])`
}

/**
 * Tells many something: all of it is written at once, and sent by whoever sends.
 * @throws Refused not_found (account_unknown), idempotency_mismatch
 */
export async function send(tx: Tx, actor: Actor, { news, to, key, hash }: NewBroadcast): Promise<Broadcast> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`broadcast ${key}`}, 0))`
  const [before] = await tx<(Broadcast & { requestHash: string })[]>`
    select id, total, request_hash from getpro_broadcasts
    where created_by = ${actor.userId} and idempotency_key = ${key}`
  if (before && before.requestHash !== hash)
    throw new Refused('idempotency_mismatch', 'the key was used for other news')
  if (before) return { id: before.id, total: before.total }
  const whom = whomOf(tx, to)
  const [made] = await tx<Broadcast[]>`
    insert into getpro_broadcasts (words, total, created_by, idempotency_key, request_hash)
    select ${tx.json({ ...news })}, count(*)::int, ${actor.userId}, ${key}, ${hash}
    from getpro_accounts a where ${whom} and a.deleted_at is null returning id, total`
  if (typeof to === 'object' && new Set(to.accountIds).size !== made!.total)
    throw new Refused('not_found', 'one of them is unknown', { reason: 'account_unknown' })
  const data = tx`case when a.language_code like 'ru%' then ${tx.json(news.ru)}::jsonb
    else ${tx.json(news.en ?? news.ru)}::jsonb end`
  await notices.write(tx, whom, { kind: 'getpro.news', data, key: `broadcast ${made!.id}`, batchId: made!.id })
  await audit.record(tx, actor, 'getpro', {
    action: 'broadcast.send',
    entityType: 'getpro_broadcast',
    entityId: made!.id,
    newValues: { title: news.ru.title, total: made!.total },
  })
  return made!
}

/** How far a broadcast has got on each way that leaves the house. */
export type Progress = Broadcast & { createdAt: Date } & Record<
    'telegram' | 'email',
    { queued: number; sent: number; failed: number }
  >

/** @throws Refused not_found (broadcast_unknown) */
export async function progress(q: Queryable, id: number): Promise<Progress> {
  const [broadcast] = await q<(Broadcast & { createdAt: Date })[]>`
    select id, total, created_at from getpro_broadcasts where id = ${id}`
  if (!broadcast) throw new Refused('not_found', 'no such broadcast', { reason: 'broadcast_unknown' })
  const counts = await q<{ channel: 'telegram' | 'email'; queued: number; sent: number; failed: number }[]>`
    select channel, count(*) filter (where status in ('queued', 'sending')) as queued,
      count(*) filter (where status in ('sent', 'captured')) as sent, count(*) filter (where status = 'failed') as failed
    from notifications where batch_id = ${id} and channel <> 'app' group by channel`
  const by = (name: 'telegram' | 'email') => {
    const { queued = 0, sent = 0, failed = 0 } = counts.find(({ channel }) => channel === name) ?? {}
    return { queued, sent, failed }
  }
  return { ...broadcast, telegram: by('telegram'), email: by('email') }
}
