import { ensure, type KnownBank } from './bank-ids.ts'
import { askInventory } from './commands.ts'
import type { Tx } from './connect.ts'
import { record } from './events.ts'
import * as orders from './orders.ts'

/** A power bank in a slot, as a cabinet reports it. Units: percent, millivolts, milliamperes, degrees Celsius. */
export interface SeenBank {
  slot: number
  bankId: string
  levelPercent?: number
  millivolts?: number
  milliamps?: number
  celsius?: number
  sohPercent?: number
  faults?: { bank: boolean; typeC: boolean; lightning: boolean; microUsb: boolean }
}

interface Place {
  id: number
  orgUnitId: number | null
  /** It dialled in seconds ago and may not have looked at all its slots yet. */
  isSettling: boolean
}

/** A cabinet that was asked before a bank left may still list it; such a sighting closes no fresh loan. */
const FRESH_LOAN_SECONDS = 5
/** A bank listed this long after an unanswered eject was sent has stayed (HOUSE 6; motor 1.2 s, link up to seconds). */
const STAYED_SECONDS = 7
/** The same abnormal report within this is the same event said twice. */
const ABNORMAL_REPEAT_SECONDS = 60

/** After a login a cabinet needs this long to check its power banks (cabinet-protocol 3, 0x60). */
const SETTLING_SECONDS = 7

/** Locks the station's row: what a cabinet says is worked one report after the other, whichever way it came. */
async function lock(tx: Tx, stationId: number): Promise<Place> {
  const [station] = await tx<Place[]>`
    select s.id, s.org_unit_id,
      coalesce(ds.connected_at > now() - make_interval(secs => ${SETTLING_SECONDS}), false) as is_settling
    from stations s left join device_sessions ds on ds.station_id = s.id where s.id = ${stationId} for no key update of s`
  return station!
}

/** Machines lie: a slot or a bank listed twice counts where it was listed first. */
function consistent(banks: readonly SeenBank[]): SeenBank[] {
  const slots = new Set<number>()
  const ids = new Set<string>()
  return banks.filter(({ slot, bankId }) => {
    const ok = slot > 0 && !slots.has(slot) && !ids.has(bankId)
    slots.add(slot)
    ids.add(bankId)
    return ok
  })
}

/** Writes what sits where. A bank is taken out of any other place it was thought to be in. */
async function place(tx: Tx, station: Place, banks: readonly SeenBank[], known: Map<string, KnownBank>): Promise<void> {
  const ids = banks.map((bank) => known.get(bank.bankId)!.id)
  const slots = banks.map((bank) => bank.slot)
  await tx`
    with here as (select * from unnest(${ids}::bigint[], ${slots}::int[]) as i (powerbank_id, slot))
    delete from station_powerbanks where id in (
      select sp.id from here i join station_powerbanks sp on sp.powerbank_id = i.powerbank_id
      where sp.station_id <> ${station.id} or sp.slot_number <> i.slot
      union all
      select sp.id from here i join station_powerbanks sp on sp.station_id = ${station.id} and sp.slot_number = i.slot
      where sp.powerbank_id <> i.powerbank_id)`
  const rows = banks.map((bank, i) => ({ ...bank, powerbankId: ids[i] }))
  await tx`
    insert into station_powerbanks (station_id, powerbank_id, slot_number, level, voltage, current, temperature,
      error_typec, error_lightning, error_microusb, powerbank_error)
    select ${station.id}, i."powerbankId", i.slot, i."levelPercent", i.millivolts, i.milliamps, i.celsius,
      coalesce((i.faults->>'typeC')::boolean, false), coalesce((i.faults->>'lightning')::boolean, false),
      coalesce((i.faults->>'microUsb')::boolean, false), coalesce((i.faults->>'bank')::boolean, false)
    from jsonb_to_recordset(${tx.json(rows as any)}) as i ("powerbankId" bigint, slot int, "levelPercent" int,
      millivolts int, milliamps int, celsius int, faults jsonb)
    on conflict (powerbank_id) do update set level = excluded.level, voltage = excluded.voltage,
      current = excluded.current, temperature = excluded.temperature, error_typec = excluded.error_typec,
      error_lightning = excluded.error_lightning, error_microusb = excluded.error_microusb,
      powerbank_error = excluded.powerbank_error, last_update = now()`
  await tx`
    update powerbanks p set soh = coalesce(i.soh, p.soh),
      status = case when i.broken = 1 and p.status = 'active' then 'system_error' else p.status end, updated_at = now()
    from unnest(${ids}::bigint[], ${banks.map((bank) => bank.sohPercent ?? null)}::int[],
      ${banks.map((bank) => (bank.faults?.bank ? 1 : 0))}::int[]) as i (id, soh, broken)
    where p.id = i.id and ((i.soh between 0 and 100 and i.soh <> p.soh) or (i.broken = 1 and p.status = 'active'))`
}

