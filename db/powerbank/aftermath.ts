import type { Ended } from '../devices/commands.ts'
import type { CommandStatus } from '../devices/words.ts'
import { ring } from '../postgres/channels.ts'
import type { Tx } from '../postgres/connect.ts'
import { lookWithin } from './looks.ts'
import * as orders from './orders.ts'

/** An inventory nobody answered is asked for again after this. */
const ASK_AGAIN_SECONDS = 30

/** Commands that never left the house take their orders with them: nothing moved. */
async function neverSent(tx: Tx, commandIds: number[]): Promise<void> {
  const fallen = await tx<{ id: number }[]>`
    select id from orders where command_id = any(${commandIds}::bigint[]) and status = 'pending'
    order by id for update`
  for (const { id } of fallen) await orders.move(tx, id, { to: 'cancelled', evidence: 'the command was never sent' })
}

/**
 * What it means for orders and slots that commands to cabinets ended without an answer: orders of unsent ones fall, the
 * rest is looked into. The caller holds the cabinets.
 */
export async function afterwards(tx: Tx, ended: readonly Ended[]): Promise<void> {
  const ids = (...statuses: CommandStatus[]) =>
    ended.filter(({ status }) => statuses.includes(status)).map(({ id }) => id)
  const unsent = ids('expired', 'failed')
  if (unsent.length > 0) await neverSent(tx, unsent)
  const silent = ids('unknown')
  const doubtful =
    silent.length > 0
      ? await tx<{ id: number }[]>`
          select id from orders where status = 'pending' and command_id = any(${silent}::bigint[])`
      : []
  for (const { id } of doubtful) await ring(tx, `order ${id}`)
  for (const { deviceId, kind, status, isMovement } of ended) {
    if (isMovement && status === 'unknown') await lookWithin(tx, deviceId, 0)
    else if (kind === 'inventory' && (status === 'unknown' || status === 'expired'))
      await lookWithin(tx, deviceId, ASK_AGAIN_SECONDS)
  }
}
