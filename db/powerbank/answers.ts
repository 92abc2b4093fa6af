import { type Answer, answered } from '../devices/command-results.ts'
import { type CommandRow, fail, withdraw } from '../devices/commands.ts'
import { record } from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { afterwards } from './aftermath.ts'
import { ensure } from './bank-ids.ts'
import { SETTLE_SECONDS } from './decide/changes.ts'
import { heardAt } from './decide/returned.ts'
import type { KnownBank } from './decide/snapshot.ts'
import { askInventory, lookWithin } from './looks.ts'
import * as orders from './orders.ts'
import * as sims from './sims.ts'
import * as places from './slots.ts'
import { heardReturns } from './snapshots.ts'

/** The loudest that the vendor's document knows (docs/protocol.md 0x70). */
const VOLUME_LEVEL_MAX = 15
const UNSPEAKABLE = "the cabinet's protocol has no such command"
const isMovement = (kind: string) => kind === 'eject' || kind === 'force_eject'

/** Answers nobody asked for that are told of within an hour; more of one cabinet are noise. */
const UNMATCHED_PER_HOUR_MAX = 120
/** How far back in a station's log they are counted. */
const RECENT_EVENTS_MAX = 300

/** A bank of the MQTT family (docs/protocol.md 5.5), whose movements are asked for by bank and not by slot. */
const NUMBERED = /^[0-9A-F]{8}$/

/** A cabinet's answer in our words. */
export interface CabinetAnswer extends Answer {
  bankId?: string | null
}

const keep = (tx: Tx, stationId: number, state: Record<string, unknown>) => tx`
  update stations set device_state = device_state || ${tx.json(state as any)} where id = ${stationId}`

/** What an answer teaches about the cabinet itself, by kind; kinds that teach nothing are absent. */
const lessons: Record<
  string,
  (tx: Tx, stationId: number, answer: CabinetAnswer, command: CommandRow) => Promise<unknown>
> = {
  iccid: (tx, stationId, { iccid }) => sims.learn(tx, { id: stationId }, iccid as string, 'answer'),
  volume: (tx, stationId, { level }) =>
    keep(tx, stationId, {
      volume: { level, at: new Date() },
      // Once is enough: a quiet word later does not take it back (docs/protocol.md 0x77).
      ...(Number(level) > VOLUME_LEVEL_MAX && { countsVolumeInPercent: true }),
    }),
  set_volume: (tx, stationId, _answer, { args }) =>
    keep(tx, stationId, { volume: { level: args.level, at: new Date() } }),
  server_address: async (tx, stationId, { host, port, heartbeatSeconds }) => {
    await keep(tx, stationId, { serverAddress: { host, port, heartbeatSeconds, at: new Date() } })
    if (Number(heartbeatSeconds) > 0)
      await tx`update device_sessions set heartbeat_seconds = ${Number(heartbeatSeconds)} where device_id = ${stationId}`
  },
  // Holds from the restart on (0x63), and a restart may be missed: the slower pace of both is expected.
  set_server_address: async (tx, stationId, _answer, { args: { host, port, heartbeatSeconds } }) => {
    await keep(tx, stationId, { serverAddress: { host, port, heartbeatSeconds, at: new Date() } })
    await tx`
      update device_sessions set heartbeat_seconds = greatest(heartbeat_seconds, ${Number(heartbeatSeconds)})
      where device_id = ${stationId}`
  },
  apn: (tx, stationId, { index, valid, operator, apn }) =>
    keep(tx, stationId, { apn: { index, valid, operator, apn, at: new Date() } }),
  software_version: (tx, stationId, { version }) =>
    keep(tx, stationId, { softwareVersion: { version, at: new Date() } }),
}

/**
 * SQL: is this the movement that was answered? Its slot says so. Over MQTT a bank is asked for, so its number says as much
 * where the slot does not (old firmware has a board's address there, a refusal may have neither: docs/protocol.md 5.5).
 */
function isTheMovement(q: Queryable, said: CabinetAnswer): ReturnType<Queryable> {
  const { slot = null, bankId, ok } = said
  const number = bankId && NUMBERED.test(bankId) ? bankId : null
  const isNameless = slot === 0 && !bankId && ok === false
  return q`
    case when ${number}::text is not null and args->>'bankId' is not null then args->>'bankId' = ${number}
      else slot = ${slot} or (${isNameless} and status = 'sent') end`
}

/**
 * An administrator had a slot opened: a closed order says who and which (docs/contracts.md 4.2). A loan still
 * waiting for that very bank ends, and its eject stays at home if it has not left.
 */
