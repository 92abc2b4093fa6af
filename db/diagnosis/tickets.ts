import { isOnline } from '../devices/connections.ts'
import { record } from '../messages/events.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import { type Cause, diagnose } from './decide/causes.ts'
import { factsOf } from './facts.ts'

/** A round's worth; the rest is due in the next one. */
const ROUND = 50
/** A station that nobody has heard for longer was taken down, and is no news. */
const FORGOTTEN_DAYS = 30
const DUE_HOURS = 24

const hasOpen = (q: Queryable) => q`
  exists (select 1 from tickets t
    where t.station_id = s.id and t.status not in ('resolved', 'closed') and t.deleted_at is null)`

/** Active stations that were on line, have been silent so long, and have no open ticket; the longest silent first. */
const silent = (q: Queryable, minutes: number) => q<{ id: number; boxId: string }[]>`
  select s.id, s.box_id from stations s join device_sessions ds on ds.device_id = s.id
  where s.status = 'active' and s.deleted_at is null and not ${isOnline(q)}
    and ds.seen_at < now() - make_interval(mins => ${minutes}) and ds.seen_at > now() - make_interval(days => ${FORGOTTEN_DAYS})
    and not ${hasOpen(q)}
  order by ds.seen_at, s.id limit ${ROUND}`

/** Whose card it has: the customer who pays for it, if anybody is known to. @returns false: another process was first */
async function openTicket(tx: Tx, { id, boxId }: { id: number; boxId: string }, causes: Cause[]): Promise<boolean> {
  const made = await tx`
    insert into tickets (customer_id, contract_id, station_id, subject, description, category, priority, evidence, due_at)
    select c.customer_id, c.id, s.id, ${`Станция ${boxId} не на связи`}, ${`Вероятная причина: ${causes[0]!.code}`},
      'technical', 'high', ${tx.json(causes)}, now() + make_interval(hours => ${DUE_HOURS})
    from stations s left join sims m on m.iccid = s.iccid and m.deleted_at is null
      left join contracts c on c.id = m.contract_id and c.deleted_at is null
    where s.id = ${id}
    on conflict (station_id) where station_id is not null and status not in ('resolved', 'closed') and deleted_at is null
    do nothing`
  if (made.count === 0) return false
  await record(tx, 'station.ticket_opened', { stationId: id, data: { cause: causes[0]!.code } })
  return true
}

/**
 * Opens a ticket for each station that has been silent for so long, once an outage, with what speaks for its cause. When
 * it is we who hear nobody, none is opened. @returns how many
 */
export async function openForSilent(db: Db, minutes: number): Promise<number> {
  let opened = 0
  for (const station of await silent(db.sql, minutes)) {
    const facts = await factsOf(db.sql, station.id)
    const causes = facts ? diagnose(facts) : []
    const isOurs = causes[0]?.code === 'gateway_down' || causes[0]?.code === 'broker_down'
    if (causes.length === 0 || isOurs) continue
    if (await db.transaction((tx) => openTicket(tx, station, causes))) opened += 1
  }
  return opened
}

/** Resolves the tickets that opened themselves for stations which are on line again. @returns how many */
export const resolveRecovered = (db: Db): Promise<number> =>
  db.transaction(async (tx) => {
    const resolved = await tx<{ stationId: number }[]>`
      update tickets t set status = 'resolved', resolved_at = now(), updated_at = now(),
        resolution = 'Станция снова на связи', paused_at = coalesce(t.paused_at, now())
      from device_sessions ds
      where ds.device_id = t.station_id and t.created_by is null and t.status not in ('resolved', 'closed')
        and t.deleted_at is null and ${isOnline(tx)}
      returning t.station_id`
    for (const { stationId } of resolved) await record(tx, 'station.ticket_resolved', { stationId })
    return resolved.length
  })
