import { TERMINAL_ANSWER_CHANNEL } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import type { Answer, Figures } from './decide/snapshot.ts'

/** What a message of a terminal was answered. */
export interface Answered {
  terminalId: number
  messageId: number
  answer: Answer & { figures?: Figures }
}

/**
 * Answers the message that began a transaction, and rings for whoever waits for it, in whichever process that is. The first
 * answer is the only one.
 */
export async function answer(tx: Tx, transactionId: number, said: Answered['answer']): Promise<Answered[]> {
  const rows = await tx<Omit<Answered, 'answer'>[]>`
    with answered as (
      update terminal_messages set answer = ${tx.json(said)}, answered_at = now()
      where transaction_id = ${transactionId} and answer is null returning id, terminal_id)
    select id as message_id, terminal_id, pg_notify(${TERMINAL_ANSWER_CHANNEL}, terminal_id || ':' || id) from answered`
  return rows.map(({ terminalId, messageId }) => ({ terminalId, messageId, answer: said }))
}

/** Which of these messages have been answered, and what. */
export const answersOf = (q: Queryable, messageIds: readonly number[]) => q<Answered[]>`
  select terminal_id, id as message_id, answer from terminal_messages
  where id = any(${[...messageIds]}::bigint[]) and answer is not null order by id`
