import { askInventory, withdraw } from '../devices/commands.ts'
import { record } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'
import { ensure } from './bank-ids.ts'
import * as orders from './orders.ts'
import * as places from './slots.ts'

export type { SeenBank } from './slots.ts'

/** A cabinet that was asked before a bank left may still list it; such a sighting closes no fresh loan. */
const FRESH_LOAN_SECONDS = 5
/** A bank listed to a question this long after an unanswered eject has stayed (docs/decisions.md "Absence needs time to prove anything"; motor 1.2 s, link up to seconds). */
const STAYED_SECONDS = 7
/** A cabinet whose acknowledgement was lost says its return again after the next login, which may be minutes later. */
const RETURN_REPEAT_MINUTES = 15
/** How far back among a station's commands the question is looked for that its list answers. */
const ASKED_COMMANDS_MAX = 64
/** A question older than this is not answered any more. */
const ASKED_SECONDS = 60
/** How far back in a station's log a return is looked for. */
const RETURN_REPEAT_EVENTS_MAX = 300
/** The same abnormal report within this is the same event said twice. */
const ABNORMAL_REPEAT_SECONDS = 60
/** More from one cabinet within an hour are one broken sensor, or a liar. */
const ABNORMAL_PER_HOUR_MAX = 120

/** Machines lie: a slot or a bank listed twice counts where it was listed first. */
function consistent(banks: readonly places.SeenBank[]): places.SeenBank[] {
  const slots = new Set<number>()
  const ids = new Set<string>()
  return banks.filter(({ slot, bankId }) => {
    const ok = slot > 0 && !slots.has(slot) && !ids.has(bankId)
    slots.add(slot)
    ids.add(bankId)
    return ok
  })
}

interface OpenOrder {
  id: number
  status: 'pending' | 'borrow'
  stationId: number
  powerbankId: number
  slotNumber: number | null
  commandId: number | null
  commandStatus: string | null
  /** When the bank went out; of one that is still asked for, when that was. */
  begunAt: Date
  /** The loan began so recently that an older picture of the slots may still show the bank. */
  isFresh: boolean
  /** The slots were asked for long enough after its eject was sent for that to have happened, if it ever will. */
  isOld: boolean
}

/**
 * No later than when the cabinet was asked for the list that this transaction works: the first question of this
 * connection that may be the answered one, for after a silence nobody knows which of them it is. Now, for a list
 * given unasked.
 */
const askedAt = (tx: Tx, stationId: number) => tx`
  coalesce((select min(recent.sent_at) from (
    select kind, status, sent_at, answered_at from device_commands where station_id = ${stationId} order by id desc limit ${ASKED_COMMANDS_MAX}
  ) recent
  where kind = 'inventory' and (status in ('queued', 'sent', 'unknown') or answered_at = now())
    and recent.sent_at > now() - make_interval(secs => ${ASKED_SECONDS})
    and recent.sent_at >= (select connected_at from device_sessions where station_id = ${stationId})), now())`

/** The open orders of these banks, and those that wait for this station; locked by rising id. */
const openOrders = (tx: Tx, stationId: number, bankIds: number[]) => tx<OpenOrder[]>`
  select o.id, o.status, o.station_id, o.powerbank_id, o.slot_number, o.command_id, c.status as command_status,
    coalesce(o.borrowed_at, o.created_at) as begun_at,
    coalesce(o.borrowed_at > now() - make_interval(secs => ${FRESH_LOAN_SECONDS}), false) as is_fresh,
    coalesce(c.sent_at < ${askedAt(tx, stationId)}
      - make_interval(secs => case when c.status = 'failed' then 0 else ${STAYED_SECONDS}::int end), true) as is_old
  from orders o left join device_commands c on c.id = o.command_id
  where (o.powerbank_id = any(${bankIds}::bigint[]) or (o.station_id = ${stationId} and o.status = 'pending'))
    and o.status in ('pending', 'borrow') and o.deleted_at is null
  order by o.id for update of o`

/** Its eject was sent, and nobody knows what came of it. */
const isDoubtful = ({ commandStatus }: OpenOrder) => commandStatus === 'unknown' || commandStatus === 'failed'

/** The bank is elsewhere, or gone, and its eject has not left the house: there is nothing to wait for. */
async function callOff(tx: Tx, order: OpenOrder, evidence: string): Promise<void> {
  if (order.commandStatus !== 'queued' || !(await withdraw(tx, order.commandId!, evidence))) return
  await orders.move(tx, order.id, { to: 'cancelled', evidence })
}

