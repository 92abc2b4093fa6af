import * as audit from '../messages/audit.ts'
import type { Tx } from '../postgres/connect.ts'
import { addPatient, openAccount } from './loyalty.ts'

/** Somebody in a CRM. Phone E.164; null: the CRM does not know. */
export interface Contact {
  bitrixId: string
  email: string | null
  phone: string | null
  fullName: string | null
}

/** What became of a contact. `unreachable`: neither email nor phone, so nobody can be made of it. */
export type Upserted =
  | { kind: 'success'; userId: number }
  | { kind: 'unreachable' }
  | { kind: 'conflict'; reason: 'staff_account' | 'other_contact' | 'email_taken' | 'phone_taken' }

interface Known {
  id: number
  email: string | null
  phone: string | null
  fullName: string
  bitrixContactId: string | null
  hasPassword: boolean
  isStaff: boolean
  /** Has a place on another surface, or (no role yet) waits for one: the CRM does not speak for those. */
  isElsewhere: boolean
  byId: boolean
  byEmail: boolean
  byPhone: boolean
}

/** Who may be meant: by the CRM's id, the email, the phone. Locked by rising id. */
const candidates = (tx: Tx, { bitrixId, email, phone }: Contact) => tx<Known[]>`
  select u.id, u.email, u.phone, u.full_name, u.bitrix_contact_id, u.password_hash is not null as has_password,
    exists (select 1 from user_roles r where r.user_id = u.id
      and (r.surface, r.role) not in (('loyalty', 'patient'), ('powerbank', 'user'), ('paygo', 'user'), ('getpro', 'user'))) as is_staff,
    (select coalesce(bool_or(r.surface <> 'loyalty'), true) from user_roles r where r.user_id = u.id) as is_elsewhere,
    coalesce(u.bitrix_contact_id = ${bitrixId}, false) as by_id,
    coalesce(lower(u.email) = lower(${email}), false) as by_email, coalesce(u.phone = ${phone}, false) as by_phone
  from users u
  where u.deleted_at is null
    and (u.bitrix_contact_id = ${bitrixId} or lower(u.email) = lower(${email}) or u.phone = ${phone})
  order by u.id for no key update`

/**
 * Makes a contact a patient, or brings a patient up to date: found by the stored id, then by email, then by phone
 * (docs/contracts.md 3.6). Staff are never touched, nor does one person get what is another's; nothing is changed then.
 * The email of somebody who has a password stays: it is where a new password would go. Who has a place elsewhere too
 * keeps email and phone: there one logs in by phone, and an administrator's letter brings the first password.
 * @throws Refused duplicate (somebody registered with the same at this very moment: try again)
 */
export async function upsert(tx: Tx, contact: Contact): Promise<Upserted> {
  // One contact after the other: two new ones with one email would both find nobody.
  await tx`select pg_advisory_xact_lock(hashtextextended('contacts.upsert', 0))`
  const known = await candidates(tx, contact)
  const person =
    known.find(({ byId }) => byId) ?? known.find(({ byEmail }) => byEmail) ?? known.find(({ byPhone }) => byPhone)
  if (!person) return await add(tx, contact)
  if (person.isStaff) return { kind: 'conflict', reason: 'staff_account' }
  if (person.bitrixContactId !== null && !person.byId) return { kind: 'conflict', reason: 'other_contact' }
  const others = known.filter(({ id }) => id !== person.id)
  if (others.some(({ byEmail }) => byEmail)) return { kind: 'conflict', reason: 'email_taken' }
  if (others.some(({ byPhone }) => byPhone)) return { kind: 'conflict', reason: 'phone_taken' }
  await change(tx, person, contact)
  return { kind: 'success', userId: person.id }
}

async function add(tx: Tx, { bitrixId, email, phone, fullName }: Contact): Promise<Upserted> {
  const name = fullName ?? email ?? phone
  if (name === null || (email === null && phone === null)) return { kind: 'unreachable' }
  const userId = await addPatient(tx, null, { email, phone, fullName: name, passwordHash: null })
  await tx`update users set bitrix_contact_id = ${bitrixId} where id = ${userId}`
  return { kind: 'success', userId }
}

async function change(tx: Tx, person: Known, contact: Contact): Promise<void> {
  const before = {
    email: person.email,
    phone: person.phone,
    fullName: person.fullName,
    bitrixContactId: person.bitrixContactId,
  }
  const keepsEmail =
    person.email !== null && (person.hasPassword || person.isElsewhere || contact.email === null || person.byEmail)
  const keepsPhone = person.phone !== null && person.isElsewhere
  const after = {
    email: keepsEmail ? person.email : contact.email,
    phone: keepsPhone ? person.phone : (contact.phone ?? person.phone),
    fullName: contact.fullName ?? person.fullName,
    bitrixContactId: contact.bitrixId,
  }
  await openAccount(tx, person.id)
  if (JSON.stringify(before) === JSON.stringify(after)) return
  await tx`
    update users set email = ${after.email}, phone = ${after.phone}, full_name = ${after.fullName},
      bitrix_contact_id = ${after.bitrixContactId}, updated_at = now()
    where id = ${person.id}`
  await audit.record(tx, null, 'loyalty', {
    action: 'user.update',
    entityType: 'user',
    entityId: person.id,
    oldValues: before,
    newValues: after,
    description: 'Bitrix24',
  })
}
