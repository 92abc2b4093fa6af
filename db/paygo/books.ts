import * as ledger from '../ledger/ledger.ts'
import * as holds from '../ledger/ledger-holds.ts'
import { postAll } from '../ledger/ledger-set.ts'
import type { Tx } from '../postgres/connect.ts'
import type { ChangeOf } from './decide/changes.ts'
import type { KnownTransaction } from './snapshot-loader.ts'

/** The money of a terminal: `balance` was taken there, `held` is held on cards, `house` is the other side of both. */
export const bookOf = (terminalId: number) => ({ owner: { kind: 'terminal', id: terminalId }, unit: 'RUB' }) as const

/** What an act of the acquirer did. */
export interface Posted {
  transaction: KnownTransaction
  actId: number
  entries: readonly ChangeOf<'post'>[]
}

const said = ({ id, terminalId }: KnownTransaction) =>
  ({ ...bookOf(terminalId!), createdBy: null, about: { transaction: id } }) as const

/** Money that is taken, or goes back. */
const posting = ({ transaction, actId }: Posted, entry: string, amount: number): ledger.NewPosting => ({
  ...said(transaction),
  key: `act ${actId} ${entry}`,
  kind: `terminal.${entry}`,
  entries: { balance: amount, house: -amount },
})

const postingsOf = (posted: Posted) =>
  posted.entries.map(({ entry, amountMinor }) =>
    posting(posted, entry, entry === 'give_back' ? -amountMinor : amountMinor),
  )

/** Of what was held: a hold is known by its transaction. */
async function postHeld(tx: Tx, posted: Posted): Promise<void> {
  const { transaction, entries } = posted
  const key = `transaction ${transaction.id}`
  for (const { entry, amountMinor: amount } of entries) {
    if (entry === 'hold') {
      await ledger.post(tx, posting(posted, entry, amount))
      await holds.hold(tx, { ...said(transaction), key, amount })
      continue
    }
    // What was held is in the balance again, where it stays or from where it goes back. A hold ends once.
    await holds.release(tx, key, { createdBy: null })
    if (entry === 'give_back') await ledger.post(tx, posting(posted, entry, -amount))
  }
}

/**
 * Writes what acts of the acquirer did into the books of their terminals. An act's number makes the keys, so each is written
 * once whatever says it again.
 */
export async function post(tx: Tx, all: readonly Posted[]): Promise<void> {
  const [held, plain] = [true, false].map((isHeld) =>
    all.filter(({ transaction: { kind } }) => (kind === 'authorisation') === isHeld),
  ) as [Posted[], Posted[]]
  if (held.length > 0)
    await ledger.lock(
      tx,
      all.map(({ transaction }) => bookOf(transaction.terminalId!)),
    )
  await postAll(tx, plain.flatMap(postingsOf))
  for (const one of held) await postHeld(tx, one)
}