interface OpenOrder {
  id: number
  status: 'pending' | 'borrow'
  stationId: number
  powerbankId: number
  slotNumber: number | null
  /** The loan began so recently that an older picture of the slots may still show the bank. */
  isFresh: boolean
  commandStatus: string | null
  /** Time enough has passed for an unanswered eject to have happened. */
  isOld: boolean
}

const openOrders = (tx: Tx, stationId: number, bankIds: number[]) => tx<OpenOrder[]>`
  select o.id, o.status, o.station_id, o.powerbank_id, o.slot_number, c.status as command_status,
    coalesce(o.borrowed_at > now() - make_interval(secs => ${FRESH_LOAN_SECONDS}), false) as is_fresh,
    coalesce(c.status = 'failed' or c.sent_at < now() - make_interval(secs => ${STAYED_SECONDS}), true) as is_old
  from orders o left join device_commands c on c.id = o.command_id
  where (o.powerbank_id = any(${bankIds}::bigint[]) or (o.station_id = ${stationId} and o.status = 'pending'))
    and o.status in ('pending', 'borrow') and o.deleted_at is null
  order by o.id for update of o`

const isDoubtful = (order: OpenOrder) => order.commandStatus === 'unknown' || order.commandStatus === 'failed'

/** A look at the slots that decides nothing yet: the loan is too fresh, or the cabinet still checks itself. */
const isTooEarly = (order: OpenOrder, station: Place) =>
  order.stationId === station.id && (order.status === 'borrow' ? order.isFresh : isDoubtful(order) && !order.isOld)

/** What a whole list of slots says of one open order. True: settled or of no concern; false: look again later. */
async function judge(
  tx: Tx,
  station: Place,
  order: OpenOrder,
  slot: number | undefined,
  how: string,
): Promise<boolean> {
  if (slot === undefined) {
    if (order.status === 'borrow' || order.stationId !== station.id || !isDoubtful(order)) return true
    if (station.isSettling) return false
    await orders.move(tx, order.id, { to: 'borrow', evidence: `${how}: the slot no longer lists the bank` })
    return true
  }
  if (isTooEarly(order, station)) return false
  const here = order.stationId === station.id
  if (order.status === 'pending' && here && !isDoubtful(order)) return true
  if (order.status === 'pending' && here && slot === order.slotNumber) {
    await orders.move(tx, order.id, { to: 'cancelled', evidence: `${how}: the bank stayed` })
    return true
  }
  const evidence = order.status === 'borrow' ? how : `${how}: seen in ${here ? 'another slot' : 'another cabinet'}`
  await orders.move(tx, order.id, { to: 'return', returnStationId: station.id, returnSlot: slot, evidence })
  return true
}

/** Banks that were thought to be here and are not listed lose their slot; what no order explains is told. */
async function forgetMissing(tx: Tx, stationId: number, presentIds: number[], explained: Set<number>): Promise<void> {
  const gone = await tx<{ powerbankId: number; slotNumber: number }[]>`
    delete from station_powerbanks where station_id = ${stationId} and powerbank_id <> all(${presentIds}::bigint[])
    returning powerbank_id, slot_number`
  for (const { powerbankId, slotNumber } of gone)
    if (!explained.has(powerbankId))
      await record(tx, 'powerbank.missing', { stationId, data: { powerbankId, slot: slotNumber } })
}

/**
 * A whole list of a cabinet's slots (0x64, or the login of TCP-B): the truth about what it holds. Closes the
 * orders of banks that are present, decides ejects nobody answered, moves banks, registers unknown ones and
 * forgets those that are gone. Just after a login absence proves nothing: the cabinet still checks its banks.
 */
