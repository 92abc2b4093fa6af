import { isOnline } from '../devices/connections.ts'
import type { Queryable } from '../postgres/connect.ts'
import type { Facts, Refusal, Wire } from './decide/causes.ts'

/** Who fell silent within so many minutes of a station fell with it. */
const TOGETHER_MINUTES = 5
const STRANGERS_MAX = 500
const LOSSES_MAX = 500
const LOSSES_DAYS = 14

/** SQL: an address without its port, as `1.2.3.4:5678` and `[::1]:5678` have one. */
const hostOf = (q: Queryable, address: ReturnType<Queryable>) => q`regexp_replace(${address}, ':\\d+$', '')`

const refusal = (q: Queryable) => q`
  box_id, dialect, reason, attempts, last_seen_at, ${hostOf(q, q`address`)} as host`

interface Row {
  station: Facts['station'] & { orgUnitId: number | null }
  sim: Facts['sim']
}

/** The station, its last connection, its card and the contract behind it. `now` is the database's. */
const stationOf = (q: Queryable, id: number) => q<(Row['station'] & { now: Date; sim: Facts['sim'] })[]>`
  select now(), s.box_id, s.iccid, s.org_unit_id, ds.dialect, ds.seen_at, ${hostOf(q, q`ds.address`)} as host,
    ${isOnline(q)} as is_online,
    (select count(*)::int from device_keys k where k.device_id = s.id and (k.valid_until is null or k.valid_until > now())) as keys,
    (select e.data->>'reason' from events e where e.station_id = s.id and e.kind = 'station.disconnected'
      order by e.id desc limit 1) as lost_by,
    (select jsonb_build_object('status', m.status, 'contract', c.number, 'suspensionReason', c.suspension_reason,
        'balanceMinor', c.balance_minor)
      from sims m left join contracts c on c.id = m.contract_id
      where m.iccid = s.iccid and m.deleted_at is null) as sim
  from stations s left join device_sessions ds on ds.device_id = s.id
  where s.id = ${id} and s.deleted_at is null`

/** Who else there is: of the same unit, and of each wire. */
const neighboursOf = (
  q: Queryable,
  { id, unit, seenAt }: { id: number; unit: number | null; seenAt: Date | null },
) => q<{ online: number; lostWithIt: number; tcp: Wire; mqtt: Wire }[]>`
  with others as (
    select ds.dialect = 'mqtt' as is_mqtt, ${isOnline(q)} as is_online, s.org_unit_id = ${unit} as is_here,
      ds.seen_at between ${seenAt}::timestamptz - make_interval(mins => ${TOGETHER_MINUTES})
        and ${seenAt}::timestamptz + make_interval(mins => ${TOGETHER_MINUTES}) as is_together,
      ds.seen_at > coalesce(${seenAt}::timestamptz, now()) - interval '1 day' as is_known
    from stations s join device_sessions ds on ds.device_id = s.id
    where s.id <> ${id} and s.deleted_at is null and s.status = 'active' and ds.connected_at is not null)
  select
    (count(*) filter (where is_here and is_online))::int as online,
    (count(*) filter (where is_here and not is_online and is_together))::int as lost_with_it,
    jsonb_build_object('known', count(*) filter (where not is_mqtt and is_known),
      'online', count(*) filter (where not is_mqtt and is_online)) as tcp,
    jsonb_build_object('known', count(*) filter (where is_mqtt and is_known),
      'online', count(*) filter (where is_mqtt and is_online)) as mqtt
  from others`

/** What is known of a station, in four statements; null: there is no such station. */
export async function factsOf(q: Queryable, id: number): Promise<Facts | null> {
  const [row] = await stationOf(q, id)
  if (!row) return null
  const { now, sim, orgUnitId, ...station } = row
  const [around] = await neighboursOf(q, { id, unit: orgUnitId, seenAt: station.seenAt })
  const refusals = await q<Refusal[]>`
    select ${refusal(q)} from quarantine
    where kind = 'cabinet' and (box_id = ${station.boxId}
      or reason = 'unknown_box_id' and last_seen_at > coalesce(${station.seenAt}::timestamptz, now() - interval '1 day'))
    order by box_id = ${station.boxId} desc, last_seen_at desc limit ${STRANGERS_MAX}`
  const losses = await q<{ createdAt: Date }[]>`
    select created_at from events
    where station_id = ${id} and kind = 'station.disconnected' and created_at > now() - make_interval(days => ${LOSSES_DAYS})
    order by id desc limit ${LOSSES_MAX}`
  return {
    now,
    station,
    refused: refusals.find(({ boxId }) => boxId === station.boxId) ?? null,
    strangers: refusals.filter(({ boxId }) => boxId !== station.boxId),
    sim,
    site: { online: around!.online, lostWithIt: around!.lostWithIt },
    tcp: around!.tcp,
    mqtt: around!.mqtt,
    losses: losses.map(({ createdAt }) => createdAt),
  }
}
