import type { Queryable } from '../postgres/connect.ts'
import { type Page, pageOf } from '../postgres/rows.ts'
import { type ListedOrder, view } from './order-list.ts'
import type { OrderStatus } from './words.ts'

/** What the list may be narrowed to; `page` is 1-based. */
export interface MyFilter {
  /** Unless asked for, cancelled orders are not shown: nothing was lent (docs/contracts.md 4.5). */
  status?: OrderStatus | undefined
  page: number
  limit: number
}

const theirs = (q: Queryable, userId: number, status?: OrderStatus) =>
  q`o.user_id = ${userId} and o.deleted_at is null and ${status ? q`o.status = ${status}` : q`o.status <> 'cancelled'`}`

/** One page of somebody's own orders, newest first, and how many there are in all; from the index of their orders. */
export async function list(q: Queryable, userId: number, filter: MyFilter): Promise<Page<ListedOrder>> {
  const where = theirs(q, userId, filter.status)
  return await pageOf(q, q`orders o where ${where}`, q`${view(q)} where ${where} order by o.id desc`, filter)
}

/** How many somebody has, and how many of them are open. */
export async function counts(q: Queryable, userId: number): Promise<{ active: number; total: number }> {
  const [row] = await q<{ active: number; total: number }[]>`
    select count(*) filter (where o.status in ('pending', 'borrow')) as active, count(*) as total
    from orders o where ${theirs(q, userId)}`
  return row!
}
