import type { Queryable } from './connect.ts'

/** NOTIFY channels. The row is the truth, the bell only wakes (docs/decisions.md "Rows are the truth, NOTIFY is the bell"); never for heartbeats. */
export const COMMAND_CHANNEL = 'voltbay_command'
export const ANSWER_CHANNEL = 'voltbay_answer'
export const EVENT_CHANNEL = 'voltbay_event'
export const NOTIFICATION_CHANNEL = 'voltbay_notice'
/** A webhook event from outside was stored that nobody waits for. */
export const INBOX_CHANNEL = 'voltbay_inbox'
/** The panel of 2GETPRO is to be told something. */
export const PANEL_CHANNEL = 'voltbay_panel'
/** Payload: a device's id. What a gateway knows of it, its keys, has changed. */
export const DEVICE_CHANNEL = 'voltbay_station'

/** Payload: `terminalId:messageId`. What a terminal said has its answer now. */
export const TERMINAL_ANSWER_CHANNEL = 'terminal_answers'

/** Payload: a word of whoever looks whether bells arrive. */
export const ECHO_CHANNEL = 'voltbay_echo'

/** What somebody may wait for. */
export type Subject = `command ${number}` | `order ${number}`

/** Wakes whoever waits for this command or order, when the transaction commits. */
export async function ring(tx: Queryable, subject: Subject): Promise<void> {
  await tx`select pg_notify(${ANSWER_CHANNEL}, ${subject})`
}

/** Wakes the gateway that holds this device: it looks the keys up again before it believes the next frame. */
export async function ringDevice(tx: Queryable, deviceId: number): Promise<void> {
  await tx`select pg_notify(${DEVICE_CHANNEL}, ${String(deviceId)})`
}
