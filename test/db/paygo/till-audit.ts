import type { Acquirer, Order, Spoken } from '../../../db/paygo/acquirer.ts'
import type { Answer, Figures } from '../../../db/paygo/decide/snapshot.ts'
import { sweep } from '../../../db/paygo/settle.ts'
import { noFigures } from '../../../db/paygo/snapshot-loader.ts'
import { type AdviceMessage, mtis, type TerminalMessage } from '../../../db/paygo/terminal-messages.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { money, overdue } from './till.ts'

/** How an acquirer may fail: the order is lost, the answer is lost or late, or the asking process dies before or after it. */
export type Fate = 'answers' | 'lost' | 'unanswered' | 'late' | 'dies before' | 'dies after'

/** The process that did it is no more. */
export class KilledError extends Error {}

/** An acquirer that fails as told, and what it said too late. `fates` are used one after the other, for ever. */
export function failing(base: Acquirer, fates: readonly Fate[]) {
  const late: { number: number; reply: Spoken }[] = []
  let told = 0
  const fate = () => fates[told++ % fates.length] ?? 'answers'
  const acquirer: Acquirer = {
    limitMs: base.limitMs,
    async tell(order: Order) {
      const mine = fate()
      if (mine === 'lost') return { result: 'silent' }
      if (mine === 'dies before') throw new KilledError()
      const reply = await base.tell(order)
      if (mine === 'dies after') throw new KilledError()
      if (mine === 'late' && reply.result !== 'silent') late.push({ number: order.number, reply })
      return mine === 'answers' ? reply : { result: 'silent' }
    },
    async stateOf(id) {
      const mine = fate()
      if (mine === 'dies before' || mine === 'dies after') throw new KilledError()
      return mine === 'answers' ? await base.stateOf(id) : { known: 'silent' }
    },
  }
  return { acquirer, late }
}

/** Other processes go on with whatever is left, as its time comes, until nothing is. */
export async function recover(db: Db, acquirer: Acquirer): Promise<void> {
  for (let round = 0; round < 20; round++) {
    await overdue(db)
    await Promise.all([sweep(db, acquirer, 100), sweep(db, acquirer, 100)])
    const [left] = await db.sql`select 1 from acquirer_acts where due_at is not null limit 1`
    if (!left) return
  }
  throw new Error('it is never done')
}

interface Audited {
  id: number
  kind: string
  status: string
  act: string | null
  amountMinor: number
  bookedMinor: number
  refundedMinor: number
  code: string | null
  netMinor: number
  theirRefundMinor: number
  isReversedThere: boolean
  isReversedHere: boolean
}

const audited = (db: Db, terminalId: number) => db.sql<Audited[]>`
  select t.id, t.kind, t.status, t.act, t.amount_minor, t.booked_minor, t.refunded_minor, m.answer->>'code' as code,
    coalesce(s.held_minor + s.taken_minor - s.refunded_minor, 0) as net_minor,
    coalesce(s.refunded_minor, 0) as their_refund_minor, coalesce(s.is_reversed, false) as is_reversed_there,
    exists (select from terminal_reversals r where r.terminal_id = t.terminal_id and r.original_mti = t.mti
      and r.original_stan = t.stan and r.original_sent_at = t.sent_at) as is_reversed_here
  from transactions t left join terminal_messages m on m.transaction_id = t.id
    left join simulated_acquirer s on s.transaction_id = t.id
  where t.terminal_id = ${terminalId} order by t.id`

function wrongWith(row: Audited): string[] {
  const { id, kind, status, code, amountMinor, bookedMinor, refundedMinor, netMinor } = row
  const wrong: string[] = []
  const must = (holds: boolean, what: string) =>
    void (holds || wrong.push(`${kind} ${id} is ${status}, answered ${code}: ${what}`))
  must(row.act === null && status !== 'pending', 'still in doubt')
  must(netMinor === bookedMinor, `the acquirer has ${netMinor}, the row ${bookedMinor}`)
  must(kind === 'stored' || code !== null, 'never answered')
  must(!(row.isReversedThere && row.theirRefundMinor > 0), 'paid back twice')
  must(row.theirRefundMinor === refundedMinor && refundedMinor <= amountMinor, 'another refund')
  const isToldWhatCame = kind === 'purchase' || kind === 'authorisation'
  // The house lets a hold go without a word of the terminal's.
  const isLetGo = kind === 'authorisation' && status === 'cancelled'
  if (row.isReversedHere || isLetGo) must(netMinor === 0 || row.theirRefundMinor > 0, 'reversed, and the money is away')
  else if (isToldWhatCame && code === '00')
    must(netMinor === amountMinor - refundedMinor, `approved, and ${netMinor} is there`)
  else if (isToldWhatCame) must(netMinor === 0, 'not approved, and the money is away')
  return wrong
}

/** What must hold once nothing is in doubt: rows, books and the acquirer's memory are one. */
export async function wrongs(db: Db, terminalId: number): Promise<string[]> {
  const rows = await audited(db, terminalId)
  const { books, acquirer } = await money(db, terminalId)
  const unanswered = await db.sql`select id from terminal_messages where terminal_id = ${terminalId} and answer is null`
  const wrong = rows.flatMap(wrongWith)
  if (books.taken !== acquirer.taken || books.held !== acquirer.held)
    wrong.push(`the books have ${JSON.stringify(books)}, the acquirer ${JSON.stringify(acquirer)}`)
  return [...wrong, ...unanswered.map(({ id }) => `message ${id} is not answered`)]
}

const nameOf = ({ mti, stan }: { mti: string; stan: string }) => `${mti}:${stan}`
const isAlone = ({ rrn, original }: AdviceMessage) => rrn === undefined && original === undefined

/** What a terminal counts by its own messages: what was approved, and twice what it has reversed (docs/protocol.md 7.7). */
export function countedBy(said: readonly { message: TerminalMessage; answer: Answer | null }[]): Figures {
  const figures = { ...noFigures }
  const approved = said.flatMap(({ message, answer }) => (answer?.code === '00' ? [message] : []))
  const reversed = new Map<string, number>()
  const debits = new Map<string, number>()
  const purchases = new Set(approved.flatMap(({ kind, stan }) => (kind === 'purchase' ? [stan] : [])))
  for (const message of approved) {
    // The first counts, whatever a second says of the same.
    if (message.kind === 'reversal' && !reversed.has(nameOf(message.original)))
      reversed.set(nameOf(message.original), message.amountMinor)
    if (message.kind === 'purchase') debits.set(nameOf({ mti: mtis.purchase, stan: message.stan }), message.amountMinor)
    if (message.kind !== 'advice') continue
    if (message.original) debits.set(nameOf(message.original), message.amountMinor)
    else if (isAlone(message) && !purchases.has(message.stan))
      debits.set(nameOf({ mti: mtis.advice, stan: message.stan }), message.amountMinor)
  }
  for (const name of new Set([...debits.keys(), ...reversed.keys()])) {
    const backMinor = reversed.get(name)
    const amountMinor = debits.get(name) ?? (name.startsWith(mtis.authorisation) ? undefined : backMinor)
    if (amountMinor === undefined) continue
    figures.debits += 1
    figures.debitsMinor += amountMinor
    if (backMinor === undefined) continue
    figures.debitsReversed += 1
    figures.debitsReversedMinor += amountMinor
  }
  return figures
}
