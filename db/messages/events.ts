import { EVENT_CHANNEL } from '../postgres/channels.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import type { events } from './schema.ts'

/** What happened to whom. `data` is shown to operators and clients: never a secret. */
export interface EventAbout {
  stationId?: number | null
  userId?: number | null
  orderId?: number | null
  data?: Record<string, unknown>
}

/** An event that is to be recorded. `frame`: the bytes that made it true, as hex, where it is not the whole transaction. */
export type Happened = { kind: string; frame?: string | undefined } & EventAbout

const COLUMNS = [
  'id',
  'kind',
  'stationId',
  'userId',
  'orderId',
  'data',
  'createdAt',
] as const satisfies (keyof typeof events.$inferSelect)[]

/** What happened. `xid`: the writing transaction, as text; with `id` it is the reading position. */
export type Event = Pick<typeof events.$inferSelect, 'xid' | (typeof COLUMNS)[number]>

export type Position = Pick<Event, 'xid' | 'id'>

/** Whether one comes later in the log than another. */
export const isAfter = (one: Position, other: Position): boolean =>
  BigInt(one.xid) > BigInt(other.xid) || (one.xid === other.xid && one.id > other.id)

const PAGE_ROWS = 500
const POLL_MS = 2_000
/** The first of the pauses, each twice as long, after which an event that a slower transaction holds back is looked for. */
const HELD_BACK_MS = 20

/** Events that this transaction records from now on were made true by these bytes of a device, as hex. */
export async function madeTrueBy(tx: Tx, frame: string): Promise<void> {
  await tx`select set_config('voltbay.frame', ${frame}, true)`
}

/**
 * Appends events inside the transaction that makes them true, and rings the bell on its commit (docs/decisions.md "Events
 * are written by the transaction that made them true").
 */
export async function recordAll(tx: Tx, happened: readonly Happened[]): Promise<void> {
  if (happened.length === 0) return
  await tx`
    with written as (
      insert into events (kind, station_id, user_id, order_id, data, frame)
      select kind, "stationId", "userId", "orderId", coalesce(data, '{}'),
        coalesce(frame, nullif(current_setting('voltbay.frame', true), ''))
      from jsonb_to_recordset(${tx.json(happened)})
        as i (kind text, "stationId" bigint, "userId" bigint, "orderId" bigint, data jsonb, frame text)
    )
    select pg_notify(${EVENT_CHANNEL}, '')`
}

/** Appends one event. */
export const record = (tx: Tx, kind: string, about: EventAbout = {}): Promise<void> =>
  recordAll(tx, [{ kind, ...about }])

/**
 * SQL: appends the events that `source` selects (`kind`, `user_id`, `data`, `frame` or null), for a statement that makes
 * them true itself and has no time for one more; rings as `recordAll` does.
 */
export const appended = (q: Queryable, source: ReturnType<Queryable>) => q`
  insert into events (kind, user_id, data, frame)
  select kind, user_id, data, coalesce(frame, nullif(current_setting('voltbay.frame', true), '')) from (${source}) happened
  returning pg_notify(${EVENT_CHANNEL}, '')`

/** The end of the log as it stands, to tail from. */
export async function end(q: Queryable): Promise<Position> {
  const [row] = await q<{ xid: string }[]>`
    select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text as xid`
  return { xid: row!.xid, id: Number.MAX_SAFE_INTEGER }
}

/**
 * The next events after a position, oldest first. Stops before transactions still under way: an event
 * that commits late, with a lower number, is read later instead of being skipped.
 */
export function after(q: Queryable, position: Position): Promise<Event[]> {
  return q<Event[]>`
    select ${q(COLUMNS)}, xid::text from events
    where (xid, id) > (${position.xid}::xid8, ${position.id}) and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by events.xid, id limit ${PAGE_ROWS}`
}

const MISSED_MAX = 200

/**
 * What happened to somebody after a position, oldest first, as far as `end` has gone; null when that is too much to be
 * told one by one.
 */
export async function missed(q: Queryable, userId: number, position: Position): Promise<Event[] | null> {
  const rows = await q<Event[]>`
    select ${q(COLUMNS)}, xid::text from events
    where user_id = ${userId} and (xid, id) > (${position.xid}::xid8, ${position.id})
      and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by events.xid, id limit ${MISSED_MAX + 1}`
  return rows.length > MISSED_MAX ? null : rows
}

/** Is there anything after a position that `after` does not show yet, because an older transaction is under way? */
async function isHeldBack(q: Queryable, position: Position): Promise<boolean> {
  const [event] = await q`select 1 from events where (xid, id) > (${position.xid}::xid8, ${position.id}) limit 1`
  return event !== undefined
}

/**
 * Hands every event from now on to `hear`, in order, each once per process. A bell missed costs a poll
 * interval, never an event. `failed` hears of a database that is away; the tail goes on by itself.
 */
export async function tail(
  db: Db,
  hear: (event: Event) => void,
  failed: (error: unknown) => void = () => {},
): Promise<{ close(): Promise<void> }> {
  let position = await end(db.sql)
  let reading: Promise<void> | null = null
  let again = false
  let isClosed = false
  let soon: NodeJS.Timeout | undefined
  let pauseMs = HELD_BACK_MS
  const read = async () => {
    do {
      again = false
      for (let page = await after(db.sql, position); page.length > 0; page = await after(db.sql, position)) {
        for (const event of page) {
          // Before it is heard: a listener that throws does not hear the same again for ever.
          position = event
          hear(event)
        }
        pauseMs = HELD_BACK_MS
      }
    } while (again)
    // Whoever holds it back may end without an event, and so without a bell.
    if (isClosed || !(await isHeldBack(db.sql, position))) return
    clearTimeout(soon)
    soon = setTimeout(wake, pauseMs)
    pauseMs = Math.min(2 * pauseMs, POLL_MS)
  }
  const wake = () => {
    again = true
    reading ??= read()
      .catch(failed)
      .finally(() => {
        reading = null
        if (again && !isClosed) wake()
      })
  }
  const unlisten = await db.listen(EVENT_CHANNEL, wake, wake)
  const poll = setInterval(wake, POLL_MS)
  return {
    async close() {
      isClosed = true
      clearInterval(poll)
      await unlisten()
      await reading
      clearTimeout(soon)
    },
  }
}
