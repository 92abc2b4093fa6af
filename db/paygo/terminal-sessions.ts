import { type Ended, fail } from '../devices/commands.ts'
import * as connections from '../devices/connections.ts'
import { recordAll } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'
import type { TerminalCommandStatus } from './words.ts'

// A terminal's lines, and what ends with them.

/** Holds a terminal until the transaction ends. */
export const hold = (tx: Tx, terminalId: number) => tx`select 1 from devices where id = ${terminalId} for no key update`

/** A command that is over, for whoever looks on. */
const happened = (
  terminalId: number,
  about: { commandId: number; command: string; status: TerminalCommandStatus },
) => ({ kind: 'terminal.command_ended', data: { terminalId, ...about } })

/** Tells what became of commands that ended without an answer; those that are said once more have not. */
export async function ended(tx: Tx, some: readonly Ended[]): Promise<void> {
  const over = some.filter(({ status }) => status !== 'queued')
  if (over.length === 0) return
  await recordAll(
    tx,
    over.map(({ id, deviceId, kind, status }) =>
      happened(deviceId, { commandId: id, command: kind, status: status === 'failed' ? 'failed' : 'expired' }),
    ),
  )
}

/** A terminal has signed on: its newest line owns it. */
export async function open(
  tx: Tx,
  { terminalId, ...arrival }: Omit<connections.Arrival, 'deviceId'> & { terminalId: number },
): Promise<{ epoch: number; heartbeatSeconds: number }> {
  await hold(tx, terminalId)
  const { ended: over, restarted, ...opened } = await connections.open(tx, { deviceId: terminalId, ...arrival })
  const { dialect, address } = arrival
  await recordAll(tx, [
    { kind: 'terminal.connected', data: { terminalId, dialect, address } },
    ...restarted.map((commandId) => happened(terminalId, { commandId, command: 'restart', status: 'completed' })),
  ])
  await ended(tx, over)
  return opened
}

/** A terminal's line is gone. Does nothing when a newer one owns it already. */
export async function close(tx: Tx, departure: connections.Departure): Promise<void> {
  const { deviceId: terminalId, reason } = departure
  await hold(tx, terminalId)
  const over = await connections.close(tx, departure)
  if (over === null) return
  await recordAll(tx, [{ kind: 'terminal.disconnected', data: { terminalId, reason } }])
  await ended(tx, over)
}

/** Fails commands that no message can carry. */
export async function unspeakable(tx: Tx, terminalId: number, commandIds: number[]): Promise<void> {
  await hold(tx, terminalId)
  await ended(tx, await fail(tx, terminalId, commandIds, 'no message can carry it'))
}
