import { withdraw } from '../devices/commands.ts'
import { record, recordAll } from '../messages/events.ts'
import { ring } from '../postgres/channels.ts'
import type { Tx } from '../postgres/connect.ts'
import type { Change, ChangeOf } from './decide/changes.ts'
import { askInventory } from './looks.ts'
import * as orders from './orders.ts'
import * as sims from './sims.ts'

/**
 * What is written one by one, in the order it was decided in: what became of a withdrawal is only known then.
 * @returns the number of an order that was written down
 */
async function settle(tx: Tx, change: Change): Promise<number | undefined> {
  if (change.kind === 'order') await orders.move(tx, change.id, change)
  else if (change.kind === 'absent') await tx`update orders set absent_at = now() where id = ${change.orderId}`
  else if (change.kind === 'named')
    await tx`update orders set named_powerbank_id = ${change.powerbankId} where id = ${change.orderId}`
  else if (change.kind === 'renamed')
    await tx`
      update orders set powerbank_id = ${change.powerbankId}, asked_powerbank_id = null, slot_number = ${change.slotNumber},
        evidence = ${change.evidence}, absent_at = now()
      where id = ${change.orderId}`
  else if (change.kind === 'stayed') await tx`update orders set not_taken_at = null where id = ${change.orderId}`
  else if (change.kind === 'heard') await tx`update orders set return_heard_at = now() where id = ${change.orderId}`
  else if (change.kind === 'wake') await ring(tx, `order ${change.orderId}`)
  else if (change.kind === 'forced') return orders.writeForced(tx, change)
  else if (change.kind === 'withdraw') {
    const { commandId, orderId, evidence } = change
    const isTaken = await withdraw(tx, commandId, evidence)
    if (isTaken && orderId !== null) await orders.move(tx, orderId, { to: 'cancelled', evidence })
  }
  return undefined
}

const vacate = (tx: Tx, gone: readonly ChangeOf<'vacate'>[]) => tx`
  delete from station_powerbanks where powerbank_id = any(${gone.map(({ powerbankId }) => powerbankId)}::bigint[])`

/** One row per bank. What a report does not say stays as it was. */
const put = (tx: Tx, rows: readonly ChangeOf<'put'>[]) => tx`
  insert into station_powerbanks as sp (station_id, powerbank_id, slot_number, level, voltage, current, temperature,
    error_typec, error_lightning, error_microusb, powerbank_error, is_unread)
  select i."stationId", i."powerbankId", i.slot, i."levelPercent", i.millivolts, i.milliamps, i.celsius,
    coalesce((i.faults->>'typeC')::boolean, false), coalesce((i.faults->>'lightning')::boolean, false),
    coalesce((i.faults->>'microUsb')::boolean, false), coalesce((i.faults->>'bank')::boolean, false),
    coalesce(i."isUnread", false)
  from jsonb_to_recordset(${tx.json(rows.map(({ bank, stationId, powerbankId }) => ({ ...bank, stationId, powerbankId })))})
    as i ("stationId" bigint, "powerbankId" bigint, slot int, "levelPercent" int, millivolts int, milliamps int,
      celsius int, faults jsonb, "isUnread" boolean)
  on conflict (powerbank_id) do update set level = coalesce(excluded.level, sp.level),
    voltage = coalesce(excluded.voltage, sp.voltage), current = coalesce(excluded.current, sp.current),
    temperature = coalesce(excluded.temperature, sp.temperature), error_typec = excluded.error_typec,
    error_lightning = excluded.error_lightning, error_microusb = excluded.error_microusb,
    powerbank_error = excluded.powerbank_error, is_unread = excluded.is_unread, last_update = now()`

const writeBanks = (tx: Tx, rows: readonly ChangeOf<'bank'>[]) => tx`
  update powerbanks p set soh = coalesce(i."sohPercent", p.soh), status = coalesce(i.status, p.status),
    good_readings = coalesce(i."goodReadings", p.good_readings),
    twin_at = case when i."isTwin" then now() else p.twin_at end, updated_at = now()
  from jsonb_to_recordset(${tx.json(rows)})
    as i ("powerbankId" bigint, "sohPercent" int, status text, "goodReadings" int, "isTwin" boolean)
  where p.id = i."powerbankId"`

const writeLetOut = (tx: Tx, { stationId, bankId }: ChangeOf<'letOut'>) => tx`
  update stations set listed_banks = listed_banks - ${bankId}
  where id = ${stationId} and (listed_banks->${bankId}->'others') is null`

const writeUnread = (tx: Tx, rows: readonly ChangeOf<'unread'>[]) => tx`
  update station_powerbanks set is_unread = true
  where powerbank_id = any(${rows.map(({ powerbankId }) => powerbankId)}::bigint[])`