async function forceEjected(
  tx: Tx,
  stationId: number,
  command: CommandRow,
  bank: KnownBank | undefined,
): Promise<number | null> {
  if (bank) {
    const [waiting] = await tx<{ id: number; commandId: number | null }[]>`
      select id, command_id from orders
      where powerbank_id = ${bank.id} and status = 'pending' and deleted_at is null for update`
    const evidence = 'an administrator ejected the bank'
    if (waiting?.commandId) await withdraw(tx, waiting.commandId, evidence)
    if (waiting) await orders.move(tx, waiting.id, { to: 'cancelled', evidence })
  }
  const { requestedBy: userId, slot } = command
  if (userId === null) return null
  const powerbankId = bank?.id ?? null
  const [order] = await tx<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, command_id, evidence, is_admin_order, completed_at)
    values (${stationId}, ${userId}, ${powerbankId}, ${slot}, 'force_eject', ${command.id}, 'force eject answer', true, now())
    returning id`
  await record(tx, 'order.force_ejected', { stationId, userId, orderId: order!.id, data: { powerbankId, slot } })
  return order!.id
}

/** An answer to a movement nobody asked for (wrong slot, said twice): no order moves; the slots will tell. */
async function unmatched(tx: Tx, stationId: number, { kind, slot, bankId }: CabinetAnswer): Promise<void> {
  await lookWithin(tx, stationId, 0)
  const [told] = await tx<{ times: number }[]>`
    select count(*) as times from (
      select kind, created_at from events where station_id = ${stationId} order by id desc limit ${RECENT_EVENTS_MAX}
    ) recent where kind = 'answer.unmatched' and created_at > now() - interval '1 hour'`
  if (told!.times >= UNMATCHED_PER_HOUR_MAX) return
  await record(tx, 'answer.unmatched', { stationId, data: { kind, slot, bankId } })
}

interface Elsewhere {
  stationId: number
  slotNumber: number
  /** The order's loan has ended, there or since. */
  hasEnded: boolean
}

/** The cabinet that seems to hold the bank of this command's order, if it is another one than lets it out now. */
async function elsewhere(tx: Tx, { id, deviceId }: CommandRow, bankId: number): Promise<Elsewhere | undefined> {
  const [place] = await tx<Elsewhere[]>`
    select sp.station_id, sp.slot_number, o.status = 'return' as has_ended
    from orders o join station_powerbanks sp on sp.powerbank_id = o.powerbank_id
    where o.command_id = ${id} and o.powerbank_id = ${bankId} and sp.station_id <> ${deviceId}`
  return place
}

/**
 * Has the bank come back, into another cabinet, before the answer to its eject came? A return heard there since says
 * so; a list may be an older picture, so that cabinet is asked again. (By a command: its row may not be locked here.)
 */
async function backAlready(
  tx: Tx,
  now: Date,
  command: CommandRow,
  powerbankId: number,
): Promise<Elsewhere | undefined> {
  const place = await elsewhere(tx, command, powerbankId)
  if (!place || place.hasEnded) return place
  const at = { stationId: place.stationId, slotNumber: place.slotNumber, powerbankId }
  const heard = heardAt({ now, returns: await heardReturns(tx, at) }, at)
  if (heard !== null && command.sentAt !== null && heard >= command.sentAt) return place
  await askInventory(tx, place.stationId, 'policy')
  return undefined
}

/** A bank went out of a slot: the order moves, the slot empties, and is looked at once the cabinet has checked itself. */
async function moved(
  tx: Tx,
  station: places.Place,
  { command, isLate }: { command: CommandRow; isLate: boolean },
  said: CabinetAnswer,
): Promise<number | null> {
  const banks = said.bankId ? await ensure(tx, station, [said.bankId]) : undefined
  const bank = banks?.get(said.bankId!)
  const back = bank && said.kind === 'eject' ? await backAlready(tx, station.now, command, bank.id) : undefined
  await places.vacate(tx, station.id, command.slot!, back ? null : (bank?.id ?? null))
  await lookWithin(tx, station.id, SETTLE_SECONDS)
  if (said.kind === 'force_eject') return forceEjected(tx, station.id, command, bank)
  const late = isLate ? 'late ' : ''
  const orderId = await orders.ejected(tx, command.id, bank?.id ?? null, `${late}eject answer`)
  if (!back || orderId === null) return orderId
  const { stationId: returnStationId, slotNumber: returnSlot } = back
  const evidence = 'return frame, before the eject answer'
  await orders.move(tx, orderId, { to: 'return', returnStationId, returnSlot, evidence })
  return orderId
}

/**
 * A cabinet has answered, late or not, and what the answer means becomes true: the order moves, the slot empties, the
 * cabinet's own data are kept. Said twice counts once.
 * @returns the command and order it settled, or null when nothing waited for it
 */
export async function answer(
  tx: Tx,
  stationId: number,
  said: CabinetAnswer,
  hex: string,
): Promise<{ commandId: number; orderId: number | null } | null> {
  const station = await places.lock(tx, stationId)
  const settled = await answered(tx, stationId, said, hex, isTheMovement(tx, said))
  if (!settled) {
    if (isMovement(said.kind)) await unmatched(tx, stationId, said)
    return null
  }
  const { command } = settled
  if (said.ok !== false) await lessons[said.kind]?.(tx, stationId, said, command)
  if (!isMovement(said.kind)) return { commandId: command.id, orderId: null }
  if (said.ok === false) {
    // Only an inventory proves that the bank stayed (docs/protocol.md 3, 0x65), so the order waits for one.
    await lookWithin(tx, stationId, 0)
    return { commandId: command.id, orderId: null }
  }
  return { commandId: command.id, orderId: await moved(tx, station, settled, said) }
}

/** Commands this cabinet's wire has no word for fail at once, with the orders that wait for them. */
export async function unspeakable(tx: Tx, stationId: number, ids: readonly number[]): Promise<void> {
  await places.lock(tx, stationId)
  await afterwards(tx, await fail(tx, stationId, ids, UNSPEAKABLE))
}
