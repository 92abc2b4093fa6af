import { claim, type Waiting, waiting } from '../db/devices/commands.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'
import { answer, unspeakable as fail } from '../db/powerbank/answers.ts'
import type { Command } from '../protocol/cabinet.ts'
import { type Counts, count } from './counts.ts'
import type { Addressee } from './sessions.ts'

/** Commands under way whose latency is being measured, at most; beyond, the oldest is forgotten. */
const measuredMax = 10_000

/** Commands claimed in one statement, at most: after a restart thousands wait at once. */
const batchCommandsMax = 200

/** A cabinet that looks drops a command older than its row's own deadline (docs/protocol.md 5.4). */
const ttlSeconds = 15
const msPerSecond = 1_000

/** Brings commands from their rows to the cabinets. */
export interface Dispatcher {
  /** Commands may wait for this cabinet. Bells that ring while a round is under way are one next round. */
  ring(stationId: number): void
  /** Commands may wait for any cabinet of this node: after a bell may have been missed. */
  ringAll(): void
  /** A command was answered; its latency is observed if its bytes were written by this process. */
  answered(commandId: number): void
  /** Resolves when no round is under way. */
  settled(): Promise<void>
}

interface OutgoingCommand<To> {
  id: number
  epoch: number
  hex: string
  kind: string
  frame: Buffer
  command: Command
  to: To
}

/** What the dispatcher needs of its node. */
export interface DispatcherContext<To extends Addressee> {
  name: string
  db: Db
  log: Log
  counts: Counts
  sessions: { get(stationId: number): To | undefined }
  /** May its bytes be written now? */
  isOpen(to: To): boolean
  send(to: To, bytes: Buffer, command: Command): void
  /** Where other nodes may hold these cabinets as well: sees to it that `sessions` knows those of these rows. */
  prepare?(rows: readonly Waiting[]): Promise<void>
  /** Hears how long a command took from its bytes to the commit of its answer. */
  observe(kind: string, seconds: number): void
}

/** What waits, sorted: what can be brought now, and what the cabinet's wire has no word for. */
interface Batch<To> {
  outgoing: OutgoingCommand<To>[]
  unspeakable: Map<number, number[]>
}

/** The frames of what waits. What cannot be brought now is left out, and stays in its row. */
function batchOf<To extends Addressee>(
  { sessions, isOpen, log }: DispatcherContext<To>,
  rows: readonly Waiting[],
): Batch<To> {
  const outgoing: OutgoingCommand<To>[] = []
  const unspeakable = new Map<number, number[]>()
  for (const { id, deviceId: stationId, epoch, kind, args } of rows) {
    const to = sessions.get(stationId)
    // Not logged in here yet, its login's answer has not been written (that login will ring again), or it is leaving.
    if (to?.epoch !== epoch || !isOpen(to)) continue
    // The row was validated by whoever enqueued it; a kind or value the dialect cannot say fails here.
    const command = { kind, ...args } as Command
    try {
      if (to.lacks?.speaks(command.kind) === false) throw new RangeError(`no word for ${kind}`)
      const when = { unixSeconds: Math.floor(Date.now() / msPerSecond), ttlSeconds }
      const frame = to.codec.encode(command, when)
      outgoing.push({ id, epoch, hex: frame.toString('hex').toUpperCase(), kind, frame, command, to })
    } catch (error) {
      log('command.unspeakable', { commandId: id, stationId, kind, error })
      unspeakable.set(stationId, [...(unspeakable.get(stationId) ?? []), id])
    }
  }
  return { outgoing, unspeakable }
}

/** Nothing will come back, but for a restart, which ends in a login: that it was said is all there is to know. */
async function said(db: Db, { stationId }: Addressee, { kind }: Command): Promise<void> {
  if (kind !== 'restart') await db.transaction((tx) => answer(tx, stationId, { kind }, ''))
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
      observe(sent.kind, (performance.now() - sent.at) / 1000)
    },
  }
}

/**
 * `waiting → tell → claim → write`: a command is marked as sent before its bytes leave, so a crash in between loses
 * time and never repeats a movement (docs/decisions.md "A physical act is never repeated"). Nothing is ever written twice.
 */
export function dispatcher<To extends Addressee>(context: DispatcherContext<To>): Dispatcher {
  const { name, db, log, counts, sessions } = context
  const rung = new Set<number>()
  const watch = stopwatch(context.observe)
  let isAll = false
  let isFailing = false
  let round: Promise<void> | null = null

  async function deliver() {
    while (isAll || rung.size > 0) {
      const stationIds = isAll ? undefined : [...rung]
      isAll = false
      rung.clear()
      const rows = await waiting(db.sql, name, stationIds)
      await context.prepare?.(rows)
      const { outgoing, unspeakable } = batchOf(context, rows)
      for (const [stationId, ids] of unspeakable) await db.transaction((tx) => fail(tx, stationId, ids))
      for (let from = 0; from < outgoing.length; from += batchCommandsMax) {
        const some = outgoing.slice(from, from + batchCommandsMax)
        const claimed = new Set(await claim(db.sql, name, some))
        for (const { id, kind, frame, command, to } of some) {
          if (!claimed.has(id)) continue
          context.send(to, frame, command)
          count(counts.told, kind)
          watch.start(id, kind)
        }
        for (const { id, command, to } of some)
          if (claimed.has(id) && to.lacks?.isAnswered(command.kind) === false) await said(db, to, command)
      }
    }
  }

  function start() {
    round ??= deliver().then(
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
    ring(stationId) {
      if (!context.prepare && !sessions.get(stationId)) return
      rung.add(stationId)
      start()
    },
    ringAll() {
      isAll = true
      start()
    },
    answered: watch.stop,
    settled: async () => {
      await round
    },
  }
}
