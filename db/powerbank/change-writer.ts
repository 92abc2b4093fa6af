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
    error_typec, error_lightning, error_microusb, powerbank_error)
  select i."stationId", i."powerbankId", i.slot, i."levelPercent", i.millivolts, i.milliamps, i.celsius,
    coalesce((i.faults->>'typeC')::boolean, false), coalesce((i.faults->>'lightning')::boolean, false),
    coalesce((i.faults->>'microUsb')::boolean, false), coalesce((i.faults->>'bank')::boolean, false)
  from jsonb_to_recordset(${tx.json(rows.map(({ bank, stationId, powerbankId }) => ({ ...bank, stationId, powerbankId })))})
    as i ("stationId" bigint, "powerbankId" bigint, slot int, "levelPercent" int, millivolts int, milliamps int,
      celsius int, faults jsonb)
  on conflict (powerbank_id) do update set level = coalesce(excluded.level, sp.level),
    voltage = coalesce(excluded.voltage, sp.voltage), current = coalesce(excluded.current, sp.current),
    temperature = coalesce(excluded.temperature, sp.temperature), error_typec = excluded.error_typec,
    error_lightning = excluded.error_lightning, error_microusb = excluded.error_microusb,
    powerbank_error = excluded.powerbank_error, last_update = now()`

const writeBanks = (tx: Tx, rows: readonly ChangeOf<'bank'>[]) => tx`
  update powerbanks p set soh = coalesce(i."sohPercent", p.soh),
    status = case when i."isBroken" then 'system_error' else p.status end, updated_at = now()
  from jsonb_to_recordset(${tx.json(rows)}) as i ("powerbankId" bigint, "sohPercent" int, "isBroken" boolean)
  where p.id = i."powerbankId"`

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
    inventory_due_at = least(case when i."isListed" and s.inventory_due_at <= now() then null else s.inventory_due_at end,
      now() + make_interval(secs => i."withinSeconds"))
  from (
    select "stationId", bool_or("isListed") as "isListed", max(slots) as slots, min("withinSeconds") as "withinSeconds"
    from jsonb_to_recordset(${tx.json([
      ...listed.map(({ stationId, slots }) => ({ stationId, slots, isListed: true })),
      ...looks.map(({ stationId, withinSeconds }) => ({ stationId, withinSeconds, isListed: false })),
    ])}) as r ("stationId" bigint, slots int, "withinSeconds" int, "isListed" boolean)
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
  const [gone, here, banks, events] = [only('vacate'), only('put'), only('bank'), only('event')]
  if (gone.length > 0) await vacate(tx, gone)
  if (here.length > 0) await put(tx, here)
  if (banks.length > 0) await writeBanks(tx, banks)
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
