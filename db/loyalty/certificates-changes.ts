import { randomBytes } from 'node:crypto'
import type { Idempotency } from '../devices/commands.ts'
import * as ledger from '../ledger/ledger.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { type Certificate, columns, isStaff } from './certificates.ts'
import { codeOf } from './loyalty.ts'
import { Refused } from './refused.ts'

/** Of a certificate nobody gave a date (docs/contracts.md 3.3). */
const validityDaysDefault = 365
/** `CERT-` and 16 hex digits: 64 bits, so that nobody finds one by trying. */
const codeBytes = 8

/** Whose certificate it is to be, and for how much. Amounts in kopecks. */
export interface NewCertificate {
  initialAmount: number
  validUntil: Date | null
  ownerId: number | null
  message: string | null
  designTemplate: string | null
}

/** What a redemption did: said again, the same. Amounts in kopecks. */
export interface Redemption {
  id: number
  certificateId: number
  amount: number
  remaining: number
}

/** A certificate by its number or by its code. */
export type Which = { id: number } | { code: string }

const owner = (id: number) => ({ kind: 'certificate' as const, id })

/** One line of the audit log about a certificate. Never its code: whoever has that can spend it. */
const write = (tx: Tx, actor: Actor | null, id: number, verb: string, values: { old?: object; new?: object }) =>
  audit.record(tx, actor, 'loyalty', {
    action: `certificate.${verb}`,
    entityType: 'certificate',
    entityId: id,
    oldValues: values.old ?? null,
    newValues: values.new ?? null,
  })

/**
 * The certificate, locked until the transaction ends. All that changes one begins here; its ledger book is locked
 * after it, and nothing else that others wait for is.
 */
async function lock(tx: Tx, which: Which): Promise<Certificate> {
  const condition = 'id' in which ? tx`id = ${which.id}` : tx`code = ${codeOf(which.code)}`
  const [found] = await tx<{ id: number }[]>`select id from certificates where ${condition} for no key update`
  if (!found) throw new Refused('not_found', '', { reason: 'certificate_unknown' })
  // Read by a statement of its own: the one that waited for the lock saw the redemptions from before it.
  const [row] = await tx<Certificate[]>`select ${columns(tx)} from certificates c where c.id = ${found.id}`
  return row!
}

/** Somebody who can log in, by any of these; people who were deleted, blocked or not admitted yet cannot own anything. */
async function active(tx: Tx, by: { id: number } | { email: string }): Promise<{ id: number; email: string | null }> {
  const condition = 'id' in by ? tx`id = ${by.id}` : tx`lower(email) = lower(${by.email})`
  const [user] = await tx<{ id: number; email: string | null }[]>`
    select id, email from users where ${condition} and status = 'active' and deleted_at is null`
  if (!user) throw new Refused('not_found', '', { reason: 'email' in by ? 'recipient_unknown' : 'user_unknown' })
  return user
}

/**
 * The certificate that the seller made with this key before, or undefined. Holds the key until the transaction ends, so
 * that two equal requests at once become one after the other.
 */
