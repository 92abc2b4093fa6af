import { setTimeout as pause } from 'node:timers/promises'
import * as notices from '../../db/getpro/notices.ts'
import * as outbox from '../../db/messages/telegram-outbox.ts'
import type { Log } from '../../db/platform/log.ts'
import { NOTIFICATION_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { Reply } from '../providers/call.ts'
import type { TelegramApi } from '../providers/telegram-api.ts'
import { getproText, isGetpro } from './getpro-texts.ts'
import { startRounds } from './rounds.ts'

/** Telegram takes about 30 messages a second of a bot. */
const MESSAGES_AT_ONCE = 25
const BATCH_MS = 1_000
const msPerSecond = 1_000

export interface TelegramOptions {
  db: Db
  log: Log
  /** Null: no bot; messages are written and stay in the outbox as `captured`. */
  telegram: TelegramApi | null
  /** By whose clocks dates are told. */
  timeZone: string
}

/** Whoever has blocked the bot, has never begun with it, or is gone. */
const isBlocked = (reply: Reply<unknown>) =>
  reply.kind === 'refused' && (reply.status === 403 || /chat not found|user is deactivated/i.test(reply.why))
/** A wrong token is no message's fault. */
const isFinal = (reply: Reply<unknown>) => reply.kind === 'refused' && reply.status !== 401 && reply.status !== 404

/** One attempt each. @param pause hears for how many seconds Telegram wants to be left alone */
function sender({ db, log, telegram, timeZone }: TelegramOptions, pause: (seconds: number) => void) {
  async function refused(message: outbox.Message, reply: Exclude<Reply<unknown>, { kind: 'done' }>): Promise<void> {
    const about = { notificationId: message.id, kind: message.kind, attempts: message.attempts, reason: reply.why }
    if (reply.kind === 'later') {
      pause(reply.seconds)
      await db.transaction((tx) => outbox.postpone(tx, message, reply.seconds, reply.why))
      return log('notification.postponed', about)
    }
    const isGivenUp = await db.transaction(async (tx) => {
      if (!isBlocked(reply)) return await outbox.fail(tx, message, reply.why, isFinal(reply))
      await notices.block(tx, message.ownerId)
      await outbox.dropChat(tx, message, reply.why)
      return true
    })
    log(isGivenUp ? 'notification.given_up' : 'notification.postponed', about)
  }

  return async (message: outbox.Message): Promise<void> => {
    const { kind, data, languageCode } = message
    if (!isGetpro(kind)) throw new Error(`${kind} is not told by Telegram`)
    // Each kind has its own data; the compiler cannot follow that through a union.
    const text = getproText({ kind, data: data as never, languageCode }, timeZone)
    const reply = telegram && (await telegram.send(Number(message.recipient), text))
    if (reply && reply.kind !== 'done') return await refused(message, reply)
    const status = reply ? 'sent' : 'captured'
    await db.transaction((tx) => outbox.finish(tx, message, status, text))
    log(`notification.${status}`, { notificationId: message.id, kind })
  }
}

/**
 * Sends what waits for people at Telegram. Any number of processes may; each message is one sender's at a time, and a chat hears its
 * own in their order. At least once: a message is told again only when nobody knows whether it arrived (docs/providers.md 5).
 */
export async function startTelegram(options: TelegramOptions): Promise<{ close(): Promise<void> }> {
  const { db, log } = options
  /** Telegram wants to be left alone until then, by this process at least. */
  let pausedUntil = 0
  const send = sender(options, (seconds) => {
    pausedUntil = Math.max(pausedUntil, Date.now() + seconds * msPerSecond)
  })
  const closing = new AbortController()
  const rest = async () => {
    const ms = pausedUntil - Date.now()
    if (ms > 0) await pause(ms, undefined, { signal: closing.signal }).catch(() => undefined)
  }

  const rounds = await startRounds({
    db,
    bell: NOTIFICATION_CHANNEL,
    async round(isClosed) {
      for (;;) {
        await rest()
        const began = Date.now()
        const messages = isClosed() ? [] : await db.transaction((tx) => outbox.claim(tx, MESSAGES_AT_ONCE))
        if (messages.length === 0) return
        // A failure of ours leaves the message with this sender until its time is over; then it is due again.
        const failed = (id: number) => (error: unknown) => log('telegram.failed', { notificationId: id, error })
        await Promise.all(messages.map((message) => send(message).catch(failed(message.id))))
        if (messages.length === MESSAGES_AT_ONCE) pausedUntil = Math.max(pausedUntil, began + BATCH_MS)
      }
    },
    failed: (error) => log('telegram.failed', { error }),
  })
  return {
    async close() {
      closing.abort()
      await rounds.close()
    },
  }
}
