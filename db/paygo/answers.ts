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
 * Answers the messages that began transactions, and rings once for whoever waits for any of them, in whichever process that is.
 * The first answer to each is the only one.
 */
export async function answer(
  tx: Tx,
  said: readonly { transactionId: number; answer: Answered['answer'] }[],
): Promise<(Answered & { transactionId: number })[]> {
  const rows = await tx<(Answered & { transactionId: number })[]>`
    with answered as (
      update terminal_messages m set answer = i.answer, answered_at = now()
      from jsonb_to_recordset(${tx.json(said)}) as i ("transactionId" bigint, answer jsonb)
      where m.transaction_id = i."transactionId" and m.answer is null
      returning m.id, m.terminal_id, m.transaction_id, m.answer),
    rung as (select pg_notify(${TERMINAL_ANSWER_CHANNEL}, string_agg(terminal_id || ':' || id, ',')) as bell from answered)
    select id as message_id, terminal_id, transaction_id, answer, (select bell::text from rung) as bell from answered`
  return rows.map(({ transactionId, terminalId, messageId, answer }) => ({
    transactionId,
    terminalId,
    messageId,
    answer,
  }))
}

/** What such a bell says: the terminals that are answered, and their messages. */
export const rungFor = (payload: string) =>
  payload.split(',').map((one) => {
    const [terminalId = 0, messageId = 0] = one.split(':').map(Number)
    return { terminalId, messageId }
  })

/** Which of these messages have been answered, and what. */
export const answersOf = (q: Queryable, messageIds: readonly number[]) => q<Answered[]>`
  select terminal_id, id as message_id, answer from terminal_messages
  where id = any(${[...messageIds]}::bigint[]) and answer is not null order by id`
