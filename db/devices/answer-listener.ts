import { ANSWER_CHANNEL, type Subject } from '../postgres/channels.ts'
import type { Db } from '../postgres/connect.ts'
import * as commands from './commands.ts'

/** What a missed bell costs. */
const POLL_MS = 1_000

export interface Answers {
  /** The command's row once it is settled, or as it stands when the time is up. */
  command(id: number, waitMs: number): Promise<commands.CommandRow>
  /** What `look` sees once that is settled, or as it stands when the time is up; it looks again at each bell of the subject. */
  wait<T>(subject: Subject, waitMs: number, look: () => Promise<{ row: T; settled: boolean }>): Promise<T>
  close(): Promise<void>
}

/** One listener per process for the outcomes of commands, and of what its businesses make of them. The rows are the truth; the bell only wakes. */
export async function answers(db: Db): Promise<Answers> {
  const waiting = new Map<string, Set<() => void>>()
  const unlisten = await db.listen(
    ANSWER_CHANNEL,
    (subject) => {
      for (const wake of waiting.get(subject) ?? []) wake()
    },
    () => {
      for (const wakes of waiting.values()) for (const wake of wakes) wake()
    },
  )

  async function wait<T>(
    subject: Subject,
    waitMs: number,
    look: () => Promise<{ row: T; settled: boolean }>,
  ): Promise<T> {
    const until = performance.now() + waitMs
    for (;;) {
      const bell = Promise.withResolvers<void>()
      const wakes = waiting.get(subject) ?? new Set()
      waiting.set(subject, wakes.add(bell.resolve))
      try {
        const { row, settled } = await look()
        const left = until - performance.now()
        if (settled || left <= 0) return row
        const timer = setTimeout(bell.resolve, Math.min(POLL_MS, left))
        await bell.promise
        clearTimeout(timer)
      } finally {
        wakes.delete(bell.resolve)
        if (wakes.size === 0) waiting.delete(subject)
      }
    }
  }

  return {
    command: (id, waitMs) =>
      wait(`command ${id}`, waitMs, async () => {
        const row = await commands.get(db.sql, id)
        if (!row) throw new Error(`command ${id} does not exist`)
        return { row, settled: !['queued', 'sent'].includes(row.status) }
      }),
    wait,
    close: unlisten,
  }
}
