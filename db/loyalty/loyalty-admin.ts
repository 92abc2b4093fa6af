import { type Role, roles } from '../identity/words.ts'
import type { auditLog as auditTable } from '../messages/schema.ts'
import type { Queryable } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'
import { type Member, memberColumns } from './loyalty.ts'

/** A page of a list. */
export interface Rows {
  limit: number
  offset: number
}

/** The programme at a glance (docs/contracts.md 3.5). Amounts in hundredths. */
export interface Dashboard {
  totalUsers: number
  activeCertificates: number
  totalCertificatesValue: number
  totalLoyaltyPoints: number
  totalLoyaltyCashback: number
  activeReferralCodes: number
  todayTransactions: number
}

/** Who takes part: people of other surfaces who never came here are nobody's business here. */
const isMember = (q: Queryable) => q`u.deleted_at is null and (
  exists (select 1 from loyalty_accounts a where a.user_id = u.id)
  or exists (select 1 from user_roles r where r.user_id = u.id and r.surface = 'loyalty'))`

/** Seven figures of one moment. The day is that of `timeZone`. */
export async function dashboard(q: Queryable, timeZone: string): Promise<Dashboard> {
  const held = (unit: string) => q`(select coalesce(sum(l.balance), 0)::bigint
    from ledger_books b join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
    where b.owner_kind = 'user' and b.unit = ${unit})`
  const [row] = await q<Dashboard[]>`
    with active as materialized (select id from certificates where status = 'active' and valid_until > now())
    select (select count(*) from users u where u.status = 'active' and ${isMember(q)}) as total_users,
      (select count(*) from active) as active_certificates,
      (select coalesce(sum(l.balance), 0)::bigint
        from active c join ledger_books b on b.owner_kind = 'certificate' and b.owner_id = c.id and b.unit = 'RUB'
          join ledger_accounts l on l.book_id = b.id and l.name = 'balance') as total_certificates_value,
      ${held('points')} as total_loyalty_points, ${held('cashback')} as total_loyalty_cashback,
      (select count(*) from referral_codes where is_active and (expires_at is null or expires_at > now()))
        as active_referral_codes,
      (select count(*) from loyalty_transactions
        where created_at >= date_trunc('day', now(), ${timeZone})) as today_transactions`
  return row!
}

/** Members whose weightiest role is this one; without any row, `patient`. */
function weighing(q: Queryable, role: Role<'loyalty'>) {
  const have = (names: readonly string[]) => q`exists (
    select 1 from user_roles r where r.user_id = u.id and r.surface = 'loyalty' and r.role = any(${[...names]}::text[]))`
  const heavier = roles.loyalty.slice(0, roles.loyalty.indexOf(role))
  return role === 'patient' ? q`not ${have(heavier)}` : q`${have([role])} and not ${have(heavier)}`
}

/** One page of the members, newest first, and how many there are. */
export async function members(
  q: Queryable,
  { role, ...at }: { role?: Role<'loyalty'> | undefined } & Rows,
): Promise<Page<Member>> {
  const of = q`users u where ${isMember(q)} ${role ? q`and ${weighing(q, role)}` : q``}`
  return await pageOf(q, of, q`select ${memberColumns(q)} from ${of} order by u.id desc`, at)
}

const ENTRY = [
  'id',
  'userId',
  'surface',
  'action',
  'entityType',
  'entityId',
  'oldValues',
  'newValues',
  'description',
  'createdAt',
] as const satisfies (keyof typeof auditTable.$inferSelect)[]

/** One change that was written down (db/messages/audit.ts). */
export type AuditEntry = Pick<typeof auditTable.$inferSelect, (typeof ENTRY)[number]>

export interface AuditFilter extends Rows {
  /** Whose eyes: rows of a surface are for those who are at its head. */
  readerId: number
  entityType?: string | undefined
  action?: string | undefined
  userId?: number | undefined
}

/** One page of what was changed, newest first, and how much there is. */
export async function auditLog(
  q: Queryable,
  { readerId, entityType, action, userId, ...at }: AuditFilter,
): Promise<Page<AuditEntry>> {
  const of = q`audit_log l where l.surface in (
      select r.surface from user_roles r where r.user_id = ${readerId} and (r.surface, r.role) in (
        ('loyalty', 'admin'), ('powerbank', 'service_admin'), ('telecom', 'admin'), ('paygo', 'admin'), ('getpro', 'admin')))
    ${entityType === undefined ? q`` : q`and l.entity_type = ${entityType}`}
    ${action === undefined ? q`` : q`and l.action = ${action}`}
    ${userId === undefined ? q`` : q`and l.user_id = ${userId}`}`
  return await pageOf(q, of, q`select ${columnsOf(q, 'l', ENTRY)} from ${of} order by l.id desc`, at)
}
