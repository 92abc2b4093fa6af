import type { Claimed, Ended, Hold, Waiting } from '../db/devices/commands.ts'
import type { Departure } from '../db/devices/connections.ts'
import type { DeviceKind } from '../db/devices/words.ts'
import type { Db, Tx } from '../db/postgres/connect.ts'
import type { AnyCommand, AnyReport, AnyVerdict, Verdict } from '../protocol/any-device.ts'
import type { GatewayNode } from './node.ts'
import type { Addressee, Session } from './sessions.ts'

/** What is said back of what is stored, and of answers. */
export const accepted: Verdict = { kind: 'accepted' }
export const silent: Verdict = { kind: 'silent' }

/** What a report came to: what to say back, and the command it answered. */
export interface Outcome {
  verdict: AnyVerdict
  commandId?: number
  /** From now on it says heartbeats so far apart. */
  heartbeatSeconds?: number
  /** Called once it is committed. Its line does not wait for what is begun there. */
  committed?(): void
  /** It is answered later, and nothing else waits for that: called once it is committed, with what says the answer. */
  later?(say: (verdict: AnyVerdict) => void): void
  /** Its connection ends with the answer: why, as `noun_or_verb`. */
  ends?: string
}

/** What the gateway asks of a kind of device: what that says means, and what it means that it says nothing. */
export interface DeviceHandlers {
  kind: DeviceKind
  /** Does what a report means. A device's reports come one at a time. */
  handle(tx: Tx, deviceId: number, report: AnyReport, hex: string): Promise<Outcome>
  /** Without any frame for this many of its heartbeats it is gone; absent: as the limits of the node say. */
  silentHeartbeats?: number
  /**
   * The same of a report that is worked together with those of other devices, in a transaction that is not its own; null: it is
   * none of those. Resolves after the commit. Absent: none is.
   */
  handleTogether?(deviceId: number, report: AnyReport, hex: string): Promise<Outcome> | null
  /** False for commands that nothing comes back of: that they were said is all there is to know. Absent: of all comes something. */
  isAnswered?(command: string): boolean
  /** The command of a row, in its words. Absent: the row says its kind and what belongs to it. */
  commandOf?(row: Waiting): AnyCommand
  /** These are claimed, in the transaction that does it: their bytes leave with its commit. Absent: nobody is told. */
  claimed?(tx: Tx, some: readonly Claimed[]): Promise<void>
  /** Fails queued commands that its wire has no word for. */
  unspeakable(tx: Tx, deviceId: number, commandIds: number[]): Promise<unknown>
  /** What to do when something it said is lost. Absent: nothing it says is worth it. */
  misheard?: {
    /** Might a frame that nobody can read have told what must not be lost? By its command byte. */
    mayMatter(frame: Buffer): boolean
    look(tx: Tx, deviceId: number): Promise<unknown>
  }
  /** Commands ended without an answer, in this transaction. */
  ended(tx: Tx, ended: readonly Ended[]): Promise<void>
  /** Its connection is over. Does nothing when a newer one owns the device already. */
  close(tx: Tx, departure: Departure): Promise<void>
  /** Is a device that is logged in still let in, and by which keys may it sign? Null: it is not; none: it signs nothing. */
  recognise(session: Session): Promise<readonly string[] | null>
  /** What is to be done by the clock for the devices that hold on to this node. */
  sweep?(db: Db, node: string): Promise<unknown>
  /** See `Hold`. */
  hold?: Hold
}

/** Locks what hangs on devices of all kinds. */
export const holdAll =
  (kinds: readonly DeviceHandlers[]): Hold =>
  async (tx, deviceIds, others) => {
    const left = []
    for (const { hold } of kinds) left.push(...((await hold?.(tx, deviceIds, others)) ?? []))
    return left
  }

/** Hands what ended to the businesses it concerns. */
export async function settle(
  tx: Tx,
  kinds: readonly Pick<DeviceHandlers, 'kind' | 'ended'>[],
  ended: readonly Ended[],
): Promise<void> {
  for (const [kind, some] of Map.groupBy(ended, ({ deviceKind }) => deviceKind))
    await kinds.find((known) => known.kind === kind)?.ended(tx, some)
}

const msPerSecond = 1_000

/**
 * One report of a device, in one transaction. Resolves after the commit: only then may anything be said back.
 * The caller sees to it that a device's reports come one at a time.
 * @param node its limiter holds back what is worked alone; absent: the caller was let through it already
 * @param since when it was heard, of a monotonic clock
 */
export async function receive(
  node: Pick<GatewayNode, 'db' | 'dispatcher' | 'metrics'> & Partial<Pick<GatewayNode, 'limiter'>>,
  device: Pick<Addressee, 'deviceId' | 'handlers' | 'heartbeatSeconds' | 'movement'>,
  report: AnyReport,
  hex: string,
  since = performance.now(),
): Promise<Outcome> {
  const { deviceId, handlers } = device
  const worked = (outcome: string) =>
    node.metrics.worked(handlers.kind, report.kind, outcome, (performance.now() - since) / msPerSecond)
  const alone = () => node.db.transaction((tx) => handlers.handle(tx, deviceId, report, hex))
  const together = handlers.handleTogether?.(deviceId, report, hex)
  const outcome = await (together ?? node.limiter?.run(alone) ?? alone()).catch((error) => {
    worked('failed')
    throw error
  })
  const { verdict, commandId, heartbeatSeconds } = outcome
  worked(verdict.kind)
  outcome.committed?.()
  if (heartbeatSeconds !== undefined) device.heartbeatSeconds = heartbeatSeconds
  if (commandId !== undefined) node.dispatcher.answered(commandId)
  if (commandId === device.movement?.commandId) device.movement = null
  // What was under way is over: the next of its kind may go. Also without a command: a late one may have made room.
  if (verdict.kind === 'silent') node.dispatcher.ring(deviceId)
  return outcome
}
