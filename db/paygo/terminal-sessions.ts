import { type Claimed, type Ended, fail } from '../devices/commands.ts'
import * as connections from '../devices/connections.ts'
import { unseal } from '../devices/keys.ts'
import { recordAll } from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { sealedKeys } from './terminals.ts'
import type { TerminalCommandStatus } from './words.ts'

// A terminal's lines, and what ends with them.

const SILENT_ROWS = 200

/** Holds a terminal until the transaction ends. */
export const hold = (tx: Tx, terminalId: number) => tx`select 1 from devices where id = ${terminalId} for no key update`

/** What became of a command, for whoever looks on. */
const happened = (
  terminalId: number,
  about: { commandId: number; command: string; status: TerminalCommandStatus },
) => ({
  kind: about.status === 'executing' ? 'terminal.command_sent' : 'terminal.command_ended',
  data: { terminalId, ...about },
})

/** Tells that commands are on their way; of those that are said once more that is known. */
export async function claimed(tx: Tx, some: readonly Claimed[]): Promise<void> {
  const first = some.filter(({ attempts }) => attempts === 0)
  if (first.length === 0) return
  await recordAll(
    tx,
    first.map(({ id, deviceId, kind }) => happened(deviceId, { commandId: id, command: kind, status: 'executing' })),
  )
}

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

/** How the rows call a terminal's own WebSocket. */
const WEB_SOCKET = 'websocket'

/**
 * How a terminal's WebSocket stands to its other lines: it takes over where there is none, for money goes by those only; of
 * two WebSockets the newer one has it. To be asked when it opens, and again with every word. The name is its own.
 * @returns whether commands go by it; null: a newer one is there
 */
export async function stand(
  tx: Tx,
  { isNew, ...arrival }: Omit<connections.Arrival, 'deviceId' | 'dialect'> & { terminalId: number; isNew: boolean },
): Promise<boolean | null> {
  const { terminalId, node } = arrival
  await hold(tx, terminalId)
  const [line] = await tx<{ dialect: string; isMine: boolean }[]>`
    select ds.dialect, ds.node = ${node} as is_mine from device_sessions ds
    where ds.device_id = ${terminalId} and (ds.node = ${node} or ${connections.isOnline(tx)})`
  if (line?.isMine) {
    await connections.seen(tx, node, [terminalId])
    return true
  }
  if (line && line.dialect !== WEB_SOCKET) return false
  if (line && !isNew) return null
  await open(tx, { ...arrival, dialect: WEB_SOCKET })
  return true
}

/** A terminal's WebSocket is over; whatever line came instead of it stays. */
export async function leave(tx: Tx, terminalId: number, node: string): Promise<void> {
  const [mine] = await tx<{ epoch: number }[]>`
    select epoch from device_sessions where device_id = ${terminalId} and node = ${node}`
  if (mine) await close(tx, { deviceId: terminalId, node, epoch: mine.epoch, reason: 'closed' })
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

/** A terminal as a node behind a broker that is not ours knows it. */
export interface Behind {
  terminalId: number
  terminalCode: string
  isActive: boolean
  keys: string[]
  /** Of its session, if that is open under this name; else null. */
  epoch: number | null
}

async function lookedUp(rows: PromiseLike<(Omit<Behind, 'keys'> & { sealed: string[] })[]>, keysSecret: string) {
  return (await rows).map(
    ({ sealed, ...row }): Behind => ({ ...row, keys: sealed.map((key) => unseal(key, keysSecret)) }),
  )
}

const behindColumns = (q: Queryable, node: string) => q`
  t.id as terminal_id, t.terminal_code, t.is_active, ds.epoch, ${sealedKeys(q)} as sealed
  from terminals t left join device_sessions ds on ds.device_id = t.id and ds.node = ${node}
  where t.deleted_at is null`

/** Whose code is this? Null: nobody's. */
export async function behind(q: Queryable, node: string, code: string, keysSecret: string): Promise<Behind | null> {
  const [row] = await lookedUp(q`select ${behindColumns(q, node)} and t.terminal_code = ${code}`, keysSecret)
  return row ?? null
}

/** The terminals of these that are open under this name. */
export async function behindAll(
  q: Queryable,
  node: string,
  ids: readonly number[],
  keysSecret: string,
): Promise<Behind[]> {
  if (ids.length === 0) return []
  const rows = q`select ${behindColumns(q, node)} and t.id = any(${[...ids]}::bigint[]) and ds.epoch is not null`
  return await lookedUp(rows as never, keysSecret)
}

/**
 * Closes the sessions of terminals that nobody has heard for two heartbeats: behind a broker nobody sees them leave. Any
 * number of nodes may look; one that is just being worked on is left for the next time.
 * @returns whose were closed
 */
export async function closeSilent(tx: Tx, node: string): Promise<number[]> {
  const silent = await tx<{ id: number; epoch: number }[]>`
    select d.id, ds.epoch from devices d join terminals t on t.id = d.id
      join device_sessions ds on ds.device_id = d.id and ds.node = ${node}
    where ds.seen_at < now() - make_interval(secs => 2 * ds.heartbeat_seconds + ${connections.ONLINE_SLACK_SECONDS})
    order by d.id limit ${SILENT_ROWS} for no key update of d skip locked`
  for (const { id, epoch } of silent) await close(tx, { deviceId: id, node, epoch, reason: 'silent' })
  return silent.map(({ id }) => id)
}