async function made(tx: Tx, { userId }: Actor, { key, hash }: Idempotency): Promise<Certificate | undefined> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`certificate ${userId} ${key}`}, 0))`
  const [row] = await tx<(Certificate & { requestHash: string })[]>`
    select ${columns(tx)}, c.request_hash from certificates c where c.created_by = ${userId} and c.idempotency_key = ${key}`
  if (!row) return undefined
  const { requestHash, ...certificate } = row
  if (requestHash !== hash) throw new Refused('idempotency_mismatch', 'the key was used for another certificate')
  return certificate
}

/**
 * Sells a certificate: the row, and its money in a book of its own. Said again with the same key it is the first one.
 * @throws Refused not_found (no such owner), invalid (`reason: 'validity_past'`), idempotency_mismatch
 */
export async function create(
  tx: Tx,
  actor: Actor,
  given: NewCertificate,
  idempotency?: Idempotency,
): Promise<Certificate> {
  const first = idempotency && (await made(tx, actor, idempotency))
  if (first) return first
  const { initialAmount, validUntil, ownerId, message, designTemplate } = given
  if (ownerId !== null) await active(tx, { id: ownerId })
  const code = `CERT-${randomBytes(codeBytes).toString('hex').toUpperCase()}`
  const [row] = await tx<Certificate[]>`
    with until as (
      select coalesce(${validUntil}::timestamptz, now() + make_interval(days => ${validityDaysDefault})) as at
    ), c as (
      insert into certificates (code, initial_amount, owner_id, message, design_template, valid_until, created_by,
        idempotency_key, request_hash)
      select ${code}, ${initialAmount}, ${ownerId}, ${message}, ${designTemplate}, at, ${actor.userId},
        ${idempotency?.key ?? null}, ${idempotency?.hash ?? null}
      from until where at > now() returning *
    ) select ${columns(tx)} from c`
  if (!row) throw new Refused('invalid', '', { reason: 'validity_past' })
  await ledger.post(tx, {
    owner: owner(row.id),
    unit: 'RUB',
    key: `certificate:${row.id}:issue`,
    kind: 'certificate.issue',
    entries: { balance: initialAmount, house: -initialAmount },
    createdBy: actor.userId,
  })
  await write(tx, actor, row.id, 'create', { new: { initialAmount, ownerId, validUntil: row.validUntil } })
  return row
}

/** The only way out of `active`, but for the last redemption: what is left goes back to the house. */
async function end(
  tx: Tx,
  actor: Actor | null,
  { id, status }: { id: number; status: string },
  to: 'expired' | 'cancelled',
): Promise<void> {
  await tx`update certificates set status = ${to} where id = ${id}`
  const rest = await ledger.balance(tx, owner(id), 'RUB')
  await ledger.post(tx, {
    owner: owner(id),
    unit: 'RUB',
    key: `certificate:${id}:${to}`,
    kind: `certificate.${to}`,
    entries: { balance: -rest, house: rest },
    createdBy: actor?.userId ?? null,
  })
  const verb = to === 'expired' ? 'expire' : 'cancel'
  await write(tx, actor, id, verb, { old: { status, amount: rest }, new: { status: to } })
}

/** Writes down that a certificate's time is over; of many at once one does. @returns whether this one did */
export async function expire(tx: Tx, id: number): Promise<boolean> {
  const certificate = await lock(tx, { id })
  if (!certificate.isLapsed) return false
  await end(tx, null, { id, status: 'active' }, 'expired')
  return true
}

/** An active certificate as it is; null: its time was over, and that is written down now. */
async function unlessOver(tx: Tx, certificate: Certificate): Promise<Certificate | null> {
  if (certificate.isLapsed) {
    await end(tx, null, { id: certificate.id, status: 'active' }, 'expired')
    return null
  }
  if (certificate.status !== 'active')
    throw new Refused('conflict', '', { reason: `certificate_${certificate.status}` })
  return certificate
}

/**
 * Takes a certificate out of use, for good.
 * @returns null when its time was over already: it is expired then
 * @throws Refused not_found, conflict (not active)
 */
export async function cancel(tx: Tx, actor: Actor, id: number): Promise<Certificate | null> {
  const certificate = await unlessOver(tx, await lock(tx, { id }))
  if (!certificate) return null
  await end(tx, actor, certificate, 'cancelled')
  return { ...certificate, status: 'cancelled' }
}

/**
 * Gives a certificate to somebody else who is registered.
 * @returns the recipient's address; null when the certificate's time was over: it is expired then
 * @throws Refused not_found (`reason` certificate_unknown, recipient_unknown), not_yours (neither owner nor staff),
 *   conflict (not active), invalid (it is the recipient's already)
 */
export async function transfer(
  tx: Tx,
  actor: Actor,
  which: Which,
  { email, message }: { email: string; message: string | null },
): Promise<{ email: string } | null> {
  const locked = await lock(tx, which)
  if (!isStaff(actor) && locked.ownerId !== actor.userId) throw new Refused('not_yours')
  const certificate = await unlessOver(tx, locked)
  if (!certificate) return null
  const { id, ownerId } = certificate
  const recipient = await active(tx, { email })
  if (recipient.id === ownerId) throw new Refused('invalid', '', { reason: 'transfer_to_owner' })
  await tx`update certificates set owner_id = ${recipient.id} where id = ${id}`
  await tx`
    insert into certificate_transfers (certificate_id, from_user_id, to_user_id, message, transferred_by)
    values (${id}, ${ownerId}, ${recipient.id}, ${message}, ${actor.userId})`
  await write(tx, actor, id, 'transfer', { old: { ownerId }, new: { ownerId: recipient.id } })
  return { email: recipient.email! }
}

/** What is asked of a certificate at the cash desk. `cashierId` is what the body said and proves nothing. */
export interface Redeem {
  code: string
  amount: number
  documentId: string | null
  notes: string | null
  cashierId: number | null
}

/**
 * Takes an amount off a certificate; the last kopeck makes it `used`. The same document again changes nothing and
 * gives the first result, whatever became of the certificate since.
 * @returns null when its time was over: it is expired then
 * @throws Refused not_found, idempotency_mismatch (the document took another amount), conflict (not
 *   active), insufficient_funds (`available`, kopecks)
 */
export async function redeem(tx: Tx, actor: Actor, given: Redeem): Promise<Redemption | null> {
  const { amount, documentId, notes, cashierId } = given
  const locked = await lock(tx, { code: given.code })
  const [first] = await tx<Redemption[]>`
    select id, certificate_id, amount, remaining from certificate_redemptions
    where certificate_id = ${locked.id} and onec_document_id = ${documentId}`
  if (first && first.amount !== amount) throw new Refused('idempotency_mismatch', '', { reason: 'document_used' })
  if (first) return first
  const certificate = await unlessOver(tx, locked)
  if (!certificate) return null
  const { id } = certificate
  const { postingId, remaining } = await spend(tx, actor, id, amount)
  const [done] = await tx<Redemption[]>`
    insert into certificate_redemptions
      (certificate_id, amount, remaining, redeemed_by, onec_document_id, notes, posting_id)
    values (${id}, ${amount}, ${remaining}, ${actor.userId}, ${documentId}, ${notes}, ${postingId})
    returning id, certificate_id, amount, remaining`
  if (remaining === 0) await tx`update certificates set status = 'used', used_at = now() where id = ${id}`
  const status = remaining === 0 ? 'used' : 'active'
  await write(tx, actor, id, 'redeem', {
    old: { status: 'active', amount: remaining + amount },
    new: { status, amount: remaining, documentId, cashierId },
  })
  return done!
}

/** The money of one redemption. Its key counts the certificate's redemptions: the row is locked. */
async function spend(tx: Tx, actor: Actor, id: number, amount: number) {
  const [counted] = await tx<{ count: number }[]>`
    select count(*) as count from certificate_redemptions where certificate_id = ${id}`
  const posting = await ledger.post(tx, {
    owner: owner(id),
    unit: 'RUB',
    key: `certificate:${id}:redeem:${counted!.count + 1}`,
    kind: 'certificate.redeem',
    entries: { balance: -amount, house: amount },
    createdBy: actor.userId,
  })
  return { postingId: posting.id, remaining: posting.balances.balance! }
}
