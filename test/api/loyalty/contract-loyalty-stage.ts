import * as identity from '../../../db/identity/identity.ts'
import type { startApiServer } from '../server.ts'

type House = Awaited<ReturnType<typeof startApiServer>>
export type Stage = Awaited<ReturnType<typeof stage>>

const documented = { email: 'user@example.com', phone: '+79991234567', friend: 'friend@example.com' }
const codes = { certificate: 'CERT-A1B2C3D4E5F6G7H8', referral: 'REF-ABC12345' }
let people = 79_770_000_000

/**
 * A world in which the document's examples make sense: an admin, a cashier, a patient with points, a certificate and a
 * referral code of the documented names, and nobody who bears the names the examples are about to give.
 */
export async function stage({ db, call }: Pick<House, 'db' | 'call'>) {
  const { sql } = db
  await sql`
    update users set deleted_at = now(), external_id = null
    where deleted_at is null and (lower(email) in (${documented.email}, ${documented.friend})
      or phone = ${documented.phone} or external_id = '1C-PATIENT-001')`
  // The names of an earlier stage: they are unique for ever.
  await sql`update certificates set code = code || ' ' || id where code = ${codes.certificate}`
  await sql`update referral_codes set code = code || ' ' || id, is_active = false where code = ${codes.referral}`
  await sql`update loyalty_transactions set idempotency_key = idempotency_key || ' ' || id
    where idempotency_key like '%unique-key%'`
  await sql`update referral_events set onec_document_id = onec_document_id || ' ' || id`
  await sql`update inbox set dedup_key = dedup_key || ' ' || id where dedup_key in ('DOC-12345', 'contact 123')`

  async function member(role: string | null, email?: string) {
    const phone = `+${++people}`
    const given = {
      email: email ?? `c${people}@example.com`,
      full_name: 'Иванов Иван',
      phone,
      password: 'secure_password',
    }
    const { body } = await call('POST', '/api/auth/register', { body: given })
    if (role) await db.transaction((tx) => identity.grant(tx, body.user.id, { surface: 'loyalty', role }))
    const [account] = await sql<{ id: number }[]>`select id from loyalty_accounts where user_id = ${body.user.id}`
    const { access_token: token, refresh_token: refreshToken, user } = body
    return {
      id: user.id as number,
      token: token as string,
      refreshToken: refreshToken as string,
      accountId: account!.id,
    }
  }
  const [admin, cashier, user] = [await member('admin'), await member('cashier'), await member(null)]
  const people_ = { admin, cashier, user }

  /** A certificate of the user, with the documented code. */
  async function certificate(): Promise<number> {
    const { body } = await call('POST', '/api/certificates/create', {
      token: cashier.token,
      body: { initial_amount: 5000, owner_id: user.id },
    })
    await sql`update certificates set code = ${codes.certificate} where id = ${body.id}`
    return body.id
  }

  /** The user's code, with the documented name. */
  async function referral(): Promise<void> {
    const { body } = await call('GET', '/api/referrals/my-code', { token: user.token })
    await sql`update referral_codes set code = ${codes.referral} where id = ${body.id}`
  }

  const accrue = (amount: number) =>
    call('POST', '/api/loyalty/accrue', {
      token: cashier.token,
      body: { account_id: user.accountId, amount, currency: 'points', source: 'visit' },
    })
  const patient = async () => {
    await sql`update users set external_id = '1C-PATIENT-001' where id = ${user.id}`
  }
  return { ...people_, sql, call, member, certificate, referral, accrue, patient, documented }
}
