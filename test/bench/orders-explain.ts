import { parseArgs } from 'node:util'
import type { Queryable } from '../../db/postgres/connect.ts'
import * as available from '../../db/powerbank/available.ts'
import * as myOrders from '../../db/powerbank/my-orders.ts'
import * as orders from '../../db/powerbank/order-list.ts'
import * as powerbanks from '../../db/powerbank/powerbanks.ts'
import type { Scope } from '../../db/powerbank/scope.ts'
import * as slotReports from '../../db/powerbank/slot-reports.ts'
import * as places from '../../db/powerbank/station-powerbanks.ts'
import * as stations from '../../db/powerbank/stations.ts'
import * as users from '../../db/powerbank/users.ts'
import * as whereabouts from '../../db/powerbank/whereabouts.ts'
import { type Amounts, fill } from './orders-fill.ts'
import { newGround } from './stage.ts'

/**
 * `node test/bench/orders-explain.ts`: fills a database with a million orders and prints, for each list of the
 * power-bank surface, how long its statements take and how they are planned. By hand, some minutes.
 */
const manual = `node test/bench/orders-explain.ts [--orders 1000000] [--only WORD] [--plans]
  --plans  every plan whole, not only its time and the nodes that touch a table
`
const minutesMax = 15
const amounts: Amounts = { orders: 1_000_000, users: 50_000, stations: 2_000, banks: 20_000, groups: 20 }

interface Plan {
  ms: number
  lines: string[]
}

/** Explains every statement that is awaited on it, then runs it. A fragment is never awaited, so nothing happens to it. */
function explaining(sql: Queryable, tell: (plan: Plan) => void): Queryable {
  const how = 'explain (analyze, buffers, timing off, summary off)'
  const explain = async (run: () => PromiseLike<Record<string, string>[]>) => {
    const began = performance.now()
    const rows = await run()
    const ms = performance.now() - began
    tell({ ms, lines: rows.map((row) => Object.values(row)[0]!) })
  }
  const handler: ProxyHandler<any> = {
    apply(target, self, args) {
      const query: any = Reflect.apply(target, self, args)
      const value = (resolve: any, reject: any) => {
        delete query.then
        return explain(() => sql`${sql.unsafe(how)} ${query}`)
          .then(() => Reflect.apply(target, self, args))
          .then(resolve, reject)
      }
      return Object.defineProperty(query, 'then', { value, configurable: true })
    },
    get: (target, name) =>
      // A composed statement (db/table.ts) is given as text.
      name === 'unsafe'
        ? (text: string, params: any[]) =>
            explain(() => sql.unsafe(`${how} ${text}`, params)).then(() => sql.unsafe(text, params))
        : Reflect.get(target, name),
  }
  return new Proxy(sql as any, handler)
}

const page = { page: 1, limit: 100 }
const rows = { limit: 100, offset: 0 }
const chief = { userId: 1, roles: [{ role: 'service_admin', orgUnitId: null }] }
const admin = { userId: 1, roles: [{ role: 'group_admin', orgUnitId: 3 }] }
const deep = { page: 5_000, limit: 100 }

