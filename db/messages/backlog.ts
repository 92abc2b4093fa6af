import type { Queryable } from '../postgres/connect.ts'
import { dueAt } from './inbox.ts'
import type { InboxState } from './words.ts'

/** What waits to be worked, and for how long the oldest of it has been due. */
export interface Backlog {
  inboxDue: number
  inboxSeconds: number
  outboxDue: number
  outboxSeconds: number
}

/** What is due in the inbox and the outbox: it stays little while somebody works them. */
export async function backlog(q: Queryable): Promise<Backlog> {
  const [row] = await q<Backlog[]>`
    with inbox_due as (
      select ${dueAt(q)} as at from inbox where state in ('received', 'unmatched')
    ), outbox_due as (
      select due_at as at from notifications where status in ('queued', 'sending')
    )
    select i.due as inbox_due, i.seconds as inbox_seconds, o.due as outbox_due, o.seconds as outbox_seconds
    from (select count(*) as due, coalesce(extract(epoch from now() - min(at)), 0)::float8 as seconds
        from inbox_due where at <= now()) i,
      (select count(*) as due, coalesce(extract(epoch from now() - min(at)), 0)::float8 as seconds
        from outbox_due where at <= now()) o`
  return row!
}

/** Webhook events that nothing was done for yet, of each provider that has any. */
export const openEvents = (q: Queryable) => q<{ provider: string; state: InboxState; count: number }[]>`
  select provider, state, count(*) as count from inbox where state in ('received', 'failed', 'unmatched')
  group by provider, state order by provider, state`
