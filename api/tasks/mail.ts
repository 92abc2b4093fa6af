import { randomInt } from 'node:crypto'
import * as password from '../../db/identity/password.ts'
import * as outbox from '../../db/messages/outbox.ts'
import type { Log } from '../../db/platform/log.ts'
import { NOTIFICATION_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { keep, write } from './emails.ts'
import { CONNECTIONS_MAX, failure, type Mailer, mailer, type Smtp } from './mailer.ts'
import { startRounds } from './rounds.ts'

const PASSWORD_CHARACTERS = 12
/** None that is taken for another one when typed from a screen. */
const PASSWORD_ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

export interface MailOptions {
  db: Db
  log: Log
  /** Null: no mail server; letters are written and stay in the outbox as `captured`. */
  smtp: Smtp | null
  /** By whose clocks dates are told. */
  timeZone: string
}

/**
 * Sends what the outbox holds. Any number of processes may; each letter is one sender's at a time, and the switch
 * that turns the service off is common to all.
 */
export async function startMail({ db, log, smtp, timeZone }: MailOptions): Promise<{ close(): Promise<void> }> {
  let dialled: { generation: number; mailer: Mailer } | null = null

  /** The connections of this generation; a reset closes those of the one before. */
  function mailerOf(generation: number, { url, from }: Smtp): Mailer {
    if (dialled?.generation !== generation) {
      dialled?.mailer.close()
      dialled = { generation, mailer: mailer({ url, from }) }
    }
    return dialled.mailer
  }

  /** A failure of ours leaves the letter with this sender until its time is over; then it is due again. */
  const attempt = (email: outbox.Email, deliver: Deliver) =>
    deliver({ db, log, timeZone }, email).catch((error: unknown) =>
      log('mail.failed', { notificationId: email.id, error }),
    )

  const rounds = await startRounds({
    db,
    bell: NOTIFICATION_CHANNEL,
    async round(isClosed) {
      for (;;) {
        const { generation, emails } = await db.transaction((tx) => outbox.claim(tx, CONNECTIONS_MAX, smtp === null))
        if (emails.length === 0 || isClosed()) return
        const deliver = smtp ? send(mailerOf(generation, smtp)) : capture
        await Promise.all(emails.map((email) => attempt(email, deliver)))
      }
    },
    failed: (error) => log('mail.failed', { error }),
  })
  return {
    async close() {
      await rounds.close()
      dialled?.mailer.close()
    },
  }
}

type House = Omit<MailOptions, 'smtp'>
type Deliver = (house: House, email: outbox.Email) => Promise<void>

const noAddress = { error: 'no address', isFinal: true, isServers: false }

/** Ends an attempt that failed, and says so; codes only, never an address. */
async function failed({ db, log }: House, email: outbox.Email, why: outbox.Failure): Promise<void> {
  const { isGivenUp, isSwitchedOff } = await db.transaction((tx) => outbox.fail(tx, email, why))
  const about = { notificationId: email.id, kind: email.kind, attempts: email.attempts, reason: why.error }
  log(isGivenUp ? 'notification.given_up' : 'notification.postponed', about)
  if (isSwitchedOff) log('mail.switched_off', { reason: why.error, failures: outbox.FAILURES_IN_ROW_MAX })
}

/** One attempt. The password it may bring is made now, stored as a hash before it leaves, and written nowhere else. */
const send =
  ({ send }: Mailer): Deliver =>
  async (house, email) => {
    const { db, log, timeZone } = house
    const { email: recipient } = email
    if (recipient === null) return failed(house, email, noAddress)
    const fresh = email.bringsPassword ? await renew(db, email) : null
    try {
      await send(recipient, write(email, fresh, timeZone), email.id)
    } catch (error) {
      return failed(house, email, failure(error))
    }
    const kept = { recipient, ...keep(email, fresh !== null, timeZone) }
    await db.transaction((tx) => outbox.finish(tx, email, 'sent', kept))
    log('notification.sent', { notificationId: email.id, kind: email.kind })
  }

/** A new password for the letter's person, or null when they have one that another way brought. */
async function renew(db: Db, email: outbox.Email): Promise<string | null> {
  const plain = Array.from(
    { length: PASSWORD_CHARACTERS },
    () => PASSWORD_ALPHABET[randomInt(PASSWORD_ALPHABET.length)],
  ).join('')
  const hash = await password.hash(plain)
  return (await db.transaction((tx) => outbox.setPassword(tx, email, hash))) ? plain : null
}

/** Without a mail server: the letter as it would have gone. No password is made that nobody would get. */
const capture: Deliver = async (house, email) => {
  const { db, log, timeZone } = house
  const { email: recipient } = email
  if (recipient === null) return failed(house, email, noAddress)
  const kept = { recipient, ...keep(email, email.bringsPassword, timeZone) }
  await db.transaction((tx) => outbox.finish(tx, email, 'captured', kept))
  log('notification.captured', { notificationId: email.id, kind: email.kind })
}
