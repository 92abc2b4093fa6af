import * as ledger from '../ledger/ledger.ts'
import * as holds from '../ledger/ledger-holds.ts'
import type { Tx } from '../postgres/connect.ts'
import type { ChangeOf } from './decide/changes.ts'
import type { KnownTransaction } from './snapshot-loader.ts'

/** The money of a terminal: `balance` was taken there, `held` is held on cards, `house` is the other side of both. */
export const bookOf = (terminalId: number) => ({ owner: { kind: 'terminal', id: terminalId }, unit: 'RUB' }) as const

/**
 * Writes what an act of the acquirer did into the terminal's book. The act's number makes the keys, so each is written
 * once whatever says it again; a hold is known by its transaction.
 */
export async function post(
  tx: Tx,
  { id, kind, terminalId }: KnownTransaction,
  actId: number,
  entries: readonly ChangeOf<'post'>[],
): Promise<void> {
  const said = { ...bookOf(terminalId!), createdBy: null, about: { transaction: id } }
  const hold = `transaction ${id}`
  const move = (entry: string, amount: number) =>
    ledger.post(tx, {
      ...said,
      key: `act ${actId} ${entry}`,
      kind: `terminal.${entry}`,
      entries: { balance: amount, house: -amount },
    })
  for (const { entry, amountMinor } of entries) {
    if (entry === 'take') await move(entry, amountMinor)
    else if (entry === 'hold') {
      await move(entry, amountMinor)
      await holds.hold(tx, { ...said, key: hold, amount: amountMinor })
    } else {
      // What was held is in the balance again, where it stays or from where it goes back. A hold ends once.
      if (kind === 'authorisation') await holds.release(tx, hold, { createdBy: null })
      if (entry === 'give_back') await move(entry, -amountMinor)
    }
  }
}
