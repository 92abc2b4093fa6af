import { randomUUID } from 'node:crypto'
import { createWithRoles, grant } from '../identity/identity.ts'
import type { Tx } from '../postgres/connect.ts'

const LAST_DIGITS = 4

/**
 * Who rents with this card: the same guest each time, who can never log in. The first time, and where an operator has deleted
 * the guest, one is made. Whom an operator has blocked stays blocked, and so does the card.
 */
export async function guestOf(
  tx: Tx,
  card: { fingerprint: string; masked: string },
  orgUnitId: number,
): Promise<number> {
  const { fingerprint, masked } = card
  const role = { surface: 'powerbank', role: 'user', orgUnitId } as const
  await tx`select pg_advisory_xact_lock(hashtextextended(${`kiosk guest ${fingerprint}`}, 0))`
  const [known] = await tx<{ userId: number }[]>`
    select g.user_id from kiosk_guests g join users u on u.id = g.user_id
    where g.card_fingerprint = ${fingerprint} and u.deleted_at is null`
  if (known) {
    await grant(tx, known.userId, role)
    return known.userId
  }
  const fullName = `Гость •• ${masked.slice(-LAST_DIGITS)}`
  const person = { username: `guest-${randomUUID()}`, fullName, passwordHash: null, roles: [role] }
  const userId = await createWithRoles(tx, person)
  await tx`
    insert into kiosk_guests (card_fingerprint, user_id) values (${fingerprint}, ${userId})
    on conflict (card_fingerprint) do update set user_id = excluded.user_id`
  return userId
}
