import { record } from '../messages/events.ts'
import { ring } from '../postgres/channels.ts'
import type { Tx } from '../postgres/connect.ts'
import { ensure } from '../powerbank/bank-ids.ts'
import { SETTLE_SECONDS } from '../powerbank/decide/changes.ts'
import { heardAt } from '../powerbank/decide/returned.ts'
import type { KnownBank } from '../powerbank/decide/snapshot.ts'
import * as orders from '../powerbank/orders.ts'
import * as sims from '../powerbank/sims.ts'
import * as places from '../powerbank/slots.ts'
import { heardReturns } from '../powerbank/snapshots.ts'
import { askInventory, COLUMNS, type CommandRow, withdraw } from './commands.ts'

/** A command that was sent and not answered; `queued`, because a silent query waits there for its second time. */
const AWAITED = new Set(['sent', 'unknown', 'queued'])
/** How late an answer may be and still belong to its command. */
const LATE_HOURS = 24
/** How far back among a station's commands the answered one is looked for. */
const RECENT_COMMANDS_MAX = 256
/** The loudest that the vendor's document knows (docs/protocol.md 0x70). */
const VOLUME_LEVEL_MAX = 15
const UNSPEAKABLE = "the cabinet's protocol has no such command"

/** Answers nobody asked for that are told of within an hour; more of one cabinet are noise. */
const UNMATCHED_PER_HOUR_MAX = 120
/** How far back in a station's log they are counted. */
const RECENT_EVENTS_MAX = 300

/** A bank of the MQTT family (docs/protocol.md 5.5), whose movements are asked for by bank and not by slot. */
const NUMBERED = /^[0-9A-F]{8}$/

/** A cabinet's answer in our words: `kind` and `slot` say which command it answers. */
export interface Answer {
  kind: string
  slot?: number
  /** False: the cabinet says it did not do it. */
  ok?: boolean
  bankId?: string | null
  [field: string]: unknown
}

const keep = (tx: Tx, stationId: number, state: Record<string, unknown>) => tx`
  update stations set device_state = device_state || ${tx.json(state as any)} where id = ${stationId}`

/** What an answer teaches about the cabinet itself, by kind; kinds that teach nothing are absent. */
const lessons: Record<string, (tx: Tx, stationId: number, answer: Answer, command: CommandRow) => Promise<unknown>> = {
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
      await tx`update device_sessions set heartbeat_seconds = ${Number(heartbeatSeconds)} where station_id = ${stationId}`
  },
  // Holds from the restart on (0x63), and a restart may be missed: the slower pace of both is expected.
  set_server_address: async (tx, stationId, _answer, { args: { host, port, heartbeatSeconds } }) => {
    await keep(tx, stationId, { serverAddress: { host, port, heartbeatSeconds, at: new Date() } })
    await tx`
      update device_sessions set heartbeat_seconds = greatest(heartbeat_seconds, ${Number(heartbeatSeconds)})
      where station_id = ${stationId}`
  },
  apn: (tx, stationId, { index, valid, operator, apn }) =>
    keep(tx, stationId, { apn: { index, valid, operator, apn, at: new Date() } }),
  software_version: (tx, stationId, { version }) =>
    keep(tx, stationId, { softwareVersion: { version, at: new Date() } }),
}

/**
 * The one command a cabinet's answer belongs to, locked: by station, kind and, for movements, slot, for the wire
 * has no correlation id. Over MQTT a bank is asked for, so its number says as much where the slot does not (old firmware
 * has a board's address there, a refusal may have neither: 5.5). A command whose time ran out still takes its late answer,
 * unless the same was sent again since: then the answer is to that, or a repetition.
 */
async function openFor(tx: Tx, stationId: number, said: Answer): Promise<CommandRow | undefined> {
  const { kind, slot = null, bankId } = said
  const number = bankId && NUMBERED.test(bankId) ? bankId : null
  const isNameless = slot === 0 && !bankId && said.ok === false
  const [last] = await tx<CommandRow[]>`
    select ${tx(COLUMNS)} from device_commands
    where id = (
      select id from (
        select id, kind, slot, is_movement, status, sent_at, args->>'bankId' as bank_id from device_commands
        where station_id = ${stationId} order by id desc limit ${RECENT_COMMANDS_MAX}
      ) recent
      where kind = ${kind} and sent_at > now() - make_interval(hours => ${LATE_HOURS})
        and (not is_movement or case when ${number}::text is not null and bank_id is not null then bank_id = ${number}
          else slot = ${slot} or (${isNameless} and status = 'sent') end)
      order by (status = 'sent') desc, id desc limit 1)
    for update`
  return last && AWAITED.has(last.status) ? last : undefined
}