/** Files a report, and tells of it. */
async function file(tx: Tx, { stationId, slot, event, bankId }: ChangeOf<'file'>): Promise<void> {
  const [filed] = await tx<{ id: number }[]>`
    insert into slot_abnormal_reports (station_id, slot_number, terminal_id, event_type, reported_at)
    values (${stationId}, ${slot}, ${bankId}, ${String(event)}, now()) returning id`
  await record(tx, 'slot.abnormal', { stationId, data: { reportId: filed!.id, event, slot, bankId } })
}

/** Notes whole lists, and when each station is to be looked into next. */
const writeLooks = (tx: Tx, listed: readonly ChangeOf<'listed'>[], looks: readonly ChangeOf<'look'>[]) => tx`
  update stations s set inventory_at = case when i."isListed" then now() else s.inventory_at end,
    slots_declared = coalesce(i.slots, s.slots_declared),
    listed_banks = case when i."isListed" then i.banks else s.listed_banks end,
    unreadable_slots = case when i."isListed" then array(select jsonb_array_elements(i.unreadable)::int) else s.unreadable_slots end,
    unread_looks = case when i."isListed" is not true then s.unread_looks
      when jsonb_array_length(i.unreadable) > 0 then s.unread_looks + 1 else 0 end,
    inventory_due_at = least(case when i."isListed" and s.inventory_due_at <= now() then null else s.inventory_due_at end,
      now() + make_interval(secs => i."withinSeconds"),
      -- Spread, so that a fleet that dialled in together is not asked together for ever.
      now() + make_interval(secs => (0.5 + random() / 2) * case when exists (
        select 1 from orders o where o.station_id = s.id and o.status in ('pending', 'borrow') and o.deleted_at is null
      ) then i."lookLentSeconds" else i."lookSeconds" end))
  from (
    select "stationId", bool_or("isListed") as "isListed", max(slots) as slots, min("withinSeconds") as "withinSeconds",
      jsonb_agg(banks) filter (where "isListed") -> 0 as banks,
      jsonb_agg(unreadable) filter (where "isListed") -> 0 as unreadable, min("lookSeconds") as "lookSeconds",
      min("lookLentSeconds") as "lookLentSeconds"
    from jsonb_to_recordset(${tx.json([
      ...listed.map(({ kind: _, rules, ...list }) => ({ ...list, ...rules, isListed: true })),
      ...looks.map(({ stationId, withinSeconds }) => ({ stationId, withinSeconds, isListed: false })),
    ])}) 
      as r ("stationId" bigint, slots int, "withinSeconds" int, "isListed" boolean, banks jsonb, unreadable jsonb,
        "lookSeconds" float8, "lookLentSeconds" float8)
    group by 1
  ) i where s.id = i."stationId"`

/** What cabinets have said of themselves. */
async function keep(tx: Tx, change: Change): Promise<void> {
  if (change.kind === 'state')
    await tx`
      update stations set device_state = device_state || ${tx.json(change.state)} where id = ${change.stationId}`
  else if (change.kind === 'iccid') await sims.learn(tx, { id: change.stationId }, change.iccid, 'answer')
  else if (change.kind === 'heartbeat')
    await tx`
      update device_sessions set heartbeat_seconds = greatest(${change.seconds}::int,
        case when ${change.atLeast} then heartbeat_seconds end)
      where device_id = ${change.stationId}`
}

/**
 * Writes what was decided, in few statements whatever it is; for one report or for many. The caller holds the stations.
 * @returns the orders that were written down
 */
export async function write(tx: Tx, changes: readonly Change[]): Promise<number[]> {
  const only = <K extends Change['kind']>(kind: K) =>
    changes.filter((change): change is ChangeOf<K> => change.kind === kind)
  const made: number[] = []
  for (const change of changes) {
    const id = await settle(tx, change)
    if (id !== undefined) made.push(id)
  }
  const [gone, here, banks, unread] = [only('vacate'), only('put'), only('bank'), only('unread')]
  const events = only('event')
  if (gone.length > 0) await vacate(tx, gone)
  if (here.length > 0) await put(tx, here)
  if (banks.length > 0) await writeBanks(tx, banks)
  if (unread.length > 0) await writeUnread(tx, unread)
  for (const change of only('letOut')) await writeLetOut(tx, change)
  for (const change of only('file')) await file(tx, change)
  for (const change of changes) await keep(tx, change)
  if (events.length > 0)
    await recordAll(
      tx,
      events.map(({ name, ...about }) => ({ ...about, kind: name })),
    )
  const [listed, looks] = [only('listed'), only('look')]
  if (listed.length + looks.length > 0) await writeLooks(tx, listed, looks)
  for (const { stationId } of only('ask')) await askInventory(tx, stationId, 'policy')
  return made
}
