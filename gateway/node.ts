import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Log } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'
import type { Rules } from '../db/powerbank/decide/snapshot.ts'
import type { GatewayConfig, Limits } from './config.ts'
import { type Connection, isOpen } from './connection.ts'
import { type Counts, newCounts } from './counts.ts'
import type { DeviceHandlers } from './device-handlers.ts'
import { type Dispatcher, dispatcher } from './dispatcher.ts'
import { type Limiter, limiter } from './limiter.ts'
import { type LogThrottle, logThrottle } from './log-throttle.ts'
import { type Metrics, metrics } from './metrics.ts'
import { type Sessions, sessions } from './sessions.ts'

/** One gateway process: what its parts share. */
export interface GatewayNode {
  /** Under this name the rows say who holds a device; never used twice. */
  name: string
  db: Db
  log: Log
  /** For what unauthorised devices can cause at will: above a bound per tick, lines are counted instead of written. */
  logSparingly: Log
  throttle: LogThrottle
  keysSecret: string
  limits: Limits
  /** How cabinets' words are weighed. */
  rules: Rules
  /** Milliseconds of a monotonic clock as of the last tick: a deadline costs no system call per frame. */
  clock: { now: number }
  counts: Counts
  metrics: Metrics
  /** In front of the database, for logins and reports. */
  limiter: Limiter
  sessions: Sessions
  dispatcher: Dispatcher
  /** What it knows of each kind of device. */
  kinds: readonly DeviceHandlers[]
  /** Every open connection, logged in or not. */
  connections: Set<Connection>
  /** Unauthorised devices that may still be written down in this minute. */
  quarantinesLeft: number
  /** False while the database does not answer. */
  isDatabaseThere: boolean
  /** True while this node says goodbye: all its rows are released at once, so single connections need not. */
  isClosing: boolean
}

/** A name nobody had before: after a crash the rows must not look like ours. */
export const newName = () => `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`

/** What a node begins with. */
export interface NodeParts {
  config: GatewayConfig
  db: Db
  log: Log
  name: string
  kinds: readonly DeviceHandlers[]
}

/** What a node is made of; nothing runs yet. */
export function newNode({ config, db, log, name, kinds }: NodeParts): GatewayNode {
  const { limits, keysSecret, rules } = config
  const counts = newCounts()
  const here = sessions()
  const reports = limiter(limits.reportsAtOnceMax)
  const throttle = logThrottle(log, limits.unauthorisedLinesPerTickMax)
  const numbers = metrics({
    counts,
    connected: here.count,
    connections: (transport) => [...node.connections].filter((one) => one.transport.name === transport).length,
    reportsWaiting: reports.waiting,
    isDatabaseThere: () => node.isDatabaseThere,
  })
  const node: GatewayNode = {
    ...{ name, db, log, keysSecret, limits, rules, counts, kinds, throttle },
    logSparingly: throttle.log,
    clock: { now: performance.now() },
    limiter: reports,
    sessions: here,
    dispatcher: dispatcher({
      ...{ name, db, log, counts, sessions: here, observe: numbers.observe },
      isOpen: ({ connection }) => isOpen(connection),
      send: ({ connection }, bytes, command) => connection.transport.send(connection, bytes, command),
    }),
    metrics: numbers,
    connections: new Set(),
    quarantinesLeft: limits.quarantinePerMinuteMax,
    isDatabaseThere: true,
    isClosing: false,
  }
  return node
}
