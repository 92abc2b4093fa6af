import { ring } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { COLUMNS, type CommandRow } from './commands.ts'

/** A command that was sent and not answered; `queued`, because a silent query waits there for its second time. */
const AWAITED = new Set(['sent', 'unknown', 'queued'])
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

/** The one command a device's answer belongs to, locked: the wire has no correlation id. */
async function openFor(
  tx: Tx,
  deviceId: number,
  kind: string,
  isTheMovement: ReturnType<Queryable>,
): Promise<CommandRow | undefined> {
  const [last] = await tx<CommandRow[]>`
    select ${tx(COLUMNS)} from device_commands
    where id = (
      select id from (
        select id, kind, slot, is_movement, status, sent_at, args from device_commands
        where device_id = ${deviceId} order by id desc limit ${RECENT_COMMANDS_MAX}
      ) recent
      where kind = ${kind} and sent_at > now() - make_interval(hours => ${LATE_HOURS})
        and (not is_movement or ${isTheMovement})
      order by (status = 'sent') desc, id desc limit 1)
    for update`
  return last && AWAITED.has(last.status) ? last : undefined
}

/**
 * A device has answered. The answer is joined to its command by kind and, for movements, by slot or by what `isTheMovement`
 * says (SQL over `slot`, `status` and `args`); it is written there, and whoever waits is woken. A command whose time ran
 * out still takes its late answer, unless the same was sent again since: then the answer is to that, or a repetition.
 * Said twice counts once. The caller holds the device.
 * @returns the command as it stood, and whether its time had run out; undefined: nothing waited for this
 */
export async function answered(
  tx: Tx,
  deviceId: number,
  { kind, ...body }: Answer,
  hex: string,
  isTheMovement: ReturnType<Queryable> = tx`slot = ${body.slot ?? null}`,
): Promise<{ command: CommandRow; isLate: boolean } | undefined> {
  const command = await openFor(tx, deviceId, kind, isTheMovement)
  if (!command) return
  await tx`
    update device_commands set status = ${body.ok === false ? 'failed' : 'answered'}, answer = ${tx.json(body)},
      hex_received = ${hex}, answered_at = now(),
      evidence = case when status = 'unknown' then 'late answer' else evidence end
    where id = ${command.id}`
  await ring(tx, `command ${command.id}`)
  return { command, isLate: command.status === 'unknown' }
}
