import { record } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'
import { Refused } from './refused.ts'
import { hold } from './terminal-sessions.ts'
import type { TransactionStatus } from './words.ts'

/** What came of a payment, as a terminal has it. */
export interface Reported {
  transactionId: number
  status: TransactionStatus
}

/**
 * A terminal says what a payment of its own came to for it. Money is moved by what the acquirer and the wire say and never
 * by this: where the two differ for good, somebody has to look, once for each thing it says.
 * @returns how it stands with us
 * @throws Refused not_found: nothing of this terminal's
 */
export async function reported(
  tx: Tx,
  terminalId: number,
  { transactionId, status: said }: Reported,
): Promise<TransactionStatus> {
  await hold(tx, terminalId)
  const [known] = await tx<{ status: TransactionStatus; userId: number | null }[]>`
    select status, user_id from transactions where id = ${transactionId} and terminal_id = ${terminalId}`
  if (!known) throw new Refused('not_found', '', { reason: 'transaction_unknown' })
  const { status, userId } = known
  // What is not settled yet is told when it is.
  if (status === said || status === 'pending' || status === 'authorised') return status
  const what = `a terminal has as ${said} what is ${status}`
  const noted = await tx`
    insert into payment_exceptions (terminal_id, transaction_id, what)
    select ${terminalId}, ${transactionId}, ${what}
    where not exists (select 1 from payment_exceptions where transaction_id = ${transactionId} and what = ${what})`
  if (noted.count > 0) await record(tx, 'transaction.exception', { userId, data: { terminalId, transactionId, what } })
  return status
}
