import { randomInt } from 'node:crypto'
import * as password from '../../db/identity/password.ts'
import * as outbox from '../../db/messages/outbox.ts'
import type { Log } from '../../db/platform/log.ts'
import { NOTICE_BELL } from '../../db/postgres/channels.ts'
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
}

/**
 * Sends what the outbox holds. Any number of processes may; each letter is one sender's at a time, and the switch
 * that turns the service off is common to all.
 */
export async function startMail({ db, log, smtp }: MailOptions): Promise<{ close(): Promise<void> }> {
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
  const attempt = (letter: outbox.Letter, deliver: Deliver) =>
    deliver(db, log, letter).catch((error: unknown) => log('mail.failed', { noticeId: letter.id, error }))

  const rounds = await startRounds({
    db,
    bell: NOTICE_BELL,
    async round(isClosed) {
      for (;;) {
        const { generation, letters } = await db.transaction((tx) => outbox.claim(tx, CONNECTIONS_MAX, smtp === null))
        if (letters.length === 0 || isClosed()) return
        const deliver = smtp ? send(mailerOf(generation, smtp)) : capture
        await Promise.all(letters.map((letter) => attempt(letter, deliver)))
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

type Deliver = (db: Db, log: Log, letter: outbox.Letter) => Promise<void>

const noAddress = { error: 'no address', isFinal: true, isServers: false }

/** Ends an attempt that failed, and says so; codes only, never an address. */
async function failed(db: Db, log: Log, letter: outbox.Letter, why: outbox.Failure): Promise<void> {
  const { isGivenUp, isSwitchedOff } = await db.transaction((tx) => outbox.fail(tx, letter, why))
  const about = { noticeId: letter.id, kind: letter.kind, attempts: letter.attempts, reason: why.error }
  log(isGivenUp ? 'notice.given_up' : 'notice.postponed', about)
  if (isSwitchedOff) log('mail.switched_off', { reason: why.error, failures: outbox.FAILURES_IN_ROW_MAX })
}

/** One attempt. The password it may bring is made now, stored as a hash before it leaves, and written nowhere else. */
const send =
  ({ send }: Mailer): Deliver =>
  async (db, log, letter) => {
    const { email: recipient } = letter
    if (recipient === null) return failed(db, log, letter, noAddress)
    const fresh = letter.bringsPassword ? await renew(db, letter) : null
    try {
      await send(recipient, write(letter, fresh), letter.id)
    } catch (error) {
      return failed(db, log, letter, failure(error))
    }
    await db.transaction((tx) => outbox.finish(tx, letter, 'sent', { recipient, ...keep(letter, fresh !== null) }))
    log('notice.sent', { noticeId: letter.id, kind: letter.kind })
  }

/** A new password for the letter's person, or null when they have one that another way brought. */
async function renew(db: Db, letter: outbox.Letter): Promise<string | null> {
  const plain = Array.from(
    { length: PASSWORD_CHARACTERS },
    () => PASSWORD_ALPHABET[randomInt(PASSWORD_ALPHABET.length)],
  ).join('')
  const hash = await password.hash(plain)
  return (await db.transaction((tx) => outbox.setPassword(tx, letter, hash))) ? plain : null
}

/** Without a mail server: the letter as it would have gone. No password is made that nobody would get. */
const capture: Deliver = async (db, log, letter) => {
  const { email: recipient } = letter
  if (recipient === null) return failed(db, log, letter, noAddress)
  const kept = { recipient, ...keep(letter, letter.bringsPassword) }
  await db.transaction((tx) => outbox.finish(tx, letter, 'captured', kept))
  log('notice.captured', { noticeId: letter.id, kind: letter.kind })
}
