import type { Actor } from '../platform/actor.ts'
import { NOTIFICATION_CHANNEL } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as audit from './audit.ts'
import * as events from './events.ts'
import type { NotificationData, NotificationKind } from './notifications.ts'
import type { mailService } from './schema.ts'

/** A sender that died had it until then; longer than one attempt can last. */
export const LEASE_SECONDS = 120
export const ATTEMPTS_MAX = 6
/** 30 s, 2 min, 8 min, 32 min, 2 h. */
const BACKOFF_SECONDS = 30
const BACKOFF_FACTOR = 4
/** So many failures of the mail server without one success, and nobody dials it any more. */
export const FAILURES_IN_ROW_MAX = 5
/** What lay longer is nobody's news: a reset leaves it. */
const REQUEUE_DAYS = 30
const errorCharactersMax = 500

/** How long after so many attempts it is tried again. */
export const pauseSeconds = (attempts: number): number => BACKOFF_SECONDS * BACKOFF_FACTOR ** (attempts - 1)

/** What was tried often enough, by a sender that died, is given up. */
export async function bury(tx: Tx, channel: 'email' | 'telegram'): Promise<void> {
  await tx`
    update notifications set status = 'failed', last_error = 'the sender died'
    where channel = ${channel} and status = 'sending' and due_at <= now() and attempts >= ${ATTEMPTS_MAX}`
}

/** A notification whose sender has it for the present. */
export type Email = {
  [K in NotificationKind]: {
    id: number
    kind: K
    data: NotificationData[K]
    bringsPassword: boolean
    /** In whose words; null: Russian. */
    languageCode: string | null
    /** This one counted. */
    attempts: number
    /** Null: somebody without a login. */
    userId: number | null
    /** Null: none, or the account was deleted. */
    email: string | null
    fullName: string | null
    phone: string | null
  }
}[NotificationKind]

/**
 * Takes letters that are due, each for one sender only. None while the service is switched off, unless it
 * `isCapturing`: then no mail server is asked.
 */
export async function claim(
  tx: Tx,
  limit: number,
  isCapturing: boolean,
): Promise<{ generation: number; emails: Email[] }> {
  const [service] = await tx<{ isEnabled: boolean; generation: number }[]>`
    select is_enabled, generation from mail_service`
  const { isEnabled, generation } = service!
  if (!isEnabled && !isCapturing) return { generation, emails: [] }
  await bury(tx, 'email')
  const emails = await tx<Email[]>`
    with due as (
      select m.id, u.full_name, u.phone, case when u.deleted_at is null then u.email end as email
      from notifications m left join users u on u.id = m.user_id
      where m.channel = 'email' and m.status in ('queued', 'sending') and m.due_at <= now()
      order by m.due_at, m.id limit ${limit} for update of m skip locked)
    update notifications n set status = 'sending', attempts = attempts + 1,
      due_at = now() + make_interval(secs => ${LEASE_SECONDS})
    from due where n.id = due.id
    returning n.id, n.kind, n.data, n.language_code, n.brings_password, n.attempts, n.user_id, due.full_name, due.phone,
      case when n.owner_id is null then due.email else n.recipient end as email`
  return { generation, emails }
}

/** Still this sender's: its time is not over, and nobody else took it. */
const held = (q: Queryable, { id, attempts }: Email) => q`id = ${id} and status = 'sending' and attempts = ${attempts}`

/**
 * Gives the letter's person the password that is about to be sent. False: the account has one already that this
 * letter did not bring; that one stays.
 */
export async function setPassword(tx: Tx, email: Email, hash: string): Promise<boolean> {
  const [mine] = await tx<{ passwordHash: string | null }[]>`
    select password_hash from notifications where ${held(tx, email)} for update`
  if (!mine) return false
  const set = await tx`
    update users set password_hash = ${hash}, updated_at = now()
    where id = ${email.userId} and deleted_at is null and password_hash is not distinct from ${mine.passwordHash}`
  if (set.count === 0) return false
  await tx`update notifications set password_hash = ${hash} where id = ${email.id}`
  return true
}

