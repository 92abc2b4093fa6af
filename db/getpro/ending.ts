import type { Tx } from '../postgres/connect.ts'
import * as notices from './notices.ts'

/** At once. */
const BATCH = 100
/** What ended longer ago is nobody's news. */
const NEWS_DAYS = 3

interface Ending {
  id: number
  accountId: number
  endsAt: Date
  autoRenews: boolean
}

/** Tells those whose access ends within so many hours, each once for each end. @returns how many */
export async function tellEnding(tx: Tx, hours: number): Promise<number> {
  const rows = await tx<Ending[]>`
    update subscriptions set ending_told_for = ends_at
    where id in (
      select id from subscriptions
      where ends_at > now() and ends_at <= now() + make_interval(hours => ${hours})
        and ending_told_for is distinct from ends_at and (provider is null or not auto_renews)
      order by ends_at, id limit ${BATCH} for update skip locked)
    returning id, account_id, ends_at, auto_renews`
  for (const { id, accountId, endsAt, autoRenews } of rows) {
    const about = { endsAt: endsAt.toISOString(), autoRenews }
    await notices.tell(tx, accountId, 'getpro.subscription_ending', about, `ending ${id} ${about.endsAt}`)
  }
  return rows.length
}

/** Tells those whose access has ended, each once for each end. @returns how many */
export async function tellExpired(tx: Tx): Promise<number> {
  const rows = await tx<Ending[]>`
    update subscriptions set expired_told_for = ends_at
    where id in (
      select id from subscriptions
      where ends_at <= now() and ends_at > now() - make_interval(days => ${NEWS_DAYS})
        and expired_told_for is distinct from ends_at
      order by ends_at, id limit ${BATCH} for update skip locked)
    returning id, account_id, ends_at, auto_renews`
  for (const { id, accountId, endsAt } of rows) {
    const about = { endsAt: endsAt.toISOString() }
    await notices.tell(tx, accountId, 'getpro.subscription_expired', about, `expired ${id} ${about.endsAt}`)
  }
  return rows.length
}
