import type { Queryable, Tx } from '../postgres/connect.ts'
import type { NotificationData, NotificationKind } from './notifications.ts'
import * as outbox from './outbox.ts'

/** A chat takes about one message a second. */
const CHAT_PAUSE_SECONDS = 1

/** A message to somebody at Telegram, whose sender has it for the present. */
export interface Message {
  id: number
  kind: NotificationKind
  data: NotificationData[NotificationKind]
  languageCode: string | null
  /** This one counted. */
  attempts: number
  /** Whom it is for on its surface. */
  ownerId: number
  /** The chat. */
  recipient: string
}

/** Takes messages that are due, each for one sender only; of a chat only the oldest, so that they come in their order. */
export async function claim(tx: Tx, limit: number): Promise<Message[]> {
  await outbox.bury(tx, 'telegram')
  return await tx<Message[]>`
    update notifications set status = 'sending', attempts = attempts + 1,
      due_at = now() + make_interval(secs => ${outbox.LEASE_SECONDS})
    where id in (
      select m.id from notifications m
      where m.channel = 'telegram' and m.status in ('queued', 'sending') and m.due_at <= now() and not exists (
        select from notifications o
        where o.channel = 'telegram' and o.recipient = m.recipient and o.status in ('queued', 'sending') and o.id < m.id)
      order by m.due_at, m.id limit ${limit} for update skip locked)
    returning id, kind, data, language_code, attempts, owner_id, recipient`
}

const held = (q: Queryable, { id, attempts }: Message) =>
  q`id = ${id} and status = 'sending' and attempts = ${attempts}`

/** It was sent (or, `captured`, it would have been); the next one to that chat waits a moment. */
export async function finish(
  tx: Tx,
  message: Message,
  status: 'sent' | 'captured',
  { title, body }: { title: string; body: string },
): Promise<void> {
  await tx`
    update notifications set status = ${status}, title = ${title}, body = ${body}, sent_at = now(), last_error = null
    where ${held(tx, message)}`
  if (status === 'captured') return
  await tx`
    update notifications set due_at = greatest(due_at, now() + make_interval(secs => ${CHAT_PAUSE_SECONDS}))
    where channel = 'telegram' and recipient = ${message.recipient} and status = 'queued'`
}

/** Telegram said when to come again; that is no attempt. */
export async function postpone(tx: Tx, message: Message, seconds: number, why: string): Promise<void> {
  await tx`
    update notifications set status = 'queued', attempts = attempts - 1, last_error = ${why},
      due_at = now() + make_interval(secs => ${seconds})
    where ${held(tx, message)}`
}

/** It did not go out: later again, or never. @returns whether it is given up */
export async function fail(tx: Tx, message: Message, why: string, isFinal: boolean): Promise<boolean> {
  const isGivenUp = isFinal || message.attempts >= outbox.ATTEMPTS_MAX
  await tx`
    update notifications set status = ${isGivenUp ? 'failed' : 'queued'}, last_error = ${why},
      due_at = now() + make_interval(secs => ${outbox.pauseSeconds(message.attempts)})
    where ${held(tx, message)}`
  return isGivenUp
}

/** Nothing that waits for this chat will ever be taken there. */
export async function dropChat(tx: Tx, { recipient }: Message, why: string): Promise<void> {
  await tx`
    update notifications set status = 'failed', last_error = ${why}
    where channel = 'telegram' and recipient = ${recipient} and status in ('queued', 'sending')`
}
