import { isOnline } from '../devices/connections.ts'
import { aheadMs, atWall } from '../platform/zones.ts'
import type { Queryable } from '../postgres/connect.ts'

/** The latest ones of a month. */
const OUTAGES_MAX = 100

export interface Uptime {
  /** Since it was first connected, or the month began; until now, or the month's end. Seconds. */
  observedSeconds: number
  onlineSeconds: number
  outages: { from: Date; until: Date; seconds: number; reason: string | null }[]
}

/** Which month it is in a zone: `2026-11`. */
export const monthAt = (at: number, timeZone: string) =>
  new Date(at + aheadMs(timeZone, at)).toISOString().slice(0, '2026-11'.length)

/** The bounds of `2026-11` in a zone. */
export function monthOf(month: string, timeZone: string): { from: Date; until: Date } {
  const [year, number] = month.split('-').map(Number)
  return {
    from: atWall(Date.UTC(year!, number! - 1, 1), timeZone),
    until: atWall(Date.UTC(year!, number!, 1), timeZone),
  }
}

/**
 * How long a station was on line in a time, by the events of its connections: between two of them it is what the
 * earlier one says. Of a connection that nobody saw end only what was heard of it counts.
 */
export async function uptimeOf(
  q: Queryable,
  id: number,
  { from, until }: { from: Date; until: Date },
): Promise<Uptime> {
  const told = q`station_id = ${id} and kind in ('station.connected', 'station.disconnected')`
  const [row] = await q<
    [Omit<Uptime, 'outages'> & { outages: (Uptime['outages'][number] & { from: string; until: string })[] }]
  >`
    with marks as (
      (select id, ${from}::timestamptz as at, kind, data->>'reason' as reason from events
        where ${told} and created_at < ${from} order by id desc limit 1)
      union all
      select id, created_at, kind, data->>'reason' from events
      where ${told} and created_at >= ${from} and created_at < least(${until}, now())),
    ending as (
      select least(${until}, case when ${isOnline(q)} then now() else coalesce(ds.seen_at, now()) end) as heard
      from device_sessions ds where ds.device_id = ${id}),
    spans as (
      select id, at, kind = 'station.connected' as is_up, reason,
        lead(at, 1, least(${until}, now())) over (order by id) as till from marks),
    cut as (
      -- The last one may have ended without a word.
      select *, case when is_up and id = (select max(id) from marks)
        then greatest(at, least(till, (select heard from ending))) else till end as up_till from spans),
    downs as (
      select at as "from", till as until, reason from cut where not is_up and till > at
      union all
      select up_till, till, 'silent' from cut where is_up and up_till < till)
    select
      coalesce((select extract(epoch from max(till) - min(at)) from cut), 0)::float as observed_seconds,
      coalesce((select sum(extract(epoch from up_till - at)) from cut where is_up), 0)::float as online_seconds,
      coalesce((select jsonb_agg(to_jsonb(d) || jsonb_build_object('seconds', extract(epoch from d.until - d."from"))
        order by d."from" desc) from (select * from downs order by "from" desc limit ${OUTAGES_MAX}) d), '[]') as outages`
  const { observedSeconds, onlineSeconds, outages } = row
  return {
    observedSeconds,
    onlineSeconds,
    outages: outages.map(({ from: began, until: ended, seconds, reason }) => ({
      from: new Date(began),
      until: new Date(ended),
      seconds,
      reason,
    })),
  }
}
