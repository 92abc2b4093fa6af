import * as points from '../../../db/loyalty/points.ts'
import * as referrals from '../../../db/loyalty/referrals.ts'
import * as events from '../../../db/loyalty/referrals-events.ts'
import type { EventType } from '../../../db/loyalty/words.ts'
import type { Actor } from '../../../db/platform/actor.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { act } from '../world.ts'
import { people } from './certificates.ts'

interface Person {
  id: number
  actor: Actor
}

/** The tiers of the standard settings. */
export const rules = { silverMinor: 100_000, goldMinor: 500_000, platinumMinor: 1_500_000, pointsDays: null }

/** A programme in which people bring each other, over one database. */
export async function programme(db: Db) {
  const person = people(db)
  const cashier = await person('cashier')
  const admin = await person('admin')

  const create = (by: Person, given: Partial<referrals.NewCode> = {}) =>
    act(db, (tx) =>
      referrals.createCode(tx, by.actor, { userId: by.id, referrerType: 'patient', customCode: null, ...given }),
    )
  const mine = (by: Person) => act(db, (tx) => referrals.myCode(tx, by.actor))
  const codesOf = async (id: number) =>
    (await db.sql<{ code: string }[]>`select code from referral_codes where user_id = ${id} order by id`).map(
      ({ code }) => code,
    )
  const happen = (
    code: string,
    { id }: Person,
    eventType: EventType,
    given: { amount?: number; document?: string } = {},
  ) =>
    act(db, (tx) =>
      events.register(
        tx,
        cashier.actor,
        {
          code,
          referredUserId: id,
          eventType,
          transactionAmount: given.amount ?? null,
          documentId: given.document ?? null,
        },
        rules,
      ),
    )
  const statsOf = ({ id }: Person) => referrals.stats(db.sql, id)
  const rewardsOf = ({ id }: Person) => referrals.rewards(db.sql, { userId: id, limit: 100, offset: 0 })
  const balanceOf = async ({ id }: Person) => {
    const { pointsBalance, cashbackBalance } = (await points.balance(db.sql, id)) ?? {
      pointsBalance: 0,
      cashbackBalance: 0,
    }
    return [pointsBalance, cashbackBalance]
  }

  return { person, cashier, admin, create, mine, codesOf, happen, statsOf, rewardsOf, balanceOf }
}
