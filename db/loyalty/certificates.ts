import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'
import { codeOf } from './loyalty.ts'
import { Refused } from './refused.ts'
import type { certificates } from './schema.ts'
import type { CertificateStatus } from './words.ts'

/** Who sells, takes and cancels certificates (docs/contracts.md 3.3). */
export const staffRoles = ['admin', 'cashier'] as const

export const isStaff = (actor: Actor) => hasRole(actor, ...staffRoles)

type Row = typeof certificates.$inferSelect
const COLUMNS = [
  'id',
  'code',
  'initialAmount',
  'ownerId',
  'message',
  'designTemplate',
  'validFrom',
  'validUntil',
  'usedAt',
  'issuedAt',
] as const satisfies (keyof Row)[]

/** A gift certificate. Amounts in kopecks. */
export interface Certificate extends Pick<Row, (typeof COLUMNS)[number]> {
  /** What nobody has redeemed: initial less all redemptions. It buys something only while `active`. */
  currentAmount: number
  /** As it is now: a certificate whose time is over is `expired`, whether or not the clock has written it down. */
  status: CertificateStatus
  /** Its time is over and that is not written down yet. */
  isLapsed: boolean
}

const isLapsed = (q: Queryable) => q`(c.status = 'active' and c.valid_until <= now())`
const status = (q: Queryable) => q`case when ${isLapsed(q)} then 'expired' else c.status end`

/** The columns of `Certificate`, of a table called `c`. */
export const columns = (q: Queryable) => q`
  ${columnsOf(q, 'c', COLUMNS)}, ${status(q)} as status, ${isLapsed(q)} as is_lapsed, coalesce((
    select r.remaining from certificate_redemptions r where r.certificate_id = c.id order by r.id desc limit 1
  ), c.initial_amount) as current_amount`

/** The certificate of a code, or undefined. The same one statement whatever the code looks like. */
export async function look(q: Queryable, code: string): Promise<Certificate | undefined> {
  const [row] = await q<Certificate[]>`select ${columns(q)} from certificates c where c.code = ${codeOf(code)}`
  return row
}

/**
 * A certificate for its owner or for staff.
 * @throws Refused not_found, not_yours
 */
export async function get(q: Queryable, actor: Actor, id: number): Promise<Certificate> {
  const [row] = await q<Certificate[]>`select ${columns(q)} from certificates c where c.id = ${id}`
  if (!row) throw new Refused('not_found', '', { reason: 'certificate_unknown' })
  if (!isStaff(actor) && row.ownerId !== actor.userId) throw new Refused('not_yours')
  return row
}

/** One page of all certificates, newest first, and how many there are. */
export async function list(
  q: Queryable,
  { status: wanted, ...at }: { status?: CertificateStatus | undefined; limit: number; offset: number },
): Promise<Page<Certificate>> {
  // The stored status too: it has the index, and only `active` can be otherwise in truth.
  const stored = wanted === 'expired' ? ['expired', 'active'] : [wanted ?? '']
  const where = wanted ? q`c.status = any(${stored}::text[]) and ${status(q)} = ${wanted}` : q`true`
  const of = q`certificates c where ${where}`
  return await pageOf(q, of, q`select ${columns(q)} from ${of} order by c.id desc`, at)
}

const dueRowsMax = 500

/** Certificates whose time is over and that are not marked so yet, the oldest first; at most `dueRowsMax`. */
export async function due(q: Queryable): Promise<{ id: number }[]> {
  return await q<{ id: number }[]>`
    select id from certificates where status = 'active' and valid_until <= now() order by valid_until, id limit ${dueRowsMax}`
}
