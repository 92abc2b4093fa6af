import type { Actor } from '../platform/actor.ts'
import { Refused } from '../platform/refused.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { assertMayActFor } from './borrow.ts'
import { assertInScope, of } from './scope.ts'

/** A station somebody wants at hand. */
export interface Favorite {
  id: number
  userId: number
  stationId: number
  stationBoxId: string
  stationStatus: string
  /** The user's own name for it. */
  nik: string | null
  createdAt: Date
}

const view = (q: Queryable) => q`
  select f.id, f.user_id, f.station_id, s.box_id as station_box_id, s.status as station_status, f.nik, f.created_at
  from user_favorites f join stations s on s.id = f.station_id and s.deleted_at is null`

/** One page of somebody's favourites, oldest first, and how many there are. Whose may be read is the caller's question. */
export async function list(
  q: Queryable,
  { userId, page, limit }: { userId: number; page: number; limit: number },
): Promise<{ rows: Favorite[]; total: number }> {
  const [counted] = await q<{ total: number }[]>`
    select count(*) as total from user_favorites f join stations s on s.id = f.station_id and s.deleted_at is null
    where f.user_id = ${userId}`
  const rows = await q<Favorite[]>`
    ${view(q)} where f.user_id = ${userId} order by f.id limit ${limit} offset ${(page - 1) * limit}`
  return { rows, total: counted!.total }
}

/**
 * Keeps a station at hand.
 * @throws Refused not_yours (another's list, or a station out of reach), not_found (no such user), station_not_found,
 *   duplicate
 */
export async function add(
  tx: Tx,
  actor: Actor,
  { userId, stationId, nik }: Pick<Favorite, 'userId' | 'stationId' | 'nik'>,
): Promise<Favorite> {
  await assertMayActFor(tx, actor, userId)
  const [user] = await tx`select id from users where id = ${userId} and deleted_at is null`
  if (!user) throw new Refused('not_found', '', { reason: 'user_unknown' })
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${stationId} and deleted_at is null`
  if (!station) throw new Refused('station_not_found')
  assertInScope(await of(tx, actor), station.orgUnitId)
  const [row] = await tx<{ id: number }[]>`
    insert into user_favorites (user_id, station_id, nik) values (${userId}, ${stationId}, ${nik})
    on conflict do nothing returning id`
  if (!row) throw new Refused('duplicate', '', { field: 'station_id' })
  const [favorite] = await tx<Favorite[]>`${view(tx)} where f.id = ${row.id}`
  return favorite!
}

/** @throws Refused not_found, not_yours */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const [favorite] = await tx<{ userId: number }[]>`select user_id from user_favorites where id = ${id}`
  if (!favorite) throw new Refused('not_found', '', { reason: 'favorite_unknown' })
  await assertMayActFor(tx, actor, favorite.userId)
  if ((await tx`delete from user_favorites where id = ${id}`).count === 0)
    throw new Refused('not_found', '', { reason: 'favorite_unknown' })
}
