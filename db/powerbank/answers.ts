import { answered } from '../devices/command-results.ts'
import { fail } from '../devices/commands.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { afterwards } from './aftermath.ts'
import { work } from './cabinet-reports.ts'
import type { CabinetAnswer } from './decide/snapshot.ts'
import { lock } from './station-lock.ts'

const UNSPEAKABLE = "the cabinet's protocol has no such command"

/** A bank of the MQTT family (docs/protocol.md 5.5), whose movements are asked for by bank and not by slot. */
const NUMBERED = /^[0-9A-F]{8}$/

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
  const station = await lock(tx, stationId)
  const found = await answered(tx, stationId, said, hex, isTheMovement(tx, said))
  const command = found ? { ...found.command, isLate: found.isLate } : null
  const { snapshot, written } = await work(tx, station, { kind: 'answer', said, command })
  if (!command) return null
  const order = snapshot.orders.find(({ commandId }) => commandId === command.id)
  return { commandId: command.id, orderId: written[0] ?? order?.id ?? null }
}

/** Commands this cabinet's wire has no word for fail at once, with the orders that wait for them. */
export async function unspeakable(tx: Tx, stationId: number, ids: readonly number[]): Promise<void> {
  await lock(tx, stationId)
  await afterwards(tx, await fail(tx, stationId, ids, UNSPEAKABLE))
}
