import { setTimeout as pause } from 'node:timers/promises'
import { type Client, call, type Queryable, type TypeParsers } from './client.ts'

declare const inTransaction: unique symbol

/** One transaction. Given to every writing verb; used up when it ends: every later statement is refused. */
export interface Tx extends Queryable {
  readonly [inTransaction]: TypeParsers
}

/** Opens a client with one connection that is never made again; `onLost` is called when it is gone. */
type Open = (onLost: () => void) => Client

export interface Transactions {
  run<T>(work: (tx: Tx) => Promise<T>, attempts?: number): Promise<T>
  close(waitSeconds: number): Promise<void>
}

interface Lane {
  client: Client
  lost: boolean
}

interface Waiter {
  take(lane: Lane): void
  fail(error: Error): void
}

/** A transaction could not begin: too many others are under way. */
export class DatabaseBusyError extends Error {
  constructor() {
    super('too many transactions wait for the database')
    this.name = 'DatabaseBusyError'
  }
}

const waitingMax = 1_000
const waitMsMax = 10_000
const attemptsMax = 3
const retryPauseMsMax = 20
const closePollMs = 10
const serializationFailure = '40001'
const deadlockDetected = '40P01'

const ended = () => Object.assign(new Error('the database connection is closed'), { code: 'CONNECTION_ENDED' })

/** Runs transactions, at most `max` at once; the others wait their turn. */
export function transactions(open: Open, max: number): Transactions {
  const pool = lanesOf(open, max)
  const once = async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
    const lane = await pool.acquire()
    try {
      return await within(lane, work)
    } finally {
      pool.release(lane)
    }
  }
  return {
    run: async (work, attempts = attemptsMax) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(work)
        } catch (error) {
          if (attempt >= attempts || !lostToAnother(error)) throw error
          await pause(Math.random() * retryPauseMsMax)
        }
      }
    },
    close: pool.close,
  }
}

/** Stands in the queue for a connection. @throws DatabaseBusyError none came free */
function wait(waiting: Waiter[]): Promise<Lane> {
  const { promise, resolve, reject } = Promise.withResolvers<Lane>()
  const waiter: Waiter = { take: resolve, fail: reject }
  const timer = setTimeout(() => {
    waiting.splice(waiting.indexOf(waiter), 1)
    reject(new DatabaseBusyError())
  }, waitMsMax)
  waiting.push(waiter)
  return promise.finally(() => clearTimeout(timer))
}

/** Connections, each for one transaction at a time. One that is lost or in doubt is thrown away, never used again. */
function lanesOf(open: Open, max: number) {
  const lanes = new Set<Lane>()
  const idle: Lane[] = []
  const waiting: Waiter[] = []
  let closed = false

  function add(): Lane {
    const lane: Lane = { client: open(() => discard(lane)), lost: false }
    lanes.add(lane)
    return lane
  }

  function discard(lane: Lane) {
    lane.lost = true
    if (!lanes.delete(lane)) return
    if (idle.includes(lane)) idle.splice(idle.indexOf(lane), 1)
    void lane.client.end()
    waiting.shift()?.take(add())
  }

  return {
    acquire: async (): Promise<Lane> => {
      if (closed) throw ended()
      const free = idle.pop() ?? (lanes.size < max ? add() : undefined)
      if (free) return free
      if (waiting.length >= waitingMax) throw new DatabaseBusyError()
      return await wait(waiting)
    },
    release: (lane: Lane) => {
      if (lane.lost || closed) return discard(lane)
      const next = waiting.shift()
      if (next) next.take(lane)
      else idle.push(lane)
    },
    close: async (waitSeconds: number) => {
      closed = true
      for (const waiter of waiting.splice(0)) waiter.fail(ended())
      for (const lane of [...idle]) discard(lane)
      const deadline = performance.now() + waitSeconds * 1000
      while (lanes.size > 0 && performance.now() < deadline) await pause(closePollMs)
      await Promise.all([...lanes].map(({ client }) => client.end()))
    },
  }
}

async function within<T>(lane: Lane, work: (tx: Tx) => Promise<T>): Promise<T> {
  const { sql } = lane.client
  let over = false
  const live = (target: Queryable): Queryable => {
    if (over) throw new Error('the transaction has ended')
    if (lane.lost) throw Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' })
    return target
  }
  const tx = new Proxy(sql, {
    apply: (target, _self, args) => call(live(target), args),
    get: (target, name) => Reflect.get(live(target), name),
  }) as Tx
  try {
    await sql.unsafe('begin')
    const result = await work(tx)
    over = true
    const { command } = await sql.unsafe('commit')
    // PostgreSQL answers COMMIT so when a statement failed before and its error was swallowed.
    if (command !== 'COMMIT') throw new Error('a statement of this transaction failed: nothing was committed')
    return result
  } catch (error) {
    over = true
    // Behind whatever still runs. Where it cannot be undone there is no connection, and PostgreSQL does it.
    await sql.unsafe('rollback').catch(() => (lane.lost = true))
    throw error
  }
}

const lostToAnother = (error: unknown) => {
  const { code } = error as { code?: string }
  return code === serializationFailure || code === deadlockDetected
}
