import { MOVEMENT_SECONDS } from '../db/devices/command-times.ts'
import { type Claimed, claim, type Waiting, waiting } from '../db/devices/commands.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'
import type { AnyCommand } from '../protocol/any-device.ts'
import { type Counts, count } from './counts.ts'
import type { Addressee } from './sessions.ts'

/** Commands under way whose latency is being measured, at most; beyond, the oldest is forgotten. */
const measuredMax = 10_000

/** Commands claimed in one statement, at most: after a restart thousands wait at once. */
const batchCommandsMax = 200

/** A cabinet that looks drops a command older than its row's own deadline (docs/protocol.md 5.4). */
const ttlSeconds = 15
const msPerSecond = 1_000

/** Brings commands from their rows to the devices. */
export interface Dispatcher {
  /** Commands may wait for this device. Bells that ring while a round is under way are one next round. */
  ring(deviceId: number): void
  /** Commands may wait for any device of this node: after a bell may have been missed. */
  ringAll(): void
  /** A command was answered; its latency is observed if its bytes were written by this process. */
  answered(commandId: number): void
  /** Resolves when no round is under way. */
  settled(): Promise<void>
}

interface OutgoingCommand<To> extends Claimed {
  epoch: number
  hex: string
  frame: Buffer
  command: AnyCommand
  isMovement: boolean
  to: To
}

/** What the dispatcher needs of its node. */
interface DispatcherContext<To extends Addressee> {
  name: string
  db: Db
  log: Log
  counts: Counts
  sessions: { get(deviceId: number): To | undefined }
  /** May its bytes be written now? */
  isOpen(to: To): boolean
  send(to: To, bytes: Buffer, command: AnyCommand): void
  /** Where other nodes may hold these devices as well: sees to it that `sessions` knows those of these rows. */
  prepare?(rows: readonly Waiting[]): Promise<void>
  /** Hears how long a command took from its bytes to the commit of its answer. */
  observe(kind: string, seconds: number): void
}

/** What waits, sorted: what can be brought now, and what a device's wire has no word for. */
interface Batch<To> {
  outgoing: OutgoingCommand<To>[]
  unspeakable: Map<To, number[]>
}

/** The frames of what waits. What cannot be brought now is left out, and stays in its row. */
function batchOf<To extends Addressee>(
  { sessions, isOpen, log }: DispatcherContext<To>,
  rows: readonly Waiting[],
): Batch<To> {
  const outgoing: OutgoingCommand<To>[] = []
  const unspeakable = new Map<To, number[]>()
  for (const row of rows) {
    const { id, deviceId, epoch, kind, args, isMovement, attempts } = row
    const to = sessions.get(deviceId)
    // Not logged in here yet, its login's answer has not been written (that login will ring again), or it is leaving.
    if (to?.epoch !== epoch || !isOpen(to)) continue
    const command = to.handlers.commandOf?.(row) ?? { kind, ...args }
    const when = { unixSeconds: Math.floor(Date.now() / msPerSecond), ttlSeconds }
    try {
      // The row was validated by whoever enqueued it; a kind or value the dialect cannot say fails here.
      const frame = to.codec.encode(command, when)
      const hex = frame.toString('hex').toUpperCase()
      outgoing.push({ id, deviceId, kind, attempts, epoch, hex, frame, command, isMovement, to })
    } catch (error) {
      log('command.unspeakable', { commandId: id, deviceId, kind, error })
      unspeakable.set(to, [...(unspeakable.get(to) ?? []), id])
    }
  }
  return { outgoing, unspeakable }
}

/** Measures how long commands take. */
function stopwatch(observe: DispatcherContext<Addressee>['observe']) {
  const running = new Map<number, { kind: string; at: number }>()
  return {
    start(id: number, kind: string) {
      running.set(id, { kind, at: performance.now() })
      if (running.size > measuredMax) running.delete(running.keys().next().value!)
    },
    stop(id: number) {
      const sent = running.get(id)
      if (!sent) return
      running.delete(id)
      observe(sent.kind, (performance.now() - sent.at) / msPerSecond)
    },
  }
}