/** Every list, as its route asks for it: by somebody who sees all, by a group's admin, by a user. */
function lists(group: Scope): Record<string, (q: Queryable) => Promise<unknown>> {
  const all = { scope: 'all' as const, readerId: 1 }
  const some = { scope: group, readerId: 500 }
  const own = { scope: [], readerId: 777 }
  return {
    'orders, all': (q) => orders.list(q, { ...all, ...page }),
    'orders, all, page 5000': (q) => orders.list(q, { ...all, ...deep }),
    'orders, all, borrow': (q) => orders.list(q, { ...all, ...page, status: 'borrow' }),
    'orders, all, return': (q) => orders.list(q, { ...all, ...page, status: 'return' }),
    'orders, all, cancelled': (q) => orders.list(q, { ...all, ...page, status: 'cancelled' }),
    'orders, all, force_eject': (q) => orders.list(q, { ...all, ...page, status: 'force_eject' }),
    'orders, all, one user': (q) => orders.list(q, { ...all, ...page, userId: 777 }),
    'orders, all, one station': (q) => orders.list(q, { ...all, ...page, stationId: 77 }),
    'orders, all, one station, return': (q) => orders.list(q, { ...all, ...page, stationId: 77, status: 'return' }),
    'orders, a group': (q) => orders.list(q, { ...some, ...page }),
    'orders, a group, page 300': (q) => orders.list(q, { ...some, page: 300, limit: 100 }),
    'orders, a group, borrow': (q) => orders.list(q, { ...some, ...page, status: 'borrow' }),
    'orders, a group, one user': (q) => orders.list(q, { ...some, ...page, userId: 777 }),
    'orders, a user': (q) => orders.list(q, { ...own, ...page }),
    'orders, a user, borrow': (q) => orders.list(q, { ...own, ...page, status: 'borrow' }),
    'active orders of a station': (q) => orders.activeAt(q, 77, all),
    'one order': (q) => orders.get(q, 500_000),
    'my orders': (q) => myOrders.list(q, 777, page),
    'my orders, return': (q) => myOrders.list(q, 777, { ...page, status: 'return' }),
    'my counts': (q) => myOrders.counts(q, 777),
    'whereabouts, all': (q) => whereabouts.list(q, { scope: 'all', ...page }),
    'whereabouts, not returned': (q) => whereabouts.list(q, { scope: 'all', ...page, whereabouts: 'not_returned' }),
    'whereabouts, a group': (q) => whereabouts.list(q, { scope: group, ...page }),
    'whereabouts, summary': (q) => whereabouts.summary(q, 'all'),
    'whereabouts, one bank': (q) => whereabouts.get(q, 7_777),
    'power banks, all': (q) => powerbanks.list(q, chief, rows),
    'power banks, a group, unknown': (q) => powerbanks.list(q, admin, { ...rows, filter: { status: 'unknown' } }),
    'power banks to borrow, a group': (q) => available.list(q, { scope: group, ...page }),
    'power banks in stations, one station': (q) => places.list(q, chief, { ...rows, filter: { stationId: 77 } }),
    'stations, all': (q) => stations.list(q, chief, rows),
    'stations, a group': (q) => stations.list(q, admin, rows),
    'users, all': (q) => users.list(q, { scope: 'all', ...page }),
    'users, all, group admins': (q) => users.list(q, { scope: 'all', ...page, role: 'group_admin' }),
    'users, a group': (q) => users.list(q, { scope: group, ...page }),
    'slot reports, all': (q) => slotReports.list(q, chief, rows),
    'slot reports, one station': (q) => slotReports.list(q, chief, { ...rows, filter: { stationId: 77 } }),
  }
}

const touches = /Scan|Join|Loop|Aggregate|Sort|Execution/

function print(name: string, plans: Plan[], isWhole: boolean): void {
  const total = plans.reduce((sum, { ms }) => sum + ms, 0)
  process.stdout.write(`\n## ${name}: ${total.toFixed(1)} ms\n`)
  for (const { ms, lines } of plans) {
    const shown = isWhole ? lines : lines.filter((line) => touches.test(line))
    process.stdout.write(`-- ${ms.toFixed(1)} ms\n${shown.map((line) => `   ${line}`).join('\n')}\n`)
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { orders: { type: 'string' }, only: { type: 'string' }, plans: { type: 'boolean', default: false } },
  })
  const stage = newGround({ quick: true })
  const giveUp = setTimeout(() => {
    process.stderr.write(`not done after ${minutesMax} minutes\n${manual}`)
    void stage.close().finally(() => process.exit(1))
  }, minutesMax * 60_000)
  try {
    const { db } = await stage.database()
    const began = performance.now()
    await fill(db, { ...amounts, orders: Number(values.orders ?? amounts.orders) })
    stage.progress(`filled in ${Math.round((performance.now() - began) / 1_000)} s`)
    for (const [name, run] of Object.entries(lists([3, 23, 43]))) {
      if (values.only && !name.includes(values.only)) continue
      const plans: Plan[] = []
      // Once for the cache, once for the figures.
      await run(db.sql)
      await run(explaining(db.sql, (plan) => plans.push(plan)))
      print(name, plans, values.plans)
    }
  } finally {
    clearTimeout(giveUp)
    await stage.close()
  }
}

await main()
