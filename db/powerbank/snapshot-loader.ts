import type { Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { ensure } from './bank-ids.ts'
import { FILED_PER_HOUR_MAX } from './decide/abnormal.ts'
import { askedFor, isMovement, placeElsewhere } from './decide/answered.ts'
import { namedBy } from './decide/decide.ts'
import { RETURN_HEARD } from './decide/returned.ts'
import {
  type AnswerReport,
  before,
  type EndedCommand,
  type FiledReport,
  type FilledSlot,
  type HeardReturn,
  type InventoryReport,
  type LiveOrder,
  type Report,
  type ReturnReport,
  type Rules,
  type Snapshot,
} from './decide/snapshot.ts'
import type { LockedStation } from './station-lock.ts'

/** A list of a connection as new as this may have been asked for before the cabinet had looked at its slots. */
const NEW_SECONDS = 75
/** How far back among a station's commands the question is looked for that its list answers. */
const ASKED_COMMANDS_MAX = 64
/** How far back among them an eject is looked for that let a bank out. */
const MOVEMENTS_MAX = 256
/** For so long a cancelled order waits for a list that shows whether its bank stayed. */
const STAYED_HOURS = 24
/** How far back in a station's log something is looked for. */
const RECENT_EVENTS_MAX = 300

const ORDER_COLUMNS = [
  'id',
  'status',
  'stationId',
  'userId',
  'powerbankId',
  'askedPowerbankId',
  'namedPowerbankId',
  'slotNumber',
  'commandId',
  'createdAt',
  'borrowedAt',
  'absentAt',
  'returnHeardAt',
  'notTakenAt',
  'deletedAt',
] as const satisfies (keyof LiveOrder)[]

/** Locks what this station, these banks and those asked for here are thought to fill, in the order of `lock` in station-lock.ts. */
const filledSlots = (tx: Tx, stationId: number, bankIds: number[]) => tx<FilledSlot[]>`
  select station_id, slot_number, powerbank_id from station_powerbanks
  where station_id = ${stationId} or powerbank_id = any(${bankIds}::bigint[]) or powerbank_id in (
    select powerbank_id from orders where station_id = ${stationId} and status = 'pending' and deleted_at is null
    union all
    select powerbank_id from orders where station_id = ${stationId} and not_taken_at is not null and deleted_at is null)
  order by id for update`

/** Orders with what their ejects have come to; locked by rising id. */
const lockOrders = (tx: Tx, which: ReturnType<Tx>) => tx<LiveOrder[]>`
  select ${columnsOf(tx, 'o', ORDER_COLUMNS)}, c.status as command_status, c.sent_at as command_sent_at
  from orders o left join device_commands c on c.id = o.command_id
  where ${which} order by o.id for update of o`

const isOpen = (tx: Tx) => tx`o.status in ('pending', 'borrow') and o.deleted_at is null`

/** Of these banks, or asked for one of them and was named another. */
const isAbout = (tx: Tx, bankIds: number[]) =>
  tx`(o.powerbank_id = any(${bankIds}::bigint[]) or o.asked_powerbank_id = any(${bankIds}::bigint[]))`

/** What a list can mean something for (see `orders` of a snapshot). */
const ordersListed = (tx: Tx, stationId: number, bankIds: number[]) =>
  lockOrders(
    tx,
    tx`
      ${isOpen(tx)} and (${isAbout(tx, bankIds)}
        or o.station_id = ${stationId} and (o.status = 'pending' or o.absent_at is null))
      or o.station_id = ${stationId} and o.status = 'cancelled' and o.deleted_at is null
        and o.not_taken_at > now() - make_interval(hours => ${STAYED_HOURS})
        and not exists (select 1 from orders anew where anew.powerbank_id = o.powerbank_id and anew.id > o.id)`,
  )

/** The open orders of these banks. */
const openOrders = (tx: Tx, bankIds: number[]) => lockOrders(tx, tx`${isAbout(tx, bankIds)} and ${isOpen(tx)}`)

/** The order of this command, open or not, and the open ones of its bank and of these. */
const ordersAround = (tx: Tx, commandId: number, bankIds: number[]) =>
  lockOrders(
    tx,
    tx`
      o.command_id = ${commandId} or ${isOpen(tx)} and (o.powerbank_id = any(${bankIds}::bigint[])
        or o.powerbank_id = (select powerbank_id from orders where command_id = ${commandId}))`,
  )

/** The orders that wait for commands which ended. */
export async function ordersOf(tx: Tx, over: readonly EndedCommand[]): Promise<LiveOrder[]> {
  const ids = over.filter(({ isMovement }) => isMovement).map(({ id }) => id)
  return ids.length > 0 ? lockOrders(tx, tx`o.command_id = any(${ids}::bigint[]) and o.status = 'pending'`) : []
}

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

/** When this return was first told of, and when last, however long ago. */
async function heardReturns(tx: Tx, place: FilledSlot): Promise<HeardReturn[]> {
  const { stationId, slotNumber, powerbankId } = place
  const [said] = await tx<{ first: Date | null; last: Date | null }[]>`
    select min(created_at) as first, max(created_at) as last from events
    where data->>'powerbankId' = ${String(powerbankId)} and kind in ('powerbank.returned', ${RETURN_HEARD})
      and station_id = ${stationId} and (data->>'slot')::int = ${slotNumber}`
  return [said!.first, said!.last].flatMap((at) => (at ? [{ ...place, at }] : []))
}

/** Has this station answered before that this bank left this slot? */
async function isSaidBefore(tx: Tx, stationId: number, bankId: string, slot: number | null): Promise<boolean> {
  const [said] = await tx<{ is: boolean }[]>`
    select exists (select 1 from (
      select is_movement, status, slot, answer from device_commands
      where device_id = ${stationId} order by id desc limit ${MOVEMENTS_MAX}
    ) recent where is_movement and status = 'answered' and slot = ${slot} and answer->>'bankId' = ${bankId}) as is`
  return said!.is
}

const filedReports = (tx: Tx, stationId: number) => tx<FiledReport[]>`
  select slot_number as slot, event_type as event, terminal_id as bank_id, created_at as at from slot_abnormal_reports
  where station_id = ${stationId} order by id desc limit ${FILED_PER_HOUR_MAX}`

/** When it was last told that the station answered what nobody had asked. */
async function unmatchedAnswers(tx: Tx, stationId: number): Promise<Date[]> {
  const told = await tx<{ at: Date }[]>`
    select created_at as at from (
      select kind, created_at from events where station_id = ${stationId} order by id desc limit ${RECENT_EVENTS_MAX}
    ) recent where kind = 'answer.unmatched'`
  return told.map(({ at }) => at)
}

/** What the loaders of the kinds begin with: nothing but the station. */
const bare = ({ now, orgUnitId: _, ...station }: LockedStation, rules: Rules): Snapshot => ({
  now,
  rules,
  station,
  banks: new Map(),
  slots: [],
  orders: [],
  askedAt: [],
  returns: [],
  filed: [],
  isSaidBefore: false,
  unmatched: [],
})

/** The banks that a report names, and what else begins with them; sent at once, and worked in the order of the locks. */
async function withBanks(
  tx: Tx,
  station: LockedStation,
  report: Report,
  rules: Rules,
  orders: (bankIds: number[]) => Promise<LiveOrder[]>,
): Promise<Snapshot> {
  const banks = await ensure(tx, station, namedBy(report))
  const bankIds = [...banks.values()].map(({ id }) => id)
  const [slots, theirs] = await Promise.all([filledSlots(tx, station.id, bankIds), orders(bankIds)])
  return { ...bare(station, rules), banks, slots, orders: theirs }
}

async function forList(tx: Tx, station: LockedStation, report: InventoryReport, rules: Rules): Promise<Snapshot> {
  const at = await withBanks(tx, station, report, rules, (bankIds) => ordersListed(tx, station.id, bankIds))
  const isNew = station.connectedAt !== null && station.connectedAt > before(station.now, NEW_SECONDS)
  return isNew || at.orders.length > 0 ? { ...at, askedAt: await questions(tx, station.id) } : at
}

async function forReturn(tx: Tx, station: LockedStation, report: ReturnReport, rules: Rules): Promise<Snapshot> {
  const at = await withBanks(tx, station, report, rules, (bankIds) => openOrders(tx, bankIds))
  const bank = at.banks.get(report.bank.bankId)
  if (!bank) return at
  const place = { stationId: station.id, slotNumber: report.bank.slot, powerbankId: bank.id }
  return { ...at, returns: await heardReturns(tx, place) }
}

async function forAnswer(tx: Tx, station: LockedStation, report: AnswerReport, rules: Rules): Promise<Snapshot> {
  const { said, command } = report
  if (!isMovement(said)) return bare(station, rules)
  if (!command) return { ...bare(station, rules), unmatched: await unmatchedAnswers(tx, station.id) }
  if (said.ok === false) return bare(station, rules)
  const at = await withBanks(tx, station, report, rules, (bankIds) => ordersAround(tx, command.id, bankIds))
  if (said.bankId && said.bankId !== askedFor(command))
    return { ...at, isSaidBefore: await isSaidBefore(tx, station.id, said.bankId, command.slot) }
  const place = placeElsewhere(at, report)
  return place ? { ...at, returns: await heardReturns(tx, place) } : at
}

/**
 * What is known of a station and of all that a report names, locked until the transaction ends, so that it stays so.
 * Strangers' banks are registered on the way (`ensure`).
 */
export async function load(tx: Tx, station: LockedStation, report: Report, rules: Rules): Promise<Snapshot> {
  switch (report.kind) {
    case 'inventory':
    case 'login':
      return forList(tx, station, report, rules)
    case 'returned':
      return forReturn(tx, station, report, rules)
    case 'abnormal':
      return { ...bare(station, rules), filed: await filedReports(tx, station.id) }
    case 'answer':
      return forAnswer(tx, station, report, rules)
    case 'connected':
    case 'disconnected':
      return { ...bare(station, rules), orders: await ordersOf(tx, report.ended) }
  }
}
