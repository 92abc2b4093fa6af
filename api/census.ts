import { Counter, Gauge, type Registry } from 'prom-client'
import { openCommands } from '../db/devices/census.ts'
import { census as getproCensus } from '../db/getpro/census.ts'
import { backlog, openEvents } from '../db/messages/backlog.ts'
import * as paygo from '../db/paygo/dashboard.ts'
import { countByStatus } from '../db/paygo/terminals-list.ts'
import { within } from '../db/platform/patience.ts'
import type { Db, Queryable } from '../db/postgres/connect.ts'
import { openOrders } from '../db/powerbank/census.ts'
import type { AppContext } from './context.ts'

// What is counted from rows when somebody looks: the same from every process over one database, so no sum of them means anything.

/** Whoever scrapes waits ten seconds; a frozen database must not cost them the numbers of the process. */
const deadlineMs = 3_500
/** So many may scrape for the price of one. */
const freshMs = 5_000

const read = async (q: Queryable) => {
  const [waiting, events, commands, orders, acts, terminals, getpro] = await Promise.all([
    backlog(q),
    openEvents(q),
    openCommands(q),
    openOrders(q),
    paygo.backlog(q),
    countByStatus(q),
    getproCensus(q),
  ])
  return { waiting, events, commands, orders, acts, terminals, getpro }
}
type Census = Awaited<ReturnType<typeof read>>

interface Sample {
  value: number
  labels?: Record<string, string>
}
interface Figure {
  name: string
  help: string
  labelNames?: string[]
  of(census: Census): Sample[]
}

const one = (value: number): Sample[] => [{ value }]
const byName = (counts: Record<string, number>, label: string): Sample[] =>
  Object.entries(counts).map(([name, value]) => ({ value, labels: { [label]: name } }))

const gauges: Figure[] = [
  {
    name: 'active_subscriptions',
    help: 'Subscriptions of 2GETPRO that last, by as what they are had',
    labelNames: ['plan_type'],
    of: ({ getpro }) => getpro.active.map(({ kind, count }) => ({ value: count, labels: { plan_type: kind } })),
  },
  {
    name: 'voltbay_orders_open',
    help: 'Loans of power banks under way, by status',
    labelNames: ['status'],
    of: ({ orders }) => byName(orders, 'status'),
  },
  {
    name: 'voltbay_device_commands_open',
    help: 'Commands to devices without an end: queued, or sent and not answered',
    labelNames: ['device', 'status'],
    of: ({ commands }) =>
      commands.map(({ kind, status, count }) => ({ value: count, labels: { device: kind, status } })),
  },
  {
    name: 'voltbay_terminals',
    help: 'Payment terminals in use, by status',
    labelNames: ['status'],
    of: ({ terminals }) => byName(terminals, 'status'),
  },
  {
    name: 'voltbay_acquirer_acts_overdue',
    help: 'What an acquirer was told and nobody knows the end of, longer than it should be',
    of: ({ acts }) => one(acts.overdue),
  },
  {
    name: 'voltbay_payment_exceptions_open',
    help: 'Payments at terminals that people have to look at',
    of: ({ acts }) => one(acts.exceptions),
  },
  {
    name: 'voltbay_inbox_events_open',
    help: 'Webhook events nothing was done for: received, failed or unmatched, by provider',
    labelNames: ['provider', 'state'],
    of: ({ events }) => events.map(({ provider, state, count }) => ({ value: count, labels: { provider, state } })),
  },
  { name: 'voltbay_inbox_due', help: 'Webhook events due to be worked', of: ({ waiting }) => one(waiting.inboxDue) },
  {
    name: 'voltbay_inbox_oldest_due_seconds',
    help: 'How long the oldest due webhook event has been due',
    of: ({ waiting }) => one(waiting.inboxSeconds),
  },
  { name: 'voltbay_outbox_due', help: 'Messages due to be sent', of: ({ waiting }) => one(waiting.outboxDue) },
  {
    name: 'voltbay_outbox_oldest_due_seconds',
    help: 'How long the oldest due message has been due',
    of: ({ waiting }) => one(waiting.outboxSeconds),
  },
]

const counters: Figure[] = [
  {
    name: 'payment_transactions_total',
    help: 'Payments of 2GETPRO that ever got so far, by provider',
    labelNames: ['provider', 'status'],
    of: ({ getpro }) =>
      getpro.payments.map(({ provider, status, count }) => ({ value: count, labels: { provider, status } })),
  },
]

/** What was read last, while it is fresh; null: it could not be read in time. One reading is under way. */
function readings({ db, log }: { db: Db; log: AppContext['log'] }): () => Promise<Census | null> {
  let last: { at: number; census: Promise<Census | null> } | undefined
  async function look(): Promise<Census | null> {
    let census: Census | null = null
    try {
      const isRead = await within(
        deadlineMs,
        read(db.sql).then((found) => {
          census = found
        }),
      )
      if (!isRead) throw new Error('no answer in time')
    } catch (error) {
      log('census.failed', { error })
    }
    return census
  }
  return () => {
    if (last === undefined || performance.now() - last.at > freshMs) last = { at: performance.now(), census: look() }
    return last.census
  }
}

/** Has a registry tell what the rows say, when it is scraped. What cannot be read is left out. */
export function countRows({ db, log, metrics }: { db: Db; log: AppContext['log']; metrics: Registry }): void {
  const census = readings({ db, log })
  new Gauge({
    name: 'voltbay_census_up',
    help: '1 when the rows behind the other figures could be read',
    registers: [metrics],
    async collect() {
      this.set((await census()) ? 1 : 0)
    },
  })
  const about = { registers: [metrics] }
  for (const { name, help, labelNames = [], of } of gauges)
    new Gauge({
      ...{ name, help, labelNames, ...about },
      async collect() {
        const found = await census()
        this.reset()
        for (const { labels = {}, value } of found ? of(found) : []) this.set(labels, value)
      },
    })
  for (const { name, help, labelNames = [], of } of counters)
    new Counter({
      ...{ name, help, labelNames, ...about },
      async collect() {
        const found = await census()
        this.reset()
        for (const { labels = {}, value } of found ? of(found) : []) this.inc(labels, value)
      },
    })
}
