import { connect as dial, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'

/** int8 is a `number` here (checked to be exact), `date` a 'YYYY-MM-DD' string, numeric a string, timestamptz a `Date`. */
type Kinds = { bigint: number; day: string }

/** The pool: each statement takes any free connection. */
export type Sql = postgres.Sql<Kinds>
/** One transaction. Given to every writing verb; never kept after it. */
export type Tx = postgres.TransactionSql<Kinds>
/** What a reading verb takes: the pool or a transaction. */
export type Queryable = postgres.ISql<Kinds>

/** One database, as the rest of the house sees it. */
export interface Db {
  /** For reading outside a transaction: ``db.sql`select …` ``. Rows come in camelCase. */
  sql: Sql
  /**
   * Runs `work` in one transaction and commits what it returns; anything thrown rolls back and is thrown on. Work
   * that lost a serialization conflict or a deadlock is run again, so it must touch nothing but `tx`.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Hears NOTIFY on a channel, for ever: after a lost connection it listens again and calls `onListen` again, and
   * there the caller must look at the rows, for bells may have been missed. Resolves once it listens.
   */
  listen(channel: string, onNotify: (payload: string) => void, onListen?: () => void): Promise<() => Promise<void>>
  /** Rejects, within seconds, unless the database answers. */
  ping(): Promise<void>
  /** Waits for running statements, at most `closeSeconds`, and closes every connection. */
  close(): Promise<void>
}

export interface ConnectOptions {
  /** Connections in the pool, at most. The listener has one more. */
  max?: number
  /** What `pg_stat_activity` shows. */
  applicationName?: string
  /** Milliseconds; 0: no limit (migrations). */
  statementTimeoutMs?: number
}

const poolConnectionsMax = 10
const connectTimeoutSeconds = 2
const statementTimeoutMs = 15_000
const lockTimeoutMs = 10_000
const idleInTransactionTimeoutMs = 30_000
const closeSeconds = 5
const silenceGraceMs = 5_000
const transactionAttemptsMax = 3
const retryPauseMsMax = 20
/**
 * While the database is away each waiting query makes one attempt to connect and fails. The pause between attempts
 * of one connection bounds how fast a queue of waiting queries fails, so it is short.
 */
const poolBackoffSeconds = 0.01
/** The listener has nobody waiting: it calls less often. This is also how late service may come back. */
const listenerBackoffSeconds = 0.25

const serializationFailure = '40001'
const deadlockDetected = '40P01'

const exact = (text: string) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is not an exact integer`)
  return value
}

const kinds = {
  bigint: { to: 20, from: [20], serialize: (value: number) => String(value), parse: exact },
  // A calendar day has no time zone; as a Date it would get one, and move.
  day: { to: 1082, from: [1082], serialize: (value: string) => value, parse: (text: string) => text },
}

/** Connects lazily: nothing is dialled before the first query. `url` is `postgres://user:password@host:port/name`. */
export function connect(url: string, options: ConnectOptions = {}): Db {
  const timeoutMs = options.statementTimeoutMs ?? statementTimeoutMs
  const settings = {
    types: kinds,
    transform: { undefined: null, column: { from: postgres.toCamel, to: postgres.fromCamel } },
    connect_timeout: connectTimeoutSeconds,
    onnotice: () => {},
    connection: {
      application_name: options.applicationName ?? `voltbay/${process.pid}`,
      statement_timeout: timeoutMs,
      lock_timeout: lockTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    },
  }
  // The server ends any statement in time; a connection silent for longer is dead (or idle, and cheap to make again).
  const silenceMsMax = timeoutMs > 0 ? timeoutMs + silenceGraceMs : 0
  const sql: Sql = postgres(url, {
    ...settings,
    max: options.max ?? poolConnectionsMax,
    backoff: () => poolBackoffSeconds,
    ...dialling(silenceMsMax),
  })
  // Dials only when somebody listens; apart from the pool because its pauses are longer.
  const ears: Sql = postgres(url, { ...settings, max: 1, backoff: () => listenerBackoffSeconds, ...dialling(0) })
  return {
    sql,
    transaction: (work) => transaction(sql, work),
    listen: async (channel, onNotify, onListen) => (await ears.listen(channel, onNotify, onListen)).unlisten,
    ping: async () => void (await sql`select 1`),
    close: async () => {
      await Promise.all([sql.end({ timeout: closeSeconds }), ears.end({ timeout: closeSeconds })])
    },
  }
}

/** An error of the driver's kind for a peer that hung up without a word. */
const hungUp = () =>
  Object.assign(new Error('the database hung up before it said anything'), { code: 'CONNECTION_CLOSED' })

/**
 * Dials for the driver, which by itself takes a peer that accepts and hangs up at once (a proxy whose database is
 * away) for no failure at all: it would dial again for ever, a thousand times a second, and the query would hang.
 */
const dialling = (silenceMsMax: number) => ({
  socket: ({ host, port, path }: { host: string[]; port: number[]; path?: string }): Socket => {
    const socket = path ? dial(path) : dial(port[0]!, host[0]!)
    socket.once('close', (failed) => {
      if (!failed && socket.bytesRead === 0) socket.emit('error', hungUp())
    })
    socket.setTimeout(silenceMsMax, () => socket.destroy())
    // The driver asks the socket for the name to check a certificate against.
    return Object.assign(socket, { host: host[0] })
  },
})

async function transaction<T>(sql: Sql, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      // The driver types the result as if arrays of promises could be returned; ours never are.
      return (await sql.begin(work)) as T
    } catch (error) {
      if (attempt >= transactionAttemptsMax || !lostToAnother(error)) throw error
      await pause(Math.random() * retryPauseMsMax)
    }
  }
}

const lostToAnother = (error: unknown) => {
  const code = error instanceof postgres.PostgresError ? error.code : ''
  return code === serializationFailure || code === deadlockDetected
}