/** Writes a cabinet's answer on its command and wakes the waiting. */
async function settle(tx: Tx, id: number, { kind: _, ...body }: Answer, hex: string): Promise<void> {
  await tx`
    update device_commands set status = ${body.ok === false ? 'failed' : 'answered'}, answer = ${tx.json(body as any)},
      hex_received = ${hex}, answered_at = now(),
      evidence = case when status = 'unknown' then 'late answer' else evidence end
    where id = ${id}`
  await ring(tx, `command ${id}`)
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
async function unmatched(tx: Tx, stationId: number, { kind, slot, bankId }: Answer): Promise<void> {
  await places.lookWithin(tx, stationId, 0)
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
async function elsewhere(tx: Tx, { id, stationId }: CommandRow, bankId: number): Promise<Elsewhere | undefined> {
  const [place] = await tx<Elsewhere[]>`
    select sp.station_id, sp.slot_number, o.status = 'return' as has_ended
    from orders o join station_powerbanks sp on sp.powerbank_id = o.powerbank_id
    where o.command_id = ${id} and o.powerbank_id = ${bankId} and sp.station_id <> ${stationId}`
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
async function moved(tx: Tx, station: places.Place, command: CommandRow, said: Answer): Promise<number | null> {
  const banks = said.bankId ? await ensure(tx, station, [said.bankId]) : undefined
  const bank = banks?.get(said.bankId!)
  const back = bank && said.kind === 'eject' ? await backAlready(tx, station.now, command, bank.id) : undefined
  await places.vacate(tx, station.id, command.slot!, back ? null : (bank?.id ?? null))
  await places.lookWithin(tx, station.id, SETTLE_SECONDS)
  if (said.kind === 'force_eject') return forceEjected(tx, station.id, command, bank)
  const late = command.status === 'unknown' ? 'late ' : ''
  const orderId = await orders.ejected(tx, command.id, bank?.id ?? null, `${late}eject answer`)
  if (!back || orderId === null) return orderId
  const { stationId: returnStationId, slotNumber: returnSlot } = back
  const evidence = 'return frame, before the eject answer'
  await orders.move(tx, orderId, { to: 'return', returnStationId, returnSlot, evidence })
  return orderId
}

/**
 * A cabinet has answered. The answer is joined to its command, late or not, and what it means becomes true:
 * the order moves, the slot empties, the cabinet's own data are kept. Said twice counts once.
 * @returns the command and order it settled, or null when nothing waited for it
 */
export async function answer(
  tx: Tx,
  stationId: number,
  said: Answer,
  hex: string,
): Promise<{ commandId: number; orderId: number | null } | null> {
  const station = await places.lock(tx, stationId)
  const command = await openFor(tx, stationId, said)
  const isMovement = said.kind === 'eject' || said.kind === 'force_eject'
  if (!command) {
    if (isMovement) await unmatched(tx, stationId, said)
    return null
  }
  await settle(tx, command.id, said, hex)
  if (said.ok !== false) await lessons[said.kind]?.(tx, stationId, said, command)
  if (!isMovement) return { commandId: command.id, orderId: null }
  if (said.ok === false) {
    // Only an inventory proves that the bank stayed (docs/protocol.md 3, 0x65), so the order waits for one.
    await places.lookWithin(tx, stationId, 0)
    return { commandId: command.id, orderId: null }
  }
  return { commandId: command.id, orderId: await moved(tx, station, command, said) }
}

/**
 * Commands this cabinet's wire has no word for fail at once, with the orders that wait for them; of two that say so one
 * does it.
 */
export async function unspeakable(tx: Tx, stationId: number, ids: readonly number[]): Promise<void> {
  await places.lock(tx, stationId)
  const failed = await tx<{ id: number }[]>`
    update device_commands set status = 'failed', evidence = ${UNSPEAKABLE}, answered_at = now()
    where station_id = ${stationId} and id = any(${[...ids]}::bigint[]) and status = 'queued' returning id`
  if (failed.length === 0) return
  await orders.neverSent(
    tx,
    failed.map(({ id }) => id),
  )
  for (const { id } of failed) await ring(tx, `command ${id}`)
}