/** As it was written, for whoever looks later. `body` without the password. */
export interface Written {
  recipient: string
  title: string
  body: string
}

/** It went out (or, `captured`, it would have). A success ends the row of failures. */
export async function finish(
  tx: Tx,
  email: Email,
  status: 'sent' | 'captured',
  { recipient, title, body }: Written,
): Promise<void> {
  await tx`
    update notifications set status = ${status}, recipient = ${recipient}, title = ${title}, body = ${body},
      sent_at = now(), last_error = null, password_hash = null
    where ${held(tx, email)}`
  if (status === 'sent') await tx`update mail_service set failures_in_row = 0 where failures_in_row > 0`
}

/** What went wrong: with this letter only (no such address), or with the mail server. */
export interface Failure {
  error: string
  /** Trying again is no use. */
  isFinal: boolean
  isServers: boolean
}

export interface Failed {
  isGivenUp: boolean
  /** This failure switched the service off. */
  isSwitchedOff: boolean
}

/** It did not go out: later again, or never. Enough failures of the server switch the service off. */
export async function fail(tx: Tx, email: Email, { error, isFinal, isServers }: Failure): Promise<Failed> {
  const isGivenUp = isFinal || email.attempts >= ATTEMPTS_MAX
  const why = error.slice(0, errorCharactersMax)
  await tx`
    update notifications set status = ${isGivenUp ? 'failed' : 'queued'}, last_error = ${why},
      due_at = now() + make_interval(secs => ${pauseSeconds(email.attempts)})
    where ${held(tx, email)}`
  if (!isServers) return { isGivenUp, isSwitchedOff: false }
  const [service] = await tx<{ failuresInRow: number }[]>`
    update mail_service set failures_in_row = failures_in_row + 1, last_error = ${why} returning failures_in_row`
  const off = await tx`
    update mail_service set is_enabled = false, switched_off_at = now()
    where is_enabled and ${service!.failuresInRow} >= ${FAILURES_IN_ROW_MAX}::int`
  const isSwitchedOff = off.count > 0
  if (isSwitchedOff) await events.record(tx, 'mail.switched_off', { data: { error: why } })
  return { isGivenUp, isSwitchedOff }
}

/** The mail service as an admin sees it. */
export type MailState = Pick<
  typeof mailService.$inferSelect,
  'isEnabled' | 'failuresInRow' | 'lastError' | 'switchedOffAt'
> & {
  queued: number
  failed: number
  captured: number
}

export async function state(q: Queryable): Promise<MailState> {
  const [row] = await q<MailState[]>`
    select is_enabled, failures_in_row, last_error, switched_off_at,
      (select count(*) from notifications where channel = 'email' and status in ('queued', 'sending')) as queued,
      (select count(*) from notifications where channel = 'email' and status = 'failed') as failed,
      (select count(*) from notifications where channel = 'email' and status = 'captured') as captured
    from mail_service`
  return row!
}

/**
 * Switches the service on again: every sender dials anew, what waits or failed goes out at once. With
 * `hasServer`, so do the captured letters that bring somebody's only password.
 * @returns how many letters were queued anew
 */
export async function reset(tx: Tx, actor: Actor, hasServer: boolean): Promise<number> {
  const [before] = await tx<{ isEnabled: boolean; failuresInRow: number }[]>`
    select is_enabled, failures_in_row from mail_service for update`
  await tx`
    update mail_service set is_enabled = true, failures_in_row = 0, last_error = null, switched_off_at = null,
      generation = generation + 1`
  const requeued = await tx`
    update notifications set status = 'queued', attempts = 0, due_at = now(), last_error = null
    where channel = 'email' and created_at > now() - make_interval(days => ${REQUEUE_DAYS})
      and (status in ('queued', 'failed') or (status = 'captured' and brings_password and ${hasServer}))`
  await tx`select pg_notify(${NOTIFICATION_CHANNEL}, '')`
  await audit.record(tx, actor, 'powerbank', {
    action: 'mail.reset',
    entityType: 'mail',
    entityId: 1,
    oldValues: before!,
    newValues: { isEnabled: true, requeued: requeued.count },
  })
  return requeued.count
}
