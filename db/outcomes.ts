import { ensure, type KnownBank } from './bank-ids.ts'
import { type CommandRow, openFor, settle } from './commands.ts'
import type { Tx } from './connect.ts'
import { record } from './events.ts'
import * as orders from './orders.ts'

/** A cabinet's answer in our words: `kind` and `slot` say which command it answers. */
export interface Answer {
  kind: string
  slot?: number
  /** False: the cabinet says it did not do it. */
  ok?: boolean
  bankId?: string | null
  [field: string]: unknown
}

interface Place {
  id: number
  orgUnitId: number | null
}

const keep = (tx: Tx, stationId: number, state: Record<string, unknown>) => tx`
  update stations set device_state = device_state || ${tx.json(state as any)} where id = ${stationId}`

/** What an answer teaches about the cabinet itself, by kind; kinds that teach nothing are absent. */
const lessons: Record<string, (tx: Tx, stationId: number, answer: Answer, command: CommandRow) => Promise<unknown>> = {
  iccid: (tx, stationId, { iccid }) =>
    tx`update stations set iccid = ${iccid as string}, updated_at = now() where id = ${stationId}`,
  volume: (tx, stationId, { level }) => keep(tx, stationId, { volume: { level, at: new Date() } }),
  set_volume: (tx, stationId, _answer, { args }) =>
    keep(tx, stationId, { volume: { level: args.level, at: new Date() } }),
  server_address: async (tx, stationId, { host, port, heartbeatSeconds }) => {
    await keep(tx, stationId, { serverAddress: { host, port, heartbeatSeconds, at: new Date() } })
    if (Number(heartbeatSeconds) > 0)
      await tx`update device_sessions set heartbeat_seconds = ${Number(heartbeatSeconds)} where station_id = ${stationId}`
  },
  apn: (tx, stationId, { index, valid, operator, apn }) =>
    keep(tx, stationId, { apn: { index, valid, operator, apn, at: new Date() } }),
  software_version: (tx, stationId, { version }) =>
    keep(tx, stationId, { softwareVersion: { version, at: new Date() } }),
}

/** A bank has left its slot; the cabinet is looked into again once it has checked itself. */
async function left(tx: Tx, station: Place, slot: number, bank: KnownBank | undefined): Promise<void> {
  await tx`
    delete from station_powerbanks
    where station_id = ${station.id} and (slot_number = ${slot} or powerbank_id = ${bank?.id ?? null})`
  await tx`
    update stations set inventory_due_at = now() + make_interval(secs => ${orders.SETTLE_SECONDS}) where id = ${station.id}`
}

/**
 * An administrator had a slot opened: a closed order says who and which (api-contracts 4.2). A loan still
 * waiting for that very bank ends.
 */
async function forceEjected(
  tx: Tx,
  station: Place,
  command: CommandRow,
  bank: KnownBank | undefined,
): Promise<number | null> {
  if (bank) {
    const [waiting] = await tx<{ id: number }[]>`
      select id from orders where powerbank_id = ${bank.id} and status = 'pending' and deleted_at is null for update`
    if (waiting) await orders.move(tx, waiting.id, { to: 'cancelled', evidence: 'an administrator ejected the bank' })
  }
  if (command.requestedBy === null) return null
  const [order] = await tx<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, command_id, evidence, is_admin_order, completed_at)
    values (${station.id}, ${command.requestedBy}, ${bank?.id ?? null}, ${command.slot}, 'force_eject', ${command.id},
      'force eject answer', true, now())
    returning id`
  const data = { powerbankId: bank?.id ?? null, slot: command.slot }
  await record(tx, 'order.force_ejected', {
    stationId: station.id,
    userId: command.requestedBy,
    orderId: order!.id,
    data,
  })
  return order!.id
}

/** An answer to a movement nobody asked for (wrong slot, said twice): no order moves; the slots will tell. */
async function unmatched(tx: Tx, stationId: number, answer: Answer): Promise<void> {
  await tx`update stations set inventory_due_at = now() where id = ${stationId}`
  await record(tx, 'answer.unmatched', {
    stationId,
    data: { kind: answer.kind, slot: answer.slot, bankId: answer.bankId },
  })
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
  const isMovement = said.kind === 'eject' || said.kind === 'force_eject'
  const command = await openFor(tx, stationId, said.kind, said.slot ?? null)
  if (!command) {
    if (isMovement) await unmatched(tx, stationId, said)
    return null
  }
  const { kind, ...body } = said
  await settle(tx, command.id, said.ok === false ? 'failed' : 'answered', body, hex)
  if (said.ok !== false) await lessons[kind]?.(tx, stationId, said, command)
  if (!isMovement) return { commandId: command.id, orderId: null }

  const [station] = await tx<Place[]>`select id, org_unit_id from stations where id = ${stationId}`
  if (said.ok === false) {
    // Only an inventory proves that the bank stayed (cabinet-protocol 3, 0x65), so the order waits for one.
    await tx`update stations set inventory_due_at = now() where id = ${stationId}`
    return { commandId: command.id, orderId: null }
  }
  const banks = said.bankId ? await ensure(tx, station!, [said.bankId]) : undefined
  const bank = said.bankId ? banks?.get(said.bankId) : undefined
  await left(tx, station!, command.slot!, bank)
  const late = command.status === 'unknown' ? 'late ' : ''
  const orderId =
    kind === 'eject'
      ? await orders.ejected(tx, command.id, bank?.id ?? null, `${late}eject answer`)
      : await forceEjected(tx, station!, command, bank)
  return { commandId: command.id, orderId }
}
