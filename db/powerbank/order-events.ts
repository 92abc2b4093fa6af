import type { Queryable } from '../postgres/connect.ts'
import { type Fragment, type Page, pageOf } from '../postgres/rows.ts'

/** What a cabinet did this long after a loan began, or fell, still belongs to its eject. */
const AFTER_MINUTES = 10
/** What is heard of a bank this long after its loan still belongs to that, unless the bank is lent again. */
const LATE_HOURS = 24
/** Of a cabinet's own events and commands the first so many since an order are looked through. */
const NEAR_ROWS = 500
/** What a cabinet tells of itself or of a slot, and is no order's and no bank's. */
const CABINET_EVENTS = [
  'station.connected',
  'station.disconnected',
  'station.clock_wrong',
  'station.clock_right',
  'slot.abnormal',
  'answer.unmatched',
  'inventory.inconsistent',
]

/** One thing that happened to an order, or at its cabinet while its eject was under way. */
export interface OrderEvent {
  at: Date
  /** `event`: something became true. The others are of a command: written down, sent, answered, or given up on. */
  source: 'event' | 'queued' | 'sent' | 'answered' | 'given_up'
  /** The event's name, or the command's kind. */
  kind: string
  stationId: number | null
  userId: number | null
  commandId: number | null
  /** Why: what settled it, in words. */
  evidence: string | null
  /** The event's data, the command's arguments, or the answer in our words. */
  data: Record<string, unknown>
  /** What the cabinet was sent, or said, as hex; null: no frame. */
  frame: string | null
}

/** SQL: an order, since which event it is told of, and until when what happened near it is its own. */
const subject = (q: Queryable, orderId: number) => q`
  select o.id, o.station_id, o.slot_number, o.powerbank_id::text as bank, o.command_id, o.created_at,
    (select min(id) from events where order_id = o.id) as since,
    coalesce(o.borrowed_at, o.completed_at, now()) + make_interval(mins => ${AFTER_MINUTES}) as settled_by,
    least(coalesce(o.completed_at, now()) + make_interval(hours => ${LATE_HOURS}),
      (select min(created_at) from orders later where later.powerbank_id = o.powerbank_id and later.id > o.id)) as lent_again
  from orders o where o.id = ${orderId}`

/** SQL: the numbers of the events: its own, those of its bank while that is its own, those of its cabinet while that may tell. */
const eventsOf = (q: Queryable) => q`
  select e.id from o join events e on e.order_id = o.id
  union
  select e.id from o join events e on e.data->>'powerbankId' = o.bank and e.id >= o.since
  where e.order_id is null and e.created_at < o.lent_again
  union
  select e.id from o cross join lateral (
    select * from events where station_id = o.station_id and id >= o.since order by id limit ${NEAR_ROWS}) e
  where e.order_id is null and e.kind = any(${CABINET_EVENTS}) and e.created_at < o.settled_by
    and coalesce(e.data->>'slot', o.slot_number::text) is not distinct from o.slot_number::text`

/** SQL: its own command, and what else of its cabinet tells where the bank is. */
const commandsOf = (q: Queryable) => q`
  select c.* from o join device_commands c on c.id = o.command_id
  union all
  select c.* from o cross join lateral (
    select * from device_commands where device_id = o.station_id and id > o.command_id order by id limit ${NEAR_ROWS}) c
  where c.created_at < o.settled_by and (c.kind = 'inventory' or c.kind = 'force_eject' and c.slot = o.slot_number)`

/** SQL: every turn of those, in the order of `OrderEvent`; `turn` and `id` order what happened in one instant. */
const turns = (q: Queryable): Fragment => q`
  select e.created_at as at, 'event' as source, e.kind, e.station_id, e.user_id, null::bigint as command_id,
    e.data->>'evidence' as evidence, e.data, e.frame, 4 as turn, e.id
  from events e where e.id in (${eventsOf(q)})
  union all
  select t.at, t.source, c.kind, c.device_id, t.user_id, c.id, t.evidence, t.data, t.frame, t.turn, c.id
  from (${commandsOf(q)}) c cross join lateral (values
    (c.created_at, 'queued', c.requested_by, null, c.args, null, 0),
    (c.sent_at, 'sent', null, null, '{}'::jsonb, c.hex_sent, 1),
    (c.given_up_at, 'given_up', null, case when c.answered_at is null then c.evidence end, '{}', null, 2),
    (c.answered_at, 'answered', null, c.evidence, coalesce(c.answer, '{}'), c.hex_received, 3)
  ) t (at, source, user_id, evidence, data, frame, turn)
  where t.at is not null`

/** One page of what happened to an order, oldest first, and how much there is in all. Who may read it is the caller's question. */
export const list = (q: Queryable, orderId: number, at: { page: number; limit: number }): Promise<Page<OrderEvent>> => {
  const all: Fragment = q`(with o as materialized (${subject(q, orderId)}) ${turns(q)}) happened`
  return pageOf<OrderEvent>(
    q,
    all,
    q`select at, source, kind, station_id, user_id, command_id, evidence, data, frame
      from ${all} order by at, turn, id`,
    at,
  )
}
