import { expect } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import * as certificates from '../../../db/loyalty/certificates.ts'
import * as changes from '../../../db/loyalty/certificates-changes.ts'
import type { Actor } from '../../../db/platform/actor.ts'
import type { Refused } from '../../../db/platform/refused.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { act, next } from '../world.ts'

/** The word of the refusal, or undefined when it was none. */
export const refusal = async (work: Promise<unknown>): Promise<unknown> => {
  const [result] = await Promise.allSettled([work])
  if (result!.status === 'fulfilled') return undefined
  const { code, about } = result!.reason as Refused
  if (code === undefined || about === undefined) throw result!.reason
  return about.reason ?? code
}
/** What became of several at once. */
export const settled = async <T>(work: Promise<T>[]) => {
  const results = await Promise.allSettled(work)
  return {
    done: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    refused: results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as Refused).code] : [])),
  }
}

/** Makes somebody with a role on the loyalty surface. */
export const people =
  (db: Db) =>
  async (role = 'patient', status = 'active') => {
    const email = `who${next()}@example.com`
    const [row] = await db.sql<{ id: number }[]>`
      insert into users (email, full_name, status) values (${email}, 'Some Body', ${status}) returning id`
    const actor: Actor = { userId: row!.id, roles: [{ role, orgUnitId: null }] }
    return { id: row!.id, email, actor }
  }

/** A cash desk that sells and takes certificates, over one database. */
export async function desk(db: Db) {
  const person = people(db)
  const cashier = await person('cashier')
  const admin = await person('admin')

  const issue = (given: Partial<changes.NewCertificate> = {}) =>
    act(db, (tx) =>
      changes.create(tx, cashier.actor, {
        initialAmount: 500_000,
        validUntil: null,
        ownerId: null,
        message: null,
        designTemplate: null,
        ...given,
      }),
    )
  const redeem = (code: string, amount: number, documentId: string | null = null, who = cashier) =>
    act(db, (tx) => changes.redeem(tx, who.actor, { code, amount, documentId, notes: null, cashierId: null }))
  const transfer = (who: { actor: Actor }, id: number, email: string) =>
    act(db, (tx) => changes.transfer(tx, who.actor, { id }, { email, message: null }))
  const cancel = (id: number) => act(db, (tx) => changes.cancel(tx, admin.actor, id))
  const expire = (id: number) => act(db, (tx) => changes.expire(tx, id))

  /** Its time runs out. */
  const lapse = (id: number) =>
    db.sql`update certificates set valid_until = now() - interval '1 second' where id = ${id}`
  const now = async (id: number) => await certificates.get(db.sql, admin.actor, id)
  const book = (id: number) => ledger.balance(db.sql, { kind: 'certificate', id }, 'RUB')
  const redeemedOf = async (id: number) =>
    (
      await db.sql<
        { amount: number }[]
      >`select amount from certificate_redemptions where certificate_id = ${id} order by id`
    ).map(({ amount }) => amount)
  const auditOf = async (id: number) =>
    (
      await db.sql`select action, user_id from audit_log where entity_type = 'certificate' and entity_id = ${id} order by id`
    ).map(({ action }) => action)

  /** What must be true of any certificate at any time (docs/contracts.md D2). */
  async function sound(id: number) {
    const certificate = await now(id)
    const spent = (await redeemedOf(id)).reduce((sum, amount) => sum + amount, 0)
    expect(certificate.currentAmount).toBe(certificate.initialAmount - spent)
    expect(certificate.currentAmount).toBeGreaterThanOrEqual(0)
    expect(await book(id)).toBe(certificate.status === 'active' || certificate.isLapsed ? certificate.currentAmount : 0)
    expect(certificate.status === 'used').toBe(certificate.currentAmount === 0)
    return certificate
  }

  return {
    person,
    cashier,
    admin,
    issue,
    redeem,
    transfer,
    cancel,
    expire,
    lapse,
    now,
    book,
    redeemedOf,
    auditOf,
    sound,
  }
}
