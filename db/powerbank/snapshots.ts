import type { Tx } from '../postgres/connect.ts'
import { ensure } from './bank-ids.ts'
import { FILED_PER_HOUR_MAX } from './decide/abnormal.ts'
import { namedBy } from './decide/decide.ts'
import {
  type FiledReport,
  type FilledSlot,
  type HeardReturn,
  isDoubtful,
  type LiveOrder,
  type Report,
  type Snapshot,
} from './decide/snapshot.ts'
import { lock } from './slots.ts'

/** How far back among a station's commands the question is looked for that its list answers. */
const ASKED_COMMANDS_MAX = 64
/** How far back in a station's log a return is looked for. */
const RETURN_REPEAT_EVENTS_MAX = 300

/** Locks what this station and these banks are thought to fill, in the order of `lock` in slots.ts. */
const filledSlots = (tx: Tx, stationId: number, bankIds: number[]) => tx<FilledSlot[]>`
  select station_id, slot_number, powerbank_id from station_powerbanks
  where station_id = ${stationId} or powerbank_id = any(${bankIds}::bigint[])
  order by id for update`

/** The open orders of these banks, and those that wait for this station; locked by rising id. */
const openOrders = (tx: Tx, stationId: number, bankIds: number[]) => tx<LiveOrder[]>`
  select o.id, o.status, o.station_id, o.powerbank_id, o.slot_number, o.created_at, o.borrowed_at, o.command_id,
    c.status as command_status, c.sent_at as command_sent_at
  from orders o left join device_commands c on c.id = o.command_id
  where (o.powerbank_id = any(${bankIds}::bigint[]) or (o.station_id = ${stationId} and o.status = 'pending'))
    and o.status in ('pending', 'borrow') and o.deleted_at is null
  order by o.id for update of o`

/** When the station was asked for its slots, as far as the report of this transaction may be the answer. */
async function questions(tx: Tx, stationId: number): Promise<Date[]> {
  const asked = await tx<{ sentAt: Date }[]>`
    select sent_at from (
      select kind, status, sent_at, answered_at from device_commands
      where device_id = ${stationId} order by id desc limit ${ASKED_COMMANDS_MAX}
    ) recent
    where kind = 'inventory' and (status in ('queued', 'sent', 'unknown') or answered_at = now()) and sent_at is not null`
  return asked.map(({ sentAt }) => sentAt)
}

/** When this return was last told of, as far as the station's log is read. */
export async function heardReturns(tx: Tx, place: FilledSlot): Promise<HeardReturn[]> {
  const { stationId, slotNumber, powerbankId } = place
  const [said] = await tx<{ at: Date | null }[]>`
    select max(created_at) as at from (
      select kind, data, created_at from events where station_id = ${stationId} order by id desc limit ${RETURN_REPEAT_EVENTS_MAX}
    ) recent
    where kind = 'powerbank.returned' and data @> ${tx.json({ powerbankId, slot: slotNumber })}`
  return said!.at ? [{ ...place, at: said!.at }] : []
}

const filedReports = (tx: Tx, stationId: number) => tx<FiledReport[]>`
  select slot_number as slot, event_type as event, terminal_id as bank_id, created_at as at from slot_abnormal_reports
  where station_id = ${stationId} order by id desc limit ${FILED_PER_HOUR_MAX}`

/**
 * What is known of a station and of all that a report names, locked until the transaction ends, so that it stays so.
 * Strangers' banks are registered on the way (`ensure`).
 */
export async function load(tx: Tx, stationId: number, report: Report): Promise<Snapshot> {
  const { now, ...station } = await lock(tx, stationId)
  const nothing = { now, station, banks: new Map(), slots: [], orders: [], askedAt: [], returns: [], filed: [] }
  if (report.kind === 'abnormal') return { ...nothing, filed: await filedReports(tx, stationId) }
  const banks = await ensure(tx, station, namedBy(report))
  const bankIds = [...banks.values()].map(({ id }) => id)
  const place =
    report.kind === 'returned' && banks.size > 0
      ? { stationId, slotNumber: report.bank.slot, powerbankId: bankIds[0]! }
      : null
  // Sent at once and worked in this order, which is that of the locks.
  const [slots, orders, returns] = await Promise.all([
    filledSlots(tx, stationId, bankIds),
    openOrders(tx, stationId, bankIds),
    place ? heardReturns(tx, place) : [],
  ])
  const isInDoubt =
    report.kind !== 'returned' && orders.some((order) => order.status === 'pending' && isDoubtful(order))
  return { ...nothing, banks, slots, orders, returns, askedAt: isInDoubt ? await questions(tx, stationId) : [] }
}
