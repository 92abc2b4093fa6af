import type { Queryable } from './connect.ts'

/** NOTIFY channels. The row is the truth, the bell only wakes (HOUSE 6); never for heartbeats. */
export const COMMAND_BELL = 'voltbay_command'
export const ANSWER_BELL = 'voltbay_answer'
export const EVENT_BELL = 'voltbay_event'
export const NOTICE_BELL = 'voltbay_notice'
/** A notice from outside was stored that nobody waits for. */
export const INBOX_BELL = 'voltbay_inbox'
/** Payload: a station's id. What a gateway knows of it, its keys, has changed. */
export const STATION_BELL = 'voltbay_station'

/** Wakes whoever waits for this command or order, when the transaction commits. */
export async function ring(tx: Queryable, subject: `command ${number}` | `order ${number}`): Promise<void> {
  await tx`select pg_notify(${ANSWER_BELL}, ${subject})`
}

/** Wakes the gateway that holds this cabinet: it looks the keys up again before it believes the next frame. */
export async function ringStation(tx: Queryable, stationId: number): Promise<void> {
  await tx`select pg_notify(${STATION_BELL}, ${String(stationId)})`
}
