import * as ledger from '../../../db/ledger/ledger.ts'
import { answersOf } from '../../../db/paygo/answers.ts'
import { bookOf } from '../../../db/paygo/books.ts'
import type { Figures, Original } from '../../../db/paygo/decide/snapshot.ts'
import { hear } from '../../../db/paygo/hear.ts'
import { settle } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import { noFigures } from '../../../db/paygo/snapshot-loader.ts'
import type { AdviceMessage, SaleMessage, TerminalMessage, TotalsMessage } from '../../../db/paygo/terminal-messages.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { act, next } from '../world.ts'

/** Nobody waits for it: whatever is not answered at once is not answered in time. */
export const impatient = (db: Db) => simulatedAcquirer(db, { limitMs: 100, lateMs: 200 })

/** A terminal that has signed on. */
export async function terminal(db: Db): Promise<number> {
  const code = `T${String(next()).padStart(7, '0')}`
  const [device] = await db.sql<{ id: number }[]>`
    insert into devices (kind, serial) values ('terminal', ${code}) returning id`
  const { id } = device!
  await db.sql`
    insert into terminals (id, terminal_code, name, location, address, supported_payment_methods)
    values (${id}, ${code}, 'Till', 'Hall', 'Street 1', '{nfc,card_insert}')`
  await db.sql`
    insert into device_sessions (device_id, node, epoch, dialect, connected_at, seen_at)
    values (${id}, 'node-1', 1, 'iso8583', now(), now())`
  return id
}

const card = { masked: '424242******4242', fingerprint: 'f'.repeat(64), expiry: '2912' }
export const sentAt = '1128203107'
const words = { sentAt, localTime: '233107', localDate: '1128', entryMode: '071', condition: '00', card }

/** What terminals say, in the words of their codec. */
export const purchase = (stan: string, amountMinor = 15_000, change: Partial<SaleMessage> = {}): SaleMessage => ({
  ...words,
  kind: 'purchase',
  stan,
  amountMinor,
  ...change,
})
export const hold = (stan: string, amountMinor = 50_000) => purchase(stan, amountMinor, { kind: 'authorisation' })
export const advice = (stan: string, amountMinor: number, change: Partial<AdviceMessage> = {}): AdviceMessage => ({
  ...words,
  kind: 'advice',
  stan,
  amountMinor,
  ...change,
})
export const reversal = (stan: string, original: Partial<Original>, amountMinor = 15_000): TerminalMessage => ({
  kind: 'reversal',
  stan,
  sentAt,
  amountMinor,
  reason: '68',
  original: { mti: '0200', stan: '', sentAt, ...original },
})

export const totals = (stan: string, figures: Partial<Figures>): TotalsMessage => ({
  kind: 'totals',
  stan,
  sentAt,
  localDate: '1128',
  totals: { ...noFigures, ...figures },
})

/** Says it, and nobody goes on with it. */
export const says = (db: Db, id: number, message: TerminalMessage) => act(db, (tx) => hear(tx, id, message))

/** Says it, and hears what it is answered in the end. */
export async function asks(db: Db, id: number, message: TerminalMessage, acquirer = impatient(db)) {
  const { messageId, answer, told } = await says(db, id, message)
  await settle(db, acquirer, told)
  return answer ?? (await answersOf(db.sql, [messageId]))[0]?.answer ?? null
}

export interface TransactionRow {
  id: number
  status: string
  code: string | null
  rrn: string | null
  amountMinor: number
  bookedMinor: number
  refundedMinor: number
  act: string | null
}

/** The transactions of a terminal, the oldest first. */
export const transactions = (db: Db, id: number) => db.sql<TransactionRow[]>`
  select id, status, code, rrn, amount_minor, booked_minor, refunded_minor, act from transactions
  where terminal_id = ${id} order by id`

/** What the terminal's book has, and what the acquirer has of its transactions. */
export async function money(db: Db, id: number) {
  const { owner, unit } = bookOf(id)
  const [balance, held] = await Promise.all([
    ledger.balance(db.sql, owner, unit),
    ledger.balance(db.sql, owner, unit, 'held'),
  ])
  const [theirs] = await db.sql<{ taken: number; held: number }[]>`
    select coalesce(sum(taken_minor - refunded_minor), 0)::bigint as taken,
      coalesce(sum(held_minor), 0)::bigint as held
    from simulated_acquirer where transaction_id in (select id from transactions where terminal_id = ${id})`
  return { books: { taken: balance, held }, acquirer: theirs! }
}

/** Time passes: whoever was to do something had until now. */
export const overdue = (db: Db) => db.sql`
  update acquirer_acts set due_at = now() - interval '1 second' where due_at is not null`

/** What people have to look at. */
export const exceptions = async (db: Db, id: number) => {
  const rows = await db.sql<{ what: string }[]>`
    select what from payment_exceptions where terminal_id = ${id} order by id`
  return rows.map(({ what }) => what)
}

/** What happened at a terminal, by its kinds. */
export const events = async (db: Db, id: number) => {
  const rows = await db.sql<{ kind: string }[]>`
    select kind from events where data->>'terminalId' = ${String(id)} order by id`
  return rows.map(({ kind }) => kind)
}
