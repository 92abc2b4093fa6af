import { awaited, take } from '../devices/command-results.ts'
import { fail } from '../devices/commands.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { afterwards } from './aftermath.ts'
import { work } from './cabinet-reports.ts'
import { write } from './change-writer.ts'
import { isStale, saidAgain } from './decide/answered.ts'
import { decide } from './decide/decide.ts'
import { type AnswerReport, type CabinetAnswer, usualRules } from './decide/snapshot.ts'
import { load } from './snapshot-loader.ts'
import { lock } from './station-lock.ts'

const UNSPEAKABLE = "the cabinet's protocol has no such command"

/** A bank of the MQTT family (docs/protocol.md 5.5), whose movements are asked for by bank and not by slot. */
const NUMBERED = /^[0-9A-F]{8}$/

/**
 * SQL: may this be the movement that was answered? Its slot says so. Over MQTT a bank is asked for, so its number says as
 * much where the slot does not (old firmware has a board's address there, a refusal may have neither: docs/protocol.md 5.5).
 */
function isTheMovement(q: Queryable, stationId: number, said: CabinetAnswer): ReturnType<Queryable> {
  const { slot = null, bankId, ok } = said
  const number = bankId && NUMBERED.test(bankId) ? bankId : null
  const isNameless = slot === 0 && !bankId && ok === false
  // Another hole may have opened than that of the bank that was asked for: the bank that was in it has left.
  const isLeaving = q`${ok === true} and exists (
    select 1 from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
    where sp.station_id = ${stationId} and sp.slot_number = ${slot} and p.device_id = ${number})`
  return q`
    case when ${number}::text is not null and args->>'bankId' is not null
      then args->>'bankId' = ${number} or ((slot = ${slot} or ${isLeaving}) and status = 'sent')
      else slot = ${slot} or (${isNameless} and status = 'sent') end`
}

/**
 * SQL: the last that asked for this very bank, before one of the same slot. It still waits; or it was refused and is done now:
 * one of these two answers is an old one, and that is the refusal, which has no name to be known by, unless the bank was
 * said of this slot before.
 */
const askedForIt = (q: Queryable, { bankId = null, ok }: CabinetAnswer): ReturnType<Queryable> => q`
  coalesce(id = max(id) filter (where args->>'bankId' = ${bankId}::text) over ()
    and (status in ('sent', 'unknown', 'queued') or (status = 'failed' and ${ok === true}
      and not coalesce(bool_or(status = 'answered' and answer->>'bankId' = ${bankId}::text) over (partition by slot), false))),
    false)`

/**
 * A cabinet has answered, late or not, and what the answer means becomes true: the order moves, the slot empties, the
 * cabinet's own data are kept. Said twice counts once, also where another command waits for an answer by now.
 * @returns the command and order it settled, or null when nothing waited for it
 */
export async function answer(
  tx: Tx,
  stationId: number,
  said: CabinetAnswer,
  hex: string,
): Promise<{ commandId: number; orderId: number | null } | null> {
  const station = await lock(tx, stationId)
  const command =
    (await awaited(tx, stationId, said.kind, isTheMovement(tx, stationId, said), askedForIt(tx, said))) ?? null
  const report: AnswerReport = { kind: 'answer', said, command }
  const snapshot = await load(tx, station, report, usualRules)
  if (!command || isStale(snapshot, report)) {
    await work(tx, station, { ...report, command: null })
    if (command) await write(tx, saidAgain(snapshot, { ...report, command }))
    return null
  }
  await take(tx, command, said, hex)
  const written = await write(tx, decide(snapshot, report))
  const order = snapshot.orders.find(({ commandId }) => commandId === command.id)
  return { commandId: command.id, orderId: written[0] ?? order?.id ?? null }
}

/** Commands this cabinet's wire has no word for fail at once, with the orders that wait for them. */
export async function unspeakable(tx: Tx, stationId: number, ids: readonly number[]): Promise<void> {
  await lock(tx, stationId)
  await afterwards(tx, await fail(tx, stationId, ids, UNSPEAKABLE))
}
