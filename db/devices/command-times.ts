import type { Queryable } from '../postgres/connect.ts'
import type { DeviceKind } from './words.ts'

// How long a command may take, at every stage, by the kind of its device.

/** How long a command may wait to leave the house; a device on a weak SIM dials again within this. */
export const QUEUED_SECONDS = 15
/** How long a movement may take to be answered (docs/protocol.md 4). */
export const MOVEMENT_SECONDS = 15
/**
 * How long an answer may take: of a restart, and each time of what may be said twice (docs/protocol.md 4, 7.8). What was said
 * once and is to be said again waits so long for a connection.
 */
const ANSWER_SECONDS: Record<DeviceKind, { restart: number; first: number; second: number; again: number }> = {
  cabinet: { restart: 15, first: 5, second: 5, again: QUEUED_SECONDS },
  terminal: { restart: 60, first: 10, second: 50, again: 50 },
}
/** SQL: so many seconds, by the kind of device (alias `d`). */
const byKind = (q: Queryable, seconds: (of: (typeof ANSWER_SECONDS)[DeviceKind]) => ReturnType<Queryable>) => q`
  (case d.kind when 'terminal' then ${seconds(ANSWER_SECONDS.terminal)} else ${seconds(ANSWER_SECONDS.cabinet)} end)`

/** SQL: from now on, so long may the answer to a command (alias `c`) take. */
export const toAnswer = (q: Queryable) =>
  byKind(
    q,
    ({ restart, first, second }) => q`
      (case when c.is_movement then ${MOVEMENT_SECONDS}::int when c.kind = 'restart' then ${restart}::int
        when c.attempts = 0 then ${first}::int else ${second}::int end)`,
  )

/** SQL: so long what is said again waits for a connection. */
export const toBeSaidAgain = (q: Queryable) => byKind(q, ({ again }) => q`${again}::int`)
