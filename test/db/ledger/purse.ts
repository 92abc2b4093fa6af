import * as ledger from '../../../db/ledger/ledger.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { act, next } from '../world.ts'

/** Somebody's points, for tests of the ledger: an owner that nobody else has, and what is done to it. */
export function purse(db: Db, unit: ledger.Unit = 'points') {
  const owner: ledger.Owner = { kind: 'user', id: next() }
  /** What moves `amount` from the house to the balance, under a key of its own. */
  const moving = (amount: number, change: Partial<ledger.NewPosting> = {}): ledger.NewPosting => ({
    ...{ owner, unit, key: `key ${next()}`, kind: 'test', createdBy: null },
    entries: { balance: amount, house: -amount },
    ...change,
  })
  return {
    owner,
    unit,
    moving,
    /** Posts it without a second attempt: a deadlock is an error here. */
    move: (amount: number, change: Partial<ledger.NewPosting> = {}) =>
      act(db, (tx) => ledger.post(tx, moving(amount, change))),
    balance: (account?: ledger.AccountName) => ledger.balance(db.sql, owner, unit, account),
  }
}
