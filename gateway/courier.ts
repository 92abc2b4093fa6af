import { claim, type Waiting, waiting } from '../db/commands.ts'
import type { Db } from '../db/connect.ts'
import type { Log } from '../db/log.ts'
import type { Command } from '../protocol/cabinet.ts'
import { type Counts, count } from './counts.ts'
import type { Session, Sessions } from './sessions.ts'

/** Commands under way whose latency is being measured, at most; beyond, the oldest is forgotten. */
const measuredMax = 10_000

/** Commands claimed in one statement, at most: after a restart thousands wait at once. */
const lettersMax = 200

/** Brings commands from their rows to the cabinets. */
export interface Courier {
  /** Commands may wait for this cabinet. Bells that ring while a round is under way are one next round. */
  ring(stationId: number): void
  /** Commands may wait for any cabinet of this node: after a bell may have been missed. */
  ringAll(): void
  /** A command was answered; its latency is observed if its bytes were written by this process. */
  answered(commandId: number): void
  /** Resolves when no round is under way. */
  settled(): Promise<void>
}

interface Letter {
  id: number
  epoch: number
  hex: string
  kind: string
  frame: Buffer
  session: Session
}

/** What the courier needs of its node. */
export interface Post {
  name: string
  db: Db
  log: Log
  counts: Counts
  sessions: Sessions
  /** Hears how long a command took from its bytes to the commit of its answer. */
  observe(kind: string, seconds: number): void
}

/** The frames of what waits. What cannot be brought now is left out, and stays in its row. */
function lettersOf({ sessions, log }: Post, rows: readonly Waiting[]): Letter[] {
  return rows.flatMap(({ id, stationId, epoch, kind, args }) => {
    const session = sessions.get(stationId)
    // Not logged in here yet, its login's answer has not been written (that login will ring again), or it is leaving.
    if (session?.epoch !== epoch || !session.carrier.isOpen()) return []
    try {
      // The row was validated by whoever enqueued it; a kind or value the dialect cannot say throws here.
      const frame = session.voice.tell({ kind, ...args } as Command)
      return [{ id, epoch, hex: frame.toString('hex').toUpperCase(), kind, frame, session }]
    } catch (error) {
      log('command.unspeakable', { commandId: id, stationId, kind, error })
      return []
    }
  })
}

/** Measures how long commands take. */
function stopwatch(observe: Post['observe']) {
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
 * time and never repeats a movement (HOUSE 6). Nothing is ever written twice.
 */
export function courier(post: Post): Courier {
  const { name, db, log, counts, sessions } = post
  const rung = new Set<number>()
  const watch = stopwatch(post.observe)
  let isAll = false
  let isFailing = false
  let round: Promise<void> | null = null

  async function deliver() {
    while (isAll || rung.size > 0) {
      const stationIds = isAll ? undefined : [...rung]
      isAll = false
      rung.clear()
      const letters = lettersOf(post, await waiting(db.sql, name, stationIds))
      for (let from = 0; from < letters.length; from += lettersMax) {
        const some = letters.slice(from, from + lettersMax)
        const claimed = new Set(await claim(db.sql, name, some))
        for (const { id, kind, frame, session } of some) {
          if (!claimed.has(id)) continue
          session.carrier.send(frame)
          count(counts.told, kind)
          watch.start(id, kind)
        }
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
      if (!sessions.get(stationId)) return
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
