import { isOnline } from '../devices/connections.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import { ANSWER_CHANNEL } from '../postgres/channels.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import { assertMayActFor } from './borrow.ts'
import * as orders from './orders.ts'
import { Refused } from './refused.ts'
import { occupied } from './slot-counts.ts'

/** What a missed bell costs. */
const POLL_MS = 1_000
/** A return no older than this is the one a client asks about, even while its user has other loans open. */
const FRESH_MINUTES = 5

export interface ReturnRequest {
  stationId: number
  userId: number
  powerbankId: number
}

async function assertCanTake(q: Queryable, stationId: number): Promise<void> {
  const [station] = await q<{ status: string; online: boolean; free: number }[]>`
    select s.status, ${isOnline(q)} as online,
      s.slots_declared - ${occupied(q)} as free
    from stations s left join device_sessions ds on ds.device_id = s.id
    where s.id = ${stationId} and s.deleted_at is null`
  if (!station) throw new Refused('station_not_found')
  if (station.status !== 'active') throw new Refused('station_inactive')
  if (!station.online) throw new Refused('device_offline')
  if (station.free <= 0) throw new Refused('no_free_slot')
}

/**
 * Somebody is about to put a bank back: notes it on the open order. Nothing moves yet; only the cabinet closes
 * the loan. Any station may take a bank, whatever its unit (docs/contracts.md 4.5).
 * @throws Refused not_yours, station_not_found, station_inactive, device_offline, no_free_slot,
 *   power_bank_not_found, no_open_order
 */
export async function announce(
  tx: Tx,
  actor: Actor,
  { stationId, userId, powerbankId }: ReturnRequest,
): Promise<{ orderId: number; serialNumber: string; at: Date }> {
  await assertMayActFor(tx, actor, userId)
  await assertCanTake(tx, stationId)
  const [bank] = await tx<{ serialNumber: string }[]>`
    select serial_number from powerbanks where id = ${powerbankId} and deleted_at is null`
  if (!bank) throw new Refused('power_bank_not_found')
  const [order] = await tx<{ id: number; at: Date }[]>`
    update orders set return_requested_at = now()
    where powerbank_id = ${powerbankId} and user_id = ${userId} and status in ('pending', 'borrow') and deleted_at is null
    returning id, return_requested_at as at`
  if (!order) throw new Refused('no_open_order')
  await record(tx, 'order.return_announced', { stationId, userId, orderId: order.id, data: { powerbankId } })
  return { orderId: order.id, serialNumber: bank.serialNumber, at: order.at }
}

/**
 * The same for an order, by its holder; without a station nothing is asked about where.
 * @throws Refused not_found, not_yours, no_open_order, and all of `announce`
 */
export async function announceOrder(
  tx: Tx,
  actor: Actor,
  { orderId, stationId }: { orderId: number; stationId: number | null },
): Promise<{ powerbankId: number | null; at: Date }> {
  const order = await orders.get(tx, orderId)
  if (!order) throw new Refused('not_found', '', { reason: 'order_unknown' })
  const { userId, powerbankId } = order
  await assertMayActFor(tx, actor, userId)
  if (!['pending', 'borrow'].includes(order.status)) throw new Refused('no_open_order')
  if (stationId !== null && powerbankId !== null) {
    const { at } = await announce(tx, actor, { stationId, userId, powerbankId })
    return { powerbankId, at }
  }
  if (stationId !== null) await assertCanTake(tx, stationId)
  const [announced] = await tx<{ at: Date }[]>`
    update orders set return_requested_at = now()
    where id = ${orderId} and status in ('pending', 'borrow') and deleted_at is null returning return_requested_at as at`
  if (!announced) throw new Refused('no_open_order')
  await record(tx, 'order.return_announced', { stationId, userId, orderId, data: { powerbankId } })
  return { powerbankId, at: announced.at }
}

export interface Confirmation {
  orderId: number
  powerbankId: number
  slotNumber: number
}

type Question = Omit<ReturnRequest, 'powerbankId'> & { powerbankId: number | null }

interface Look {
  found: Confirmation | null
  /** Orders whose end would be news. */
  open: number[]
}

/**
 * Has the user's bank arrived in this station? One that did counts if it came after the latest announcement
 * and either just now or as the last thing that happened: last week's return confirms nothing while a loan is open, and
 * none confirms anything of a bank that is out again.
 */
async function look(q: Queryable, { stationId, userId, powerbankId }: Question): Promise<Look> {
  const mine = q`
    user_id = ${userId} and deleted_at is null and (${powerbankId}::bigint is null or powerbank_id = ${powerbankId})`
  const [found] = await q<Confirmation[]>`
    select id as order_id, powerbank_id, return_slot as slot_number from orders o
    where ${mine} and status = 'return' and return_station_id = ${stationId} and return_slot is not null
      and completed_at >= coalesce((select max(return_requested_at) from orders where ${mine}), '-infinity')
      and (completed_at > now() - make_interval(mins => ${FRESH_MINUTES})
        or not exists (select 1 from orders where ${mine} and status in ('pending', 'borrow')))
      and not exists (select 1 from orders again where again.powerbank_id = o.powerbank_id and again.user_id = o.user_id
        and again.id > o.id and again.status in ('pending', 'borrow') and again.deleted_at is null)
    order by completed_at desc, id desc limit 1`
  if (found) return { found, open: [] }
  const open = await q<{ id: number }[]>`select id from orders where ${mine} and status in ('pending', 'borrow')`
  return { found: null, open: open.map(({ id }) => id) }
}

/**
 * Waits until the user's bank (any of them, if none is named) has arrived in this station. The rows are the
 * truth; the bell only wakes.
 * @returns null when the time is up, or when `signal` says that nobody listens any more
 */
export async function confirmation(
  db: Db,
  question: Question,
  waitMs: number,
  signal?: AbortSignal,
): Promise<Confirmation | null> {
  const until = performance.now() + waitMs
  let open: number[] | null = null
  let bell = Promise.withResolvers<void>()
  const wake = () => bell.resolve()
  const unlisten = await db.listen(
    ANSWER_CHANNEL,
    (subject) => {
      if (open === null || open.some((id) => subject === `order ${id}`)) wake()
    },
    wake,
  )
  signal?.addEventListener('abort', wake)
  try {
    for (;;) {
      bell = Promise.withResolvers()
      const seen = await look(db.sql, question)
      open = seen.open
      const left = until - performance.now()
      if (seen.found || left <= 0 || signal?.aborted) return seen.found
      const timer = setTimeout(wake, Math.min(POLL_MS, left))
      await bell.promise
      clearTimeout(timer)
    }
  } finally {
    signal?.removeEventListener('abort', wake)
    await unlisten()
  }
}
