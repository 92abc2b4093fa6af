import { type Client, type ClientOptions, call, openClient, type Queryable } from './client.ts'
import { notificationListener } from './listener.ts'
import { type Tx, transactions } from './transactions.ts'

export type { Queryable } from './client.ts'
export type { Tx } from './transactions.ts'

/** One database, as the rest of the house sees it. */
export interface Db {
  /** For reading outside a transaction: ``db.sql`select …` ``. Rows come in camelCase. */
  sql: Queryable
  /**
   * Runs `work` in one transaction and commits what it returns; anything thrown rolls back and is thrown on. Work
   * that lost a serialization conflict or a deadlock is run again (three attempts in all), so it must touch nothing
   * but `tx`.
   * @throws DatabaseBusyError
   */
  transaction<T>(work: (tx: Tx) => Promise<T>, attempts?: number): Promise<T>
  /**
   * Hears NOTIFY on a channel, for ever: after a lost connection it listens again and calls `onListen` again, and
   * there the caller must look at the rows, for bells may have been missed. Resolves once it listens.
   */
  listen(channel: string, onNotify: (payload: string) => void, onListen?: () => void): Promise<() => Promise<void>>
  /** Rejects, within seconds, unless the database answers. */
  ping(): Promise<void>
  /** Waits for what runs, at most `closeSeconds`, and closes every connection. */
  close(): Promise<void>
}

export interface ConnectOptions {
  /** Transactions at once; half as many connections more are for reading, and one for listening. */
  max?: number
  /** What `pg_stat_activity` shows. */
  applicationName?: string
  /** Milliseconds; 0: no limit (migrations). */
  statementTimeoutMs?: number
}

const transactionsMax = 10
const statementTimeoutMsMax = 15_000
const closeSeconds = 5

/** Connects lazily: nothing is dialled before the first query. `url` is `postgres://user:password@host:port/name`. */
export function connect(url: string, options: ConnectOptions = {}): Db {
  const { max = transactionsMax, applicationName = `voltbay/${process.pid}` } = options
  const client = { url, applicationName, statementTimeoutMs: options.statementTimeoutMs ?? statementTimeoutMsMax }
  const { run, close } = transactions((onClose) => openClient(client, { max: 1, once: true, onClose }), max)
  const { sql, end } = reader(client, Math.ceil(max / 2))
  const hearing = notificationListener((onNotify, onClose) =>
    openClient(client, { max: 1, once: true, onNotify, onClose }),
  )
  return {
    sql,
    transaction: run,
    listen: hearing.listen,
    ping: async () => void (await sql`select 1`),
    close: async () => {
      await Promise.all([close(closeSeconds), end(), hearing.close()])
    },
  }
}

/**
 * A pool for single statements. When one of its connections is lost, new statements go to a new pool; the old one
 * finishes what it has and is forgotten when its last connection is gone. Where the database said nothing, all that waits
 * for it fails: five at a time would take two seconds each, and more may come than that.
 */
function reader(options: ClientOptions, max: number) {
  const pools = new Set<Client>()

  function open(): Client {
    let connections = 0
    const pool = openClient(options, {
      max,
      once: false,
      onOpen: () => {
        connections++
        pools.add(pool)
      },
      onClose: (isDead) => {
        if (current === pool) current = open()
        if (--connections === 0) pools.delete(pool)
        if (isDead) void pool.end()
      },
    })
    return pool
  }

  let current = open()
  // A function is needed to be called; what it is called for is always the present pool's.
  const sql = new Proxy((() => {}) as unknown as Queryable, {
    apply: (_target, _self, args) => call(current.sql, args),
    get: (_target, name) => Reflect.get(current.sql, name),
  })
  return {
    sql,
    end: async () => {
      await Promise.all([...pools].map((pool) => pool.end(closeSeconds)))
    },
  }
}
