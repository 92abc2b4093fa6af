import { ring } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { COLUMNS, type CommandRow } from './commands.ts'

/** A command that was sent and not answered; `queued`, because a silent query waits there for its second time. */
const AWAITED = new Set(['sent', 'unknown', 'queued'])
const LATE = new Set(['unknown', 'failed'])
/** How late an answer may be and still belong to its command. */
const LATE_HOURS = 24
/** How far back among a device's commands the answered one is looked for. */
const RECENT_COMMANDS_MAX = 256

/** A device's answer in our words: `kind` and, for movements, `slot` say which command it answers. */
export interface Answer {
  kind: string
  slot?: number
  /** False: the device says it did not do it. */
  ok?: boolean
  [field: string]: unknown
}

/** A command that may take an answer; `isLate`: its time had run out, or it was thought to be refused. */
export type AwaitedCommand = CommandRow & { isLate: boolean }

/**
 * The one command that a device's answer of this kind belongs to, locked: the wire has no correlation id. It is joined by
 * kind and, for movements, by what `isTheMovement` says (SQL over `slot`, `status` and `args`); of several by `likelier`
 * (SQL), which takes it whatever became of it, then the one under way, then the newest. A command whose time ran out still
 * takes its late answer, unless the same was sent again since: then the answer is to that, or a repetition. The caller holds
 * the device.
 */
export async function awaited(
  tx: Tx,
  deviceId: number,
  kind: string,
  isTheMovement: ReturnType<Queryable>,
  likelier: ReturnType<Queryable> = tx`(status = 'sent')`,
): Promise<AwaitedCommand | undefined> {
  const [last] = await tx<(CommandRow & { isLikelier: boolean })[]>`
    select ${tx(COLUMNS)}, is_likelier from device_commands join (
      select id, ${likelier} as is_likelier from (
        select id, kind, slot, is_movement, status, sent_at, args, answer from device_commands
        where device_id = ${deviceId} order by id desc limit ${RECENT_COMMANDS_MAX}
      ) recent
      where kind = ${kind} and sent_at > now() - make_interval(hours => ${LATE_HOURS})
        and (not is_movement or ${isTheMovement})
      order by is_likelier desc, (status = 'sent') desc, id desc limit 1) chosen using (id)
    for update of device_commands`
  if (!last) return undefined
  const { isLikelier, ...command } = last
  const isAwaited = AWAITED.has(command.status) || isLikelier
  return isAwaited ? { ...command, isLate: LATE.has(command.status) } : undefined
}

/** A command has its answer: that is written there, and whoever waits is woken. */
export async function take(tx: Tx, { id }: CommandRow, { kind: _, ...body }: Answer, hex: string): Promise<void> {
  await tx`
    update device_commands set status = ${body.ok === false ? 'failed' : 'answered'}, answer = ${tx.json(body)},
      hex_received = ${hex}, answered_at = now(),
      evidence = case status when 'unknown' then 'late answer' when 'failed' then 'done, after a refusal' else evidence end
    where id = ${id}`
  await ring(tx, `command ${id}`)
}

/**
 * A device has answered: `awaited` takes it, movements by their slot unless told otherwise. Said twice counts once.
 * @returns undefined: nothing waited for this
 */
export async function answered(
  tx: Tx,
  deviceId: number,
  said: Answer,
  hex: string,
  isTheMovement: ReturnType<Queryable> = tx`slot = ${said.slot ?? null}`,
): Promise<AwaitedCommand | undefined> {
  const command = await awaited(tx, deviceId, said.kind, isTheMovement)
  if (command) await take(tx, command, said, hex)
  return command
}
