import { connect as dial, Socket } from 'node:net'
import postgres from 'postgres'
import { driverTypes } from './type-parsers.ts'

/** Kinds of value that are not the driver's own: int8 is a number here (checked to be exact), a date a text. */
export type TypeParsers = { bigint: number; day: string }

/** What a reading verb takes: the pool or a transaction. Rows come in camelCase. */
export interface Queryable extends postgres.ISql<TypeParsers> {
  /** A value as JSON; rows and reports are types of ours, which the driver's own type of JSON does not know. */
  json(value: unknown): postgres.Parameter
}

/** How a driver is to be made for a database. */
export interface ClientOptions {
  url: string
  applicationName: string
  /** Milliseconds; 0: no limit. */
  statementTimeoutMs: number
}

/** A driver that may be thrown away. */
export interface Client {
  sql: Queryable
  /** Rejects what runs and closes. */
  end(waitSeconds?: number): Promise<void>
}

/**
 * Calls a driver with the arguments of a proxy's `apply`. The driver takes a list in a statement for the kind of its
 * first item; where that is wrong (yes and no, instants) the list must say what it is.
 */
export function call(sql: Queryable, args: unknown[]): unknown {
  const isStatement = Array.isArray(args[0]) && 'raw' in args[0]
  return Reflect.apply(sql, undefined, isStatement ? args.map((value) => named(sql, value)) : args)
}

function named(sql: Queryable, value: unknown): unknown {
  if (!Array.isArray(value)) return value
  if (typeof value[0] === 'boolean') return sql.typed(value, booleanArrayOid)
  return value[0] instanceof Date ? sql.typed(value, instantArrayOid) : value
}

interface Hooks {
  /** Connections at once. */
  max: number
  /** True: a connection that was lost is not made again; what waited for it fails. */
  once: boolean
  onNotify?: (channel: string, payload: string) => void
  onOpen?: () => void
  /** `isDead`: like every other since anything was last heard, it gave no answer; whatever waits would wait as long. */
  onClose: (isDead: boolean) => void
}

const booleanArrayOid = 1000
const instantArrayOid = 1185
const connectTimeoutSeconds = 2
const lockTimeoutMs = 10_000
const idleInTransactionTimeoutMs = 30_000
/** Beyond the statement timeout: the server had to answer by then. */
const silenceGraceMs = 5_000
const keepAliveSeconds = 15
/** Between attempts to connect for those who wait: each makes one and fails, so a queue of them fails fast. */
const backoffSeconds = 0.01

const lost = (why: string) => Object.assign(new Error(why), { code: 'CONNECTION_CLOSED' })

/**
 * One driver. postgres.js 3.4 must not go on with a connection object whose socket was lost: it writes a rollback to
 * nowhere and takes the process down, runs what is left of a dead transaction on the next connection, or waits for
 * ever (porsager/postgres 1154, 1208, 1216). So its sockets are ours, whoever uses a driver hears when one is lost,
 * and throws the driver away.
 */
export function openClient({ url, applicationName, statementTimeoutMs }: ClientOptions, hooks: Hooks): Client {
  // The server ends any statement in time; a connection that owes an answer for longer is dead.
  const silenceMsMax = statementTimeoutMs > 0 && !hooks.onNotify ? statementTimeoutMs + silenceGraceMs : 0
  const options = {
    types: driverTypes,
    fetch_types: false,
    transform: { undefined: null, column: { from: postgres.toCamel, to: postgres.fromCamel } },
    max: hooks.max,
    connect_timeout: connectTimeoutSeconds,
    keep_alive: keepAliveSeconds,
    backoff: () => backoffSeconds,
    onnotice: () => {},
    onnotify: hooks.onNotify,
    socket: dialer(hooks, silenceMsMax),
    connection: {
      application_name: applicationName,
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    },
  }
  // The driver's types do not know that dates are texts here; `Kinds` says so.
  const driver = postgres(url, options) as unknown as postgres.Sql<TypeParsers>
  return { sql: driver, end: (waitSeconds = 0) => driver.end({ timeout: waitSeconds }) }
}

/**
 * Dials for the driver, which by itself takes a peer that accepts and hangs up at once (a proxy whose database is
 * away) for no failure at all: it would dial again for ever, a thousand times a second, and the query would hang.
 */
function dialer({ once, onOpen, onClose }: Hooks, silenceMsMax: number) {
  let dialled = 0
  const heard = silence()
  return ({ host, port, path }: { host: string[]; port: number[]; path?: string }): Socket => {
    if (once && ++dialled > 1) return refusing()
    onOpen?.()
    heard.opened()
    const socket = path ? dial(path) : dial(port[0]!, host[0]!)
    let answeredBytes = 0
    let isSilent = false
    socket.once('close', (failed) => {
      if (!failed && socket.bytesRead === 0) socket.emit('error', lost('the database hung up before it said anything'))
      onClose(heard.closed(isSilent || socket.bytesRead === 0))
    })
    socket.once('connect', () =>
      socket.on('data', () => {
        answeredBytes = socket.bytesWritten
        heard.something()
      }),
    )
    // Only one that owes an answer: a statement may be on its way to an idle one at this very moment.
    socket.setTimeout(silenceMsMax, () => {
      isSilent = socket.bytesWritten > answeredBytes
      if (isSilent) socket.destroy()
    })
    // The driver asks the socket for the name to check a certificate against.
    return Object.assign(socket, { host: host[0] })
  }
}

/** Tells one connection that is slow from a database that says nothing: then as many ended in silence as were ever open at once. */
function silence() {
  let open = 0
  let openMost = 0
  let endedSilently = 0
  return {
    opened() {
      open += 1
      openMost = Math.max(openMost, open)
    },
    something() {
      endedSilently = 0
      openMost = open
    },
    /** @returns whether nobody is heard any more */
    closed(isSilent: boolean): boolean {
      open -= 1
      if (isSilent) endedSilently += 1
      return isSilent && endedSilently >= openMost
    },
  }
}

/** A socket that fails as soon as somebody listens to it. */
function refusing(): Socket {
  const socket = new Socket()
  setImmediate(() => socket.destroy(lost('the connection of this transaction was lost')))
  return socket
}
