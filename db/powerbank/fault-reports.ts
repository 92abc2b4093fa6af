import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { assertMayActFor } from './borrow.ts'
import { Refused } from './refused.ts'
import type { powerbankErrorTypes } from './schema.ts'
import type { WriteOffReason } from './words.ts'

/** What may be wrong with a power bank (`powerbank_error_types`); what no type names is `other`. */
const OTHER = 'other'

type ErrorType = typeof powerbankErrorTypes.$inferSelect

/** Somebody says that the bank they hold is broken. */
export interface Complaint {
  orderId: number
  powerbankId: number
  stationId: number
  userId: number
  /** A type's number, code or title; any other text is taken as it is (docs/contracts.md C8 (15)). */
  errorType: number | string
  notes: string | null
}

export interface Filed {
  orderId: number
  powerbankId: number
  serialNumber: string
  errorType: string
  errorTypeId: number
  status: string
  writeOffReason: string
  at: Date
}

interface Fault {
  typeId: number
  writeOffReason: WriteOffReason
}

/** What a client names; a text that no type has is filed under `other`. @throws Refused invalid: there is no such number */
async function faultOf(q: Queryable, named: number | string): Promise<Fault> {
  const types = await q<ErrorType[]>`select id, code, title from powerbank_error_types order by id`
  const text = String(named).toLowerCase()
  const found = types.find((type) => [String(type.id), type.code, type.title.toLowerCase()].includes(text))
  if (found) return { typeId: found.id, writeOffReason: found.code === OTHER ? 'other' : 'broken' }
  if (typeof named === 'number')
    throw new Refused('invalid', `no error type ${named}`, { field: 'error_type', reason: 'error_type_unknown' })
  return { typeId: types.find(({ code }) => code === OTHER)!.id, writeOffReason: 'broken' }
}

/** The order must be the user's, of that bank, and the bank be out (docs/contracts.md 4.9). @throws Refused no_open_order */
async function assertHolds(tx: Tx, { orderId, powerbankId, userId }: Complaint): Promise<void> {
  const [loan] = await tx`
    select id from orders where id = ${orderId} and powerbank_id = ${powerbankId} and user_id = ${userId}
      and status = 'borrow' and deleted_at is null for update`
  if (!loan) throw new Refused('no_open_order', '', { orderId })
}

async function assertStation(q: Queryable, stationId: number): Promise<void> {
  const [station] = await q`select id from stations where id = ${stationId} and deleted_at is null`
  if (!station) throw new Refused('station_not_found')
}

/** A bank as a complaint about it leaves it; one that is written off stays so. */
const mark = (tx: Tx, id: number, { typeId, writeOffReason }: Fault) => tx`
  update powerbanks set error_type_id = ${typeId}, updated_at = now(),
    status = case when status = 'written_off' then status else 'user_reported_broken' end,
    write_off_reason = case when status = 'written_off' then write_off_reason else ${writeOffReason} end
  where id = ${id}`

/** Writes the complaint down; the same one said twice is the first one. */
async function file(tx: Tx, actor: Actor, said: Complaint, fault: Fault): Promise<Date> {
  const { orderId, powerbankId, stationId, userId, notes } = said
  const errorType = String(said.errorType)
  const [known] = await tx<{ at: Date }[]>`
    select created_at as at from powerbank_error_reports
    where powerbank_id = ${powerbankId} and order_id = ${orderId} and error_type = ${errorType}
      and additional_notes is not distinct from ${notes} order by id limit 1`
  if (known) return known.at
  const [filed] = await tx<{ id: number; at: Date }[]>`
    insert into powerbank_error_reports (order_id, powerbank_id, station_id, user_id, error_type, additional_notes)
    values (${orderId}, ${powerbankId}, ${stationId}, ${userId}, ${errorType}, ${notes})
    returning id, created_at as at`
  await mark(tx, powerbankId, fault)
  await audit.record(tx, actor, 'powerbank', {
    action: 'powerbank.report_broken',
    entityType: 'powerbank',
    entityId: powerbankId,
    newValues: { reportId: filed!.id, orderId, errorType, errorTypeId: fault.typeId },
    description: notes,
  })
  await record(tx, 'powerbank.reported_broken', { stationId, userId, orderId, data: { powerbankId, errorType } })
  return filed!.at
}

/**
 * A user reports the bank they hold as broken: nobody is lent it any more (docs/contracts.md 4.9). Said twice counts once.
 * @throws Refused not_yours, station_not_found, power_bank_not_found, no_open_order, invalid (no such error type)
 */
export async function report(tx: Tx, actor: Actor, said: Complaint): Promise<Filed> {
  await assertMayActFor(tx, actor, said.userId)
  await assertStation(tx, said.stationId)
  const { orderId, powerbankId } = said
  const [bank] = await tx`select id from powerbanks where id = ${powerbankId} and deleted_at is null for no key update`
  if (!bank) throw new Refused('power_bank_not_found')
  await assertHolds(tx, said)
  const fault = await faultOf(tx, said.errorType)
  const at = await file(tx, actor, said, fault)
  const [now] = await tx<{ serialNumber: string; status: string; writeOffReason: string }[]>`
    select serial_number, status, write_off_reason from powerbanks where id = ${powerbankId}`
  return { orderId, powerbankId, errorType: String(said.errorType), errorTypeId: fault.typeId, ...now!, at }
}

/**
 * A user brings back a broken bank: the one of their first open loan (docs/contracts.md 4.15). The return is announced with
 * it; as ever, only a cabinet closes the loan.
 * @throws Refused no_open_order, and all of `report`
 */
export async function returnBroken(
  tx: Tx,
  actor: Actor,
  said: Omit<Complaint, 'orderId' | 'powerbankId'>,
): Promise<Filed> {
  await assertMayActFor(tx, actor, said.userId)
  await assertStation(tx, said.stationId)
  const [loan] = await tx<{ id: number; powerbankId: number }[]>`
    select id, powerbank_id from orders
    where user_id = ${said.userId} and status = 'borrow' and powerbank_id is not null and deleted_at is null
    order by id limit 1`
  if (!loan) throw new Refused('no_open_order')
  const filed = await report(tx, actor, { ...said, orderId: loan.id, powerbankId: loan.powerbankId })
  await tx`update orders set return_requested_at = now() where id = ${loan.id}`
  return filed
}
