import type { Queryable } from './connect.ts'

/** NOTIFY channels. The row is the truth, the bell only wakes (HOUSE 6); never for heartbeats. */
export const COMMAND_BELL = 'voltbay_command'
export const ANSWER_BELL = 'voltbay_answer'
export const EVENT_BELL = 'voltbay_event'

/** Wakes whoever waits for this command or order, when the transaction commits. */
export async function ring(tx: Queryable, subject: `command ${number}` | `order ${number}`): Promise<void> {
  await tx`select pg_notify(${ANSWER_BELL}, ${subject})`
}
