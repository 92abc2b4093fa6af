import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { eq, isNull, sql } from '../postgres/drizzle.ts'
import { type Asked, type ReadBy, tableOf } from '../table.ts'
import { assertMayActFor } from './borrow.ts'
import { Refused } from './refused.ts'
import { stations, userFavorites } from './schema.ts'
import { assertInScope, of } from './scope.ts'
import type { StationStatus } from './words.ts'

const table = tableOf(userFavorites, {
  deletes: 'hard',
  joins: [[stations, eq(stations.id, userFavorites.stationId)]],
  beside: {
    stationBoxId: sql<string>`${stations.boxId}`,
    stationStatus: sql<StationStatus>`${stations.status}`,
  },
  only: isNull(stations.deletedAt),
  unknown: () => new Refused('not_found', '', { reason: 'favorite_unknown' }),
})
/** A station somebody wants at hand. */
export type Favorite = ReadBy<typeof table>

/** One page of somebody's favourites, oldest first; of the actor's own unless it says whose. @throws Refused not_yours */
export async function list(q: Queryable, actor: Actor, { filter, ...asked }: Asked<typeof userFavorites.$inferSelect>) {
  const userId = filter?.userId ?? actor.userId
  await assertMayActFor(q, actor, userId)
  return await table.list(q, actor, { ...asked, filter: { userId } })
}

/**
 * Keeps a station at hand, for the actor unless it says for whom.
 * @throws Refused not_yours (another's list, or a station out of reach), not_found (no such user), station_not_found,
 *   duplicate
 */
export async function create(
  tx: Tx,
  actor: Actor,
  given: { userId?: number | null | undefined; stationId: number; nik?: string | null | undefined },
): Promise<Favorite> {
  const { stationId, nik } = given
  const userId = given.userId ?? actor.userId
  await assertMayActFor(tx, actor, userId)
  const [user] = await tx`select id from users where id = ${userId} and deleted_at is null`
  if (!user) throw new Refused('not_found', '', { reason: 'user_unknown' })
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${stationId} and deleted_at is null`
  if (!station) throw new Refused('station_not_found')
  assertInScope(await of(tx, actor), station.orgUnitId)
  return await table.create(tx, actor, { userId, stationId, nik: nik || null })
}

/** @throws Refused not_found, not_yours */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const { userId } = await table.hold(tx, actor, id)
  await assertMayActFor(tx, actor, userId)
  await table.remove(tx, actor, id)
}