/** What it means for an order that a whole list of its station does not show its bank. False: look again later. */
async function absent(tx: Tx, station: places.Place, order: OpenOrder, how: string): Promise<boolean> {
  if (order.status === 'borrow' || order.stationId !== station.id) return true
  if (station.isSettling) return !isDoubtful(order)
  if (isDoubtful(order))
    await orders.move(tx, order.id, { to: 'borrow', evidence: `${how}: the slot no longer lists the bank` })
  else await callOff(tx, order, `${how}: the bank was gone before the eject was sent`)
  return true
}

/** What it means for an order that a list shows its bank in this slot. False: that decides nothing, look again later. */
async function present(tx: Tx, station: places.Place, order: OpenOrder, slot: number, how: string): Promise<boolean> {
  const here = order.stationId === station.id
  const back = { to: 'return', returnStationId: station.id, returnSlot: slot } as const
  if (order.status === 'borrow') {
    if (here && order.isFresh) return false
    await orders.move(tx, order.id, { ...back, evidence: how })
  } else if (!isDoubtful(order)) {
    if (!here) await callOff(tx, order, `${how}: the bank was in another cabinet before the eject was sent`)
  } else if (here && !order.isOld) {
    return false
  } else if (here && slot === order.slotNumber) {
    await orders.move(tx, order.id, { to: 'cancelled', evidence: `${how}: the bank stayed` })
  } else {
    await orders.move(tx, order.id, {
      ...back,
      evidence: `${how}: seen in ${here ? 'another slot' : 'another cabinet'}`,
    })
  }
  return true
}

/**
 * A whole list of a cabinet's slots (0x64, or the login of TCP-B): the truth about what it holds. Closes the
 * orders of banks that are present, decides ejects nobody answered, moves banks, registers unknown ones and
 * forgets those that are gone. Just after a login absence proves nothing: the cabinet still checks its banks.
 */
export async function inventory(
  tx: Tx,
  stationId: number,
  { slots, banks: listed }: { slots?: number; banks: readonly places.SeenBank[] },
  source: 'inventory' | 'login',
): Promise<void> {
  const station = await places.lock(tx, stationId)
  const clear = consistent(listed)
  const known = await ensure(
    tx,
    station,
    clear.map((bank) => bank.bankId),
  )
  const banks = clear.filter(({ bankId }) => known.has(bankId))
  const slotOf = new Map(banks.map(({ bankId, slot }) => [known.get(bankId)!.id, slot]))
  const open = await openOrders(tx, stationId, [...slotOf.keys()])
  const explained = new Set(open.map((order) => order.powerbankId))
  const out = new Set<number>()
  let isDecided = !station.isSettling
  for (const order of open) {
    const slot = slotOf.get(order.powerbankId)
    const decided =
      slot === undefined ? await absent(tx, station, order, source) : await present(tx, station, order, slot, source)
    if (decided) continue
    isDecided = false
    if (order.status === 'borrow') out.add(order.powerbankId)
  }
  const held = banks.filter(({ bankId }) => !out.has(known.get(bankId)!.id))
  const missing = await places.put(tx, station, held, known, !station.isSettling)
  await tellMissing(
    tx,
    stationId,
    missing.filter(({ powerbankId }) => !explained.has(powerbankId)),
  )
  if (banks.length < listed.length) await record(tx, 'inventory.inconsistent', { stationId, data: { source } })
  await looked(tx, stationId, slots, isDecided)
}

/** Notes that the slots were listed whole, and when the next look is due. */
const looked = (tx: Tx, stationId: number, slots: number | undefined, isDecided: boolean) => tx`
  update stations set inventory_at = now(), slots_declared = coalesce(${slots || null}::int, slots_declared),
    inventory_due_at = least(case when inventory_due_at > now() then inventory_due_at end,
      case when not ${isDecided} then now() + make_interval(secs => ${STAYED_SECONDS}) end)
  where id = ${stationId}`

/** Banks that are not where they were thought to be, and that no order explains. */
async function tellMissing(tx: Tx, stationId: number, missing: readonly places.Missing[]): Promise<void> {
  for (const { powerbankId, slotNumber } of missing)
    await record(tx, 'powerbank.missing', { stationId, data: { powerbankId, slot: slotNumber } })
}

