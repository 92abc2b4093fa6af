import * as ledger from '../../db/ledger/ledger.ts'
import { verify } from '../../db/ledger/ledger-verify.ts'
import { bookOf } from '../../db/paygo/books.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { Sale } from '../../simulators/terminal/till.ts'
import type { RefundAsk, TillAt } from './tills.ts'

interface Row {
  id: number
  terminalId: number
  stan: string
  status: string
  amountMinor: number
  bookedMinor: number
  refundedMinor: number
  act: string | null
}

/** What a sale may have come to in the rows, by what it came to for its terminal. */
const statuses: Record<Sale['state'], readonly (string | undefined)[]> = {
  approved: ['completed', 'refunded'],
  held: ['authorised'],
  declined: ['failed', 'cancelled'],
  // One that never arrived is reversed as well.
  reversed: ['cancelled', 'failed', undefined],
  asked: [],
  in_doubt: [],
}

/**
 * All that is not as promised, in words: empty when rows, ledger, acquirer and terminals tell the same. Some of it heals
 * while the house still works; what is left at rest is a broken promise. `isOver`: the terminals have settled.
 */
export async function tillWrongs(
  db: Db,
  tills: readonly TillAt[],
  asks: readonly RefundAsk[],
  { isOver }: { isOver: boolean },
): Promise<string[]> {
  const rows = await db.sql<Row[]>`
    select id, terminal_id, stan, status, amount_minor, booked_minor, refunded_minor, act from transactions order by id`
  const [due] = await db.sql<{ count: number }[]>`select count(*) from acquirer_acts where due_at is not null`
  const open = [
    ...rows
      .filter(({ act, status }) => act !== null || status === 'pending')
      .map((row) => `open: ${JSON.stringify(row)}`),
    ...(due!.count > 0 ? [`${due!.count} acts are due`] : []),
    ...tills.flatMap(({ machine, id }) =>
      machine.waiting > 0 || !machine.online ? [`terminal ${id} waits for ${machine.waiting} answers`] : [],
    ),
  ]
  if (open.length > 0) return open
  const { broken } = await verify(db)
  return [
    ...(broken === null ? [] : [`the ledger: ${broken}`]),
    ...tills.flatMap((till) => soldOtherwise(till, rows)),
    ...refundedOtherwise(rows, asks),
    ...(await Promise.all(tills.map((till) => paidOtherwise(db, till)))).flat(),
    ...(isOver ? tills.flatMap(unsettled) : []),
  ]
}

/** Each sale of a terminal is one transaction or none, and each transaction a sale. */
function soldOtherwise({ id, machine }: TillAt, all: readonly Row[]): string[] {
  const rows = all.filter(({ terminalId }) => terminalId === id)
  const { sales } = machine.till
  const wrong = sales.flatMap((sale) => {
    const mine = rows.filter(({ stan }) => stan === sale.stan)
    // What a terminal approved and the acquirer refuses is for people (docs/protocol.md 7.5, 0220).
    const isRefused = sale.kind === 'advice' && sale.state === 'approved' && mine[0]?.status === 'failed'
    const isTold = mine.length <= 1 && (isRefused || statuses[sale.state].includes(mine[0]?.status))
    const isWhole = sale.state !== 'approved' || mine[0]?.amountMinor === sale.amountMinor
    return isTold && isWhole
      ? []
      : [`terminal ${id} has ${JSON.stringify({ ...sale, card: null })}, we ${JSON.stringify(mine)}`]
  })
  const strange = rows.filter(({ stan }) => !sales.some((sale) => sale.stan === stan))
  return [...wrong, ...strange.map((row) => `terminal ${id} knows nothing of ${JSON.stringify(row)}`)]
}

/** What was refunded is what was asked for and granted, once. */
const refundedOtherwise = (rows: readonly Row[], asks: readonly RefundAsk[]): string[] =>
  rows.flatMap((row) => {
    const ask = asks.find(({ transactionId }) => transactionId === row.id)
    const isGranted = ask !== undefined && ask.status < 400
    return row.refundedMinor === (isGranted ? ask.amountMinor : 0)
      ? []
      : [`refunded ${JSON.stringify(row)}, asked ${JSON.stringify(ask)}`]
  })

/** The terminal's book has what the acquirer has, and what the rows have. */
async function paidOtherwise({ sql }: Db, { id }: TillAt): Promise<string[]> {
  const { owner, unit } = bookOf(id)
  const [taken, held, [theirs]] = await Promise.all([
    ledger.balance(sql, owner, unit),
    ledger.balance(sql, owner, unit, 'held'),
    sql<{ taken: number; held: number; booked: number }[]>`
      select coalesce(sum(a.taken_minor - a.refunded_minor), 0)::bigint as taken,
        coalesce(sum(a.held_minor), 0)::bigint as held, coalesce(sum(t.booked_minor), 0)::bigint as booked
      from transactions t left join simulated_acquirer a on a.transaction_id = t.id where t.terminal_id = ${id}`,
  ])
  const ours = { taken, held }
  const isAlike = theirs!.taken === taken && theirs!.held === held
  return isAlike
    ? []
    : [`terminal ${id}: the books have ${JSON.stringify(ours)}, the acquirer ${JSON.stringify(theirs)}`]
}

/** At the last settlement host and terminal have counted the same. */
function unsettled({ id, machine }: TillAt): string[] {
  const last = machine.journal.entries.findLast(
    (entry) => entry.event === 'did' && (entry.act === 'settled' || entry.act === 'differed'),
  )
  const { totals, hosts } = machine.till
  const isSettled = last?.event === 'did' && last.act === 'settled' && hosts === undefined
  return isSettled ? [] : [`terminal ${id} has ${JSON.stringify(totals)}, the host ${JSON.stringify(hosts)}`]
}