type Watch = ReturnType<typeof stopwatch>

/** Marks these as sent, and tells those who want to know in the same transaction. */
async function claimAll<To extends Addressee>(
  { name, db }: DispatcherContext<To>,
  some: readonly OutgoingCommand<To>[],
): Promise<Set<number>> {
  const watched = Map.groupBy(some, ({ to }) => to.handlers.claimed)
  // Nobody asks of most kinds of devices: no transaction around the one statement.
  if (watched.size === 1 && watched.has(undefined)) return new Set(await claim(db.sql, name, some))
  return await db.transaction(async (tx) => {
    const claimed = new Set(await claim(tx, name, some))
    for (const [tell, mine] of watched)
      await tell?.(
        tx,
        mine.filter(({ id }) => claimed.has(id)),
      )
    return claimed
  })
}

/**
 * `encode → claim → write`: a command is marked as sent before its bytes leave, so a crash in between loses time and never
 * repeats a movement (docs/decisions.md "A physical act is never repeated"). Nothing is ever written twice.
 */
async function send<To extends Addressee>(
  context: DispatcherContext<To>,
  watch: Watch,
  some: readonly OutgoingCommand<To>[],
): Promise<void> {
  const { db, counts } = context
  const claimed = await claimAll(context, some)
  const sent = some.filter(({ id }) => claimed.has(id))
  for (const { id, frame, command, isMovement, to } of sent) {
    if (isMovement) to.movement = { commandId: id, until: performance.now() + MOVEMENT_SECONDS * msPerSecond }
    context.send(to, frame, command)
    count(counts.told, command.kind)
    watch.start(id, command.kind)
  }
  for (const { command, to } of sent)
    if (to.handlers.isAnswered?.(command.kind) === false)
      await db.transaction((tx) => to.handlers.handle(tx, to.deviceId, { kind: command.kind }, ''))
}

/** Brings what waits for these devices, or for all of this node. */
async function deliver<To extends Addressee>(context: DispatcherContext<To>, watch: Watch, deviceIds?: number[]) {
  const { name, db } = context
  const rows = await waiting(db.sql, name, deviceIds)
  await context.prepare?.(rows)
  const { outgoing, unspeakable } = batchOf(context, rows)
  for (const [{ handlers, deviceId }, ids] of unspeakable)
    await db.transaction((tx) => handlers.unspeakable(tx, deviceId, ids))
  for (let from = 0; from < outgoing.length; from += batchCommandsMax)
    await send(context, watch, outgoing.slice(from, from + batchCommandsMax))
}

/** The dispatcher of one node, or of all nodes behind one broker. */
export function dispatcher<To extends Addressee>(context: DispatcherContext<To>): Dispatcher {
  const { log, sessions } = context
  const rung = new Set<number>()
  const watch = stopwatch(context.observe)
  let isAll = false
  let isFailing = false
  let round: Promise<void> | null = null

  async function rounds() {
    while (isAll || rung.size > 0) {
      const deviceIds = isAll ? undefined : [...rung]
      isAll = false
      rung.clear()
      await deliver(context, watch, deviceIds)
    }
  }

  function start() {
    round ??= rounds().then(
      () => {
        round = null
        isFailing = false
        // A bell may have rung between the last look and this line.
        if (isAll || rung.size > 0) start()
      },
      (error) => {
        // The rows still wait: the next bell or the next tick looks at all of them.
        round = null
        isAll = true
        if (!isFailing) log('delivery.failed', { error })
        isFailing = true
      },
    )
  }

  return {
    ring(deviceId) {
      if (!context.prepare && !sessions.get(deviceId)) return
      rung.add(deviceId)
      start()
    },
    ringAll() {
      isAll = true
      start()
    },
    answered: watch.stop,
    settled: async () => void (await round),
  }
}
