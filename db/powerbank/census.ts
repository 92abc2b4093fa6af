import type { Queryable } from '../postgres/connect.ts'
import type { OrderStatus } from './words.ts'

/** How many loans are under way, by how far they are. */
export async function openOrders(q: Queryable): Promise<Record<'pending' | 'borrow', number>> {
  const rows = await q<{ status: OrderStatus; count: number }[]>`
    select status, count(*) as count from orders
    where status in ('pending', 'borrow') and deleted_at is null group by status`
  const of = (status: OrderStatus) => rows.find((row) => row.status === status)?.count ?? 0
  return { pending: of('pending'), borrow: of('borrow') }
}
