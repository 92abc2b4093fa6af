import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { batches } from '../postgres/batches.ts'
import type { Db, Queryable } from '../postgres/connect.ts'
import type { Acquirer, AcquirerState, Order, Spoken } from './acquirer.ts'
import type { simulatedAcquirer as table } from './schema.ts'

/** The last two digits of an amount that is bought or held, and the code with which that is declined. */
const DECLINED = new Set([5, 51, 54, 55, 58, 61, 96])
/** … that is done, and never answered. */
const SILENT = 68
/** … that is done, and answered after `lateMs`. */
const LATE = 69
/** … that is answered twice. */
const TWICE = 70
const LIMIT_MS = 30_000
const LATE_MS = 35_000
/** Orders that it hears together, at most. */
const BATCH_MAX = 100
const APPROVAL_CHARACTERS = 6
const RRN_DIGITS = 8

export interface SimulatedOptions {
  /** How long whoever tells it something waits for an answer. */
  limitMs?: number
  /** When it answers what is answered too late. */
  lateMs?: number
  /** Hears what it says without being asked: the second of two answers. */
  unasked?: (number: number, reply: Spoken) => void
}

type Memory = Omit<typeof table.$inferSelect, 'transactionId'>

const declined = (code: string): Spoken => ({ result: 'declined', code })

/** Day of the year and number: what receipts are found by; and what is printed on them. */
function approvedOf({ number, act }: Order, now: Date): Spoken {
  if (act !== 'purchase' && act !== 'authorise') return { result: 'approved' }
  const year = now.getUTCFullYear()
  const day = Math.floor((now.getTime() - Date.UTC(year, 0, 0)) / 86_400_000)
  const rrn = `${year % 10}${String(day).padStart(3, '0')}${String(number % 10 ** RRN_DIGITS).padStart(RRN_DIGITS, '0')}`
  const digest = createHash('sha256').update(String(number)).digest('hex')
  return { result: 'approved', rrn, approval: digest.slice(0, APPROVAL_CHARACTERS).toUpperCase() }
}

/** What the amount asks for: only what is bought or held; what comes of it later has an amount that nobody chose. */
const wish = ({ act, amountMinor }: Order) => (act === 'purchase' || act === 'authorise' ? amountMinor % 100 : 0)

/** What it does of an order, for it has a memory: a number once, nothing after a reversal, nothing that is not there. */
function perform(memory: Memory, order: Order): Partial<Memory> | null {
  const { heldMinor, takenMinor, refundedMinor, isReversed } = memory
  const { act, amountMinor } = order
  if (act === 'reverse') return refundedMinor > 0 ? null : { heldMinor: 0, takenMinor: 0, isReversed: true }
  if (isReversed) return null
  if (act === 'purchase') return DECLINED.has(wish(order)) ? null : { takenMinor: amountMinor }
  if (act === 'authorise') return DECLINED.has(wish(order)) ? null : { heldMinor: amountMinor }
  if (act === 'capture') return heldMinor < amountMinor ? null : { heldMinor: 0, takenMinor: amountMinor }
  return takenMinor - refundedMinor < amountMinor ? null : { refundedMinor: refundedMinor + amountMinor }
}

const blank: Memory = { heldMinor: 0, takenMinor: 0, refundedMinor: 0, isReversed: false, replies: {} }

/** What it answers to an order that it has not heard before, and what it remembers then. */
function hear(memory: Memory, order: Order): { reply: Spoken; memory: Memory } {
  const now = new Date()
  const done = perform(memory, order)
  const code = DECLINED.has(wish(order)) ? String(wish(order)).padStart(2, '0') : '05'
  const reply = done ? approvedOf(order, now) : declined(code)
  return { reply, memory: { ...memory, ...done, replies: { ...memory.replies, [order.number]: reply } } }
}

/**
 * Heard for the first time of their transactions, no two of one: one statement. Its memory is written behind what its askers
 * have committed. @returns null for those of which it has heard before
 */
async function first(q: Queryable, orders: readonly Order[]): Promise<(Spoken | null)[]> {
  const heard = orders.map((order) => ({ ...hear(blank, order), id: order.transactionId }))
  const rows = await q<{ transactionId: number }[]>`
    with quickly as (select set_config('synchronous_commit', 'off', true))
    insert into simulated_acquirer (transaction_id, held_minor, taken_minor, is_reversed, replies)
    select id, (memory->>'heldMinor')::bigint, (memory->>'takenMinor')::bigint, (memory->>'isReversed')::boolean,
      memory->'replies'
    from quickly, jsonb_to_recordset(${q.json(heard)}) as i (id bigint, memory jsonb)
    order by id on conflict do nothing returning transaction_id`
  const isNew = new Set(rows.map(({ transactionId }) => transactionId))
  return heard.map(({ id, reply }) => (isNew.has(id) ? reply : null))
}

const again = (db: Db, order: Order) =>
  db.transaction(async (tx): Promise<Spoken> => {
    const [, [known]] = await Promise.all([
      tx`set local synchronous_commit = off`,
      tx<Memory[]>`
        select held_minor, taken_minor, refunded_minor, is_reversed, replies from simulated_acquirer
        where transaction_id = ${order.transactionId} for update`,
    ])
    const before = known!.replies[order.number]
    if (before) return before
    const { reply, memory } = hear(known!, order)
    const { heldMinor, takenMinor, refundedMinor, isReversed, replies } = memory
    await tx`
      update simulated_acquirer set held_minor = ${heldMinor}, taken_minor = ${takenMinor}, refunded_minor = ${refundedMinor},
        is_reversed = ${isReversed}, replies = ${tx.json(replies)} where transaction_id = ${order.transactionId}`
    return reply
  })

async function stateOf(q: Queryable, transactionId: number): Promise<AcquirerState> {
  const [known] = await q<Memory[]>`
    select held_minor, taken_minor, refunded_minor, is_reversed from simulated_acquirer
    where transaction_id = ${transactionId}`
  const { heldMinor, takenMinor, refundedMinor, isReversed } = known ?? blank
  const amountMinor = takenMinor || heldMinor
  if (isReversed) return { known: 'reversed', amountMinor, refundedMinor }
  return { known: takenMinor > 0 ? 'taken' : heldMinor > 0 ? 'held' : 'none', amountMinor, refundedMinor }
}

/**
 * An acquirer for a house that has none: the last two digits of an amount say what comes of it (docs/protocol.md 7.10).
 * Its memory is a table; whatever it was told counts once, and nothing counts after a reversal.
 */
export function simulatedAcquirer(db: Db, options: SimulatedOptions = {}): Acquirer {
  const { limitMs = LIMIT_MS, lateMs = LATE_MS, unasked = () => {} } = options
  const anew = batches((orders: readonly Order[]) => first(db.sql, orders), {
    max: BATCH_MAX,
    keyOf: ({ transactionId }) => transactionId,
  })
  return {
    limitMs,
    stateOf: (transactionId) => stateOf(db.sql, transactionId),
    tell: async (order) => {
      const reply = (await anew(order)) ?? (await again(db, order))
      if (wish(order) === SILENT) return await new Promise<never>(() => {})
      if (wish(order) === LATE) {
        await pause(lateMs, undefined, { ref: false })
        if (lateMs > limitMs) unasked(order.number, reply)
      }
      if (wish(order) === TWICE) setImmediate(unasked, order.number, reply)
      return reply
    },
  }
}