/** When this very return was last heard, if lately: a cabinet whose acknowledgement was lost says it again (0x66). */
export async function saidAt(tx: Tx, stationId: number, powerbankId: number, slot: number): Promise<Date | null> {
  const [said] = await tx<{ at: Date | null }[]>`
    select max(created_at) as at from (
      select kind, data, created_at from events where station_id = ${stationId} order by id desc limit ${RETURN_REPEAT_EVENTS_MAX}
    ) recent
    where kind = 'powerbank.returned' and data @> ${tx.json({ powerbankId, slot })}
      and created_at > now() - make_interval(mins => ${RETURN_REPEAT_MINUTES})`
  return said!.at
}

/**
 * A return that decides nothing: it may be an old one, said again after the bank was asked for anew. Of a bank whose
 * eject from here nobody answered yet only a list of the slots tells whether it left.
 */
function mayBeOld(stationId: number, order: OpenOrder, heardBefore: Date | null): boolean {
  if (heardBefore !== null && heardBefore <= order.begunAt) return true
  if (order.stationId !== stationId) return false
  return order.status === 'pending' || order.isFresh
}

/** The telemetry of a return is often unread yet: no level, 2010 mV (docs/protocol.md 3, 0x66). A later look has it. */
const believable = (bank: places.SeenBank): places.SeenBank =>
  bank.levelPercent ? bank : { slot: bank.slot, bankId: bank.bankId }

/**
 * A bank was put into a slot (0x66). Its order closes, whatever cabinet it came from; said twice counts once.
 * The bank is ours to keep from here on, so a stranger's is taken too and decided about afterwards. A return
 * that may be an old one repeated closes nothing: the next inventory decides.
 */
export async function returned(tx: Tx, stationId: number, bank: places.SeenBank): Promise<void> {
  const station = await places.lock(tx, stationId)
  const known = await ensure(tx, station, [bank.bankId])
  const row = known.get(bank.bankId)
  // Beyond what one cabinet may make known: taken, and left for the next list of its slots to name.
  if (!row) return
  const { id, status } = row
  // The slots are looked at once the cabinet has checked itself: for the level, and for what this leaves open.
  await places.lookWithin(tx, stationId, orders.SETTLE_SECONDS)
  const heardBefore = await saidAt(tx, stationId, id, bank.slot)
  const [open] = (await openOrders(tx, stationId, [id])).filter((order) => order.powerbankId === id)
  if (open && mayBeOld(stationId, open, heardBefore)) return
  if (open && (open.status === 'borrow' || isDoubtful(open))) {
    const evidence = 'return frame'
    await orders.move(tx, open.id, { to: 'return', returnStationId: stationId, returnSlot: bank.slot, evidence })
  } else if (open) {
    await callOff(tx, open, 'return frame: the bank was in another cabinet before the eject was sent')
  }
  const [here] = await tx`
    select 1 from station_powerbanks where station_id = ${stationId} and powerbank_id = ${id} and slot_number = ${bank.slot}`
  if (here && !open && heardBefore) return
  await tellMissing(tx, stationId, await places.put(tx, station, [believable(bank)], known, false))
  const data = { powerbankId: id, slot: bank.slot, orders: open ? 1 : 0, status }
  await record(tx, 'powerbank.returned', { stationId, data })
}

/** A slot went wrong (0x83): filed once, and the cabinet is asked what it holds now. */
export async function abnormal(
  tx: Tx,
  stationId: number,
  { event, slot, bankId }: { event: number; slot: number; bankId: string | null },
): Promise<void> {
  await places.lock(tx, stationId)
  const [filed] = await tx<{ id: number }[]>`
    insert into slot_abnormal_reports (station_id, slot_number, terminal_id, event_type, reported_at)
    select ${stationId}, ${slot}, ${bankId}, ${String(event)}, now()
    where not exists (
      select 1 from slot_abnormal_reports where station_id = ${stationId} and slot_number = ${slot}
        and event_type = ${String(event)} and terminal_id is not distinct from ${bankId}
        and created_at > now() - make_interval(secs => ${ABNORMAL_REPEAT_SECONDS}))
      and (select count(*) from (
        select created_at from slot_abnormal_reports where station_id = ${stationId} order by id desc limit ${ABNORMAL_PER_HOUR_MAX}
      ) recent where created_at > now() - interval '1 hour') < ${ABNORMAL_PER_HOUR_MAX}
    returning id`
  if (!filed) return
  await record(tx, 'slot.abnormal', { stationId, data: { reportId: filed.id, event, slot, bankId } })
  await askInventory(tx, stationId, 'policy')
}