export async function inventory(
  tx: Tx,
  stationId: number,
  { slots, banks: listed }: { slots?: number; banks: readonly SeenBank[] },
  source: 'inventory' | 'login',
): Promise<void> {
  const station = await lock(tx, stationId)
  const banks = consistent(listed)
  const deviceIds = banks.map((bank) => bank.bankId)
  const known = await ensure(tx, station, deviceIds)
  const ids = deviceIds.map((deviceId) => known.get(deviceId)!.id)
  const open = await openOrders(tx, stationId, ids)
  const slotOf = new Map(banks.map((bank, i) => [ids[i]!, bank.slot]))
  const undecided = new Set<number>()
  for (const order of open)
    if (!(await judge(tx, station, order, slotOf.get(order.powerbankId), source))) undecided.add(order.powerbankId)
  const explained = new Set(open.map((order) => order.powerbankId))
  if (!station.isSettling) await forgetMissing(tx, stationId, ids, explained)
  const onLoan = new Set(open.filter((order) => order.status === 'borrow').map((order) => order.powerbankId))
  const present = banks.filter(({ bankId }) => {
    const { id } = known.get(bankId)!
    return !(onLoan.has(id) && undecided.has(id))
  })
  if (present.length > 0) await place(tx, station, present, known)
  if (banks.length < listed.length) await record(tx, 'inventory.inconsistent', { stationId, data: { source } })
  const lookAgain = station.isSettling || undecided.size > 0
  await tx`
    update stations set inventory_at = now(), slots_declared = coalesce(${slots || null}::int, slots_declared),
      inventory_due_at = case when ${lookAgain} then now() + make_interval(secs => ${STAYED_SECONDS})
        when inventory_due_at > now() then inventory_due_at end
    where id = ${stationId}`
}

/**
 * A bank was put into a slot (0x66). Its order closes, whatever cabinet it came from; said twice counts once.
 * The bank is ours to keep from here on, so a stranger's is taken too and decided about afterwards. A return
 * of a bank that left this cabinet seconds ago may be an old one repeated: the next inventory decides.
 */
export async function returned(tx: Tx, stationId: number, bank: SeenBank): Promise<void> {
  const station = await lock(tx, stationId)
  const known = await ensure(tx, station, [bank.bankId])
  const { id, status } = known.get(bank.bankId)!
  const open = (await openOrders(tx, stationId, [id])).filter((order) => order.powerbankId === id)
  const isRepeat = (order: OpenOrder) =>
    isTooEarly(order, station) || (order.stationId === stationId && order.status === 'pending' && !isDoubtful(order))
  if (open.some(isRepeat)) {
    await lookLater(tx, stationId, STAYED_SECONDS)
    return
  }
  for (const order of open)
    await orders.move(tx, order.id, {
      to: 'return',
      returnStationId: stationId,
      returnSlot: bank.slot,
      evidence: 'return frame',
    })
  const [here] = await tx`
    select 1 from station_powerbanks where station_id = ${stationId} and powerbank_id = ${id} and slot_number = ${bank.slot}`
  await place(tx, station, [bank], known)
  if (!here || open.length > 0)
    await record(tx, 'powerbank.returned', {
      stationId,
      data: { powerbankId: id, slot: bank.slot, orders: open.length, status },
    })
  // The return frame's telemetry is often unread yet (cabinet-protocol 3, 0x66): the level comes from a later look.
  await lookLater(tx, stationId, orders.SETTLE_SECONDS)
}

const lookLater = (tx: Tx, stationId: number, seconds: number) => tx`
  update stations set inventory_due_at = now() + make_interval(secs => ${seconds}) where id = ${stationId}`

/** A slot went wrong (0x83): filed once, and the cabinet is asked what it holds now. */
export async function abnormal(
  tx: Tx,
  stationId: number,
  { event, slot, bankId }: { event: number; slot: number; bankId: string | null },
): Promise<void> {
  await lock(tx, stationId)
  const [filed] = await tx<{ id: number }[]>`
    insert into slot_abnormal_reports (station_id, slot_number, terminal_id, event_type, reported_at)
    select ${stationId}, ${slot}, ${bankId}, ${String(event)}, now()
    where not exists (
      select 1 from slot_abnormal_reports where station_id = ${stationId} and slot_number = ${slot}
        and event_type = ${String(event)} and terminal_id is not distinct from ${bankId}
        and created_at > now() - make_interval(secs => ${ABNORMAL_REPEAT_SECONDS}))
    returning id`
  if (!filed) return
  await record(tx, 'slot.abnormal', { stationId, data: { reportId: filed.id, event, slot, bankId } })
  await askInventory(tx, stationId, 'policy')
}
