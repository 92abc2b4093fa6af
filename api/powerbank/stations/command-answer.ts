import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { CommandRow } from '../../../db/devices/commands.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import type { Station } from '../../../db/powerbank/stations.ts'
import type { Env } from '../../context.ts'
import { json, no, ok } from '../surface.ts'

/**
 * How long a request waits for a cabinet's answer to a question: 5 s and one more try (docs/protocol.md 4), and the
 * second or two in which a missed deadline is noticed.
 */
export const QUERY_WAIT_MS = 12_500
const volumeSteps = 15
const percent = 100

/** The loudest on a cabinet's own scale: 15 as documented, 100 where it has shown that it counts in percent (docs/protocol.md 0x77). */
export const volumeScale = ({ deviceState, dialect }: Pick<Station, 'deviceState' | 'dialect'>): number =>
  deviceState.countsVolumeInPercent && dialect !== 'mqtt' ? percent : volumeSteps

/** A level of a cabinet's own scale as the document's 0–100, and back (docs/contracts.md C8 (18)). */
export const volumePercent = (level: number, scale: number) => Math.min(percent, Math.round((level * percent) / scale))
export const volumeLevel = (volume: number, scale: number) => Math.round((volume * scale) / percent)

/** A command that went out, and what came back. */
const Sent = {
  station_box_id: z.string(),
  packet_hex: z
    .string()
    .openapi({ description: 'Отправленный кадр; ответный — в событиях заказа', example: '000764020135c3d7a5' }),
  command_id: z.int(),
  status: z.string().openapi({ example: 'answered' }),
}

/** The answers of every route that sends a command; `name` is the schema's. */
export const sent = <S extends z.ZodRawShape>(name: string, keys: S) => ({
  200: { description: 'Станция ответила', ...json(ok({ ...Sent, ...keys }).openapi(name)) },
  ...no(400, 401, 403, 404, 408, 429),
})

/**
 * Waits for a command's outcome.
 * @throws Refused device_offline (never sent), device_silent (sent, no answer yet), eject_failed or conflict (the
 *   cabinet said no, or has no such command); each names the command
 */
export async function settled(c: Context<Env>, commandId: number, waitMs: number): Promise<CommandRow> {
  const row = await c.var.answers.command(commandId, waitMs)
  const { status } = row
  const about = { commandId, status, ...(row.hexSent ? { packetHex: row.hexSent } : {}) }
  if (status === 'answered') return row
  if (status === 'expired') throw new Refused('device_offline', '', about)
  if (status !== 'failed') throw new Refused('device_silent', '', about)
  // It never left: the wire of this cabinet has no such command.
  if (!row.hexSent) throw new Refused('conflict', '', { ...about, reason: 'command_unknown' })
  if (row.isMovement) throw new Refused('eject_failed', '', about)
  throw new Refused('conflict', '', { ...about, text: 'Станция отклонила команду' })
}

/** The value of `Sent`. An answered command has been sent, so its frame is there. */
export const spellSent = (row: CommandRow, boxId: string) => ({
  station_box_id: boxId,
  packet_hex: row.hexSent ?? '',
  command_id: row.id,
  status: row.status,
})
