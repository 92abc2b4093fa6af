import * as audit from '../messages/audit.ts'
import * as events from '../messages/events.ts'
import { notify } from '../messages/notifications.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'
import * as authority from './permissions.ts'
import { Refused } from './refused.ts'
import type { userImports } from './schema.ts'
import { type Scope, within } from './scope.ts'

/** A person out of a file, checked; `row` is the file's. */
export interface Entry {
  row: number
  fullName: string
  email: string
  phone: string
  role: authority.PowerbankRole
  orgUnitId: number | null
}

/** What of an entry belongs to somebody already. */
export interface Taken {
  row: number
  phone: boolean
  email: boolean
}

export interface Added {
  created: { row: number; userId: number }[]
  taken: Taken[]
}

type Row = typeof userImports.$inferSelect
const COLUMNS = [
  'id',
  'requestedBy',
  'fileName',
  'totalRows',
  'validRows',
  'processedRows',
  'createdUsers',
  'existingUsers',
  'createdAt',
  'finishedAt',
] as const satisfies (keyof Row)[]

/** How an import stands; one whose process died is `failed`. */
export type UserImport = Pick<Row, (typeof COLUMNS)[number] | 'status' | 'failure' | 'errors'>

/** A running import that gave no sign of life for so long died with its process. */
const SILENCE_SECONDS = 120
const UNITS_MAX = 2_000

/** A unit as somebody chooses it. */
export interface Choice {
  id: number
  name: string
  parentName: string | null
}

/** The units of a scope by name, at most 2,000. */
export const units = (q: Queryable, scope: Scope): Promise<Choice[]> => q<Choice[]>`
  select u.id, u.name, p.name as parent_name from org_units u left join org_units p on p.id = u.parent_id
  where u.deleted_at is null and ${within(q, scope, q`u.id`)}
  order by coalesce(p.name, u.name), u.parent_id nulls first, u.name, u.id limit ${UNITS_MAX}`

/** Which of these people are there already, by phone or by email in any case. */
export async function taken(q: Queryable, entries: readonly Entry[]): Promise<Taken[]> {
  const given = q.json(entries.map(({ row, phone, email }) => ({ row, phone, email })))
  return await q<Taken[]>`
    with given as materialized (select * from jsonb_to_recordset(${given}) as g (row int, phone text, email text))
    select row, bool_or(by = 'phone') as phone, bool_or(by = 'email') as email from (
      select g.row, 'phone' as by from given g join users u on u.phone = g.phone and u.deleted_at is null
      union all
      select g.row, 'email' from given g join users u on lower(u.email) = lower(g.email) and u.deleted_at is null
    ) found group by row order by row`
}

/** Opens the account of an import: what has been done is written into it as it is done. */
export async function begin(
  tx: Tx,
  actor: Actor,
  { fileName, totalRows, validRows }: Pick<UserImport, 'fileName' | 'totalRows' | 'validRows'>,
): Promise<number> {
  const [row] = await tx<{ id: number }[]>`
    insert into user_imports (requested_by, file_name, total_rows, valid_rows)
    values (${actor.userId}, ${fileName}, ${totalRows}, ${validRows}) returning id`
  return row!.id
}

/** Active accounts without a password, each with its role; who is there already, or comes at this moment, is left out. */
async function insert(tx: Tx, entries: readonly Entry[]): Promise<Added['created']> {
  const given = entries.map(({ row, fullName, email, phone, role, orgUnitId }) => ({
    row,
    full_name: fullName,
    email,
    phone,
    role,
    org_unit_id: orgUnitId,
  }))
  return await tx<Added['created']>`
    with given as materialized (
      select * from jsonb_to_recordset(${tx.json(given)})
        as g (row int, full_name text, email text, phone text, role text, org_unit_id bigint)
    ), people as (
      insert into users (phone, email, full_name, status) select phone, email, full_name, 'active' from given order by phone
      on conflict do nothing returning id, phone
    ), roles as (
      insert into user_roles (user_id, surface, role, org_unit_id)
      select p.id, 'powerbank', g.role, g.org_unit_id from people p join given g on g.phone = p.phone
    )
    select g.row, p.id as user_id from people p join given g on g.phone = p.phone order by g.row`
}

/**
 * Takes in some rows of a running import, in the transaction that counts them. The people have no password: a letter
 * brings each one (db/messages/outbox.ts).
 * @throws Refused invalid (unit), forbidden (a role above the own), not_yours, conflict (not running)
 */
export async function add(tx: Tx, actor: Actor, importId: number, entries: readonly Entry[]): Promise<Added> {
  const grants = new Map(entries.map(({ role, orgUnitId }) => [`${role} ${orgUnitId}`, { role, orgUnitId }]))
  for (const held of grants.values()) await authority.assertMayGrant(tx, actor, held)
  const before = await taken(tx, entries)
  const known = new Set(before.map(({ row }) => row))
  const wanted = entries.filter(({ row }) => !known.has(row))
  const created = await insert(tx, wanted)
  const made = new Map(created.map(({ row, userId }) => [row, userId]))
  const missed = wanted.filter(({ row }) => !made.has(row))
  const there = [...before, ...(missed.length > 0 ? await taken(tx, missed) : [])]

  const changes = wanted.flatMap(({ row, fullName, email, phone, role, orgUnitId }) => {
    const entityId = made.get(row)
    const newValues = { fullName, email, phone, status: 'active', role, orgUnitId, importId }
    return entityId === undefined ? [] : [{ action: 'user.import', entityType: 'user', entityId, newValues }]
  })
  await audit.recordAll(tx, actor, 'powerbank', changes)
  await notify(tx, 'user.imported', [...made.values()], {}, { bringsPassword: true })
  const counted = await tx`
    update user_imports set processed_rows = processed_rows + ${entries.length}, seen_at = now(),
      created_users = created_users + ${created.length}, existing_users = existing_users + ${there.length}
    where id = ${importId} and status = 'running'`
  if (counted.count === 0) throw new Refused('conflict', `import ${importId} is not running`)
  return { created, taken: there }
}

/** Closes the account of an import: done, or, with a `failure`, stopped half-way. What was taken in stays. */
export async function finish(
  tx: Tx,
  actor: Actor,
  importId: number,
  { errors, failure = null }: { errors: readonly object[]; failure?: string | null },
): Promise<void> {
  const [row] = await tx<Pick<UserImport, 'fileName' | 'totalRows' | 'createdUsers' | 'existingUsers'>[]>`
    update user_imports set status = ${failure === null ? 'done' : 'failed'}, failure = ${failure},
      errors = ${tx.json(errors)}, seen_at = now(), finished_at = now()
    where id = ${importId} and status = 'running' returning file_name, total_rows, created_users, existing_users`
  if (!row) throw new Refused('conflict', `import ${importId} is not running`)
  await audit.record(tx, actor, 'powerbank', {
    action: 'user_import.finish',
    entityType: 'user_import',
    entityId: importId,
    newValues: row,
    description: failure,
  })
  const { totalRows, createdUsers } = row
  await events.record(tx, 'users.imported', { userId: actor.userId, data: { importId, totalRows, createdUsers } })
}

const view = (q: Queryable) => q`
  ${columnsOf(q, 'i', COLUMNS)}, case when status = 'running' and seen_at < now() - make_interval(secs => ${SILENCE_SECONDS}) then 'failed'
    else status end as status,
  coalesce(failure, case when status = 'running' and seen_at < now() - make_interval(secs => ${SILENCE_SECONDS})
    then 'interrupted' end) as failure`

/** One import with its errors, or undefined. */
export async function get(q: Queryable, id: number): Promise<UserImport | undefined> {
  const [row] = await q<UserImport[]>`select ${view(q)}, errors from user_imports i where id = ${id}`
  return row
}

/** One page of somebody's imports (of all: null), newest first, without their errors, and how many there are. */
export async function list(
  q: Queryable,
  requestedBy: number | null,
  cut: { limit: number; offset: number },
): Promise<Page<Omit<UserImport, 'errors'>>> {
  const of = q`user_imports i where ${requestedBy === null ? q`true` : q`requested_by = ${requestedBy}`}`
  return await pageOf(q, of, q`select ${view(q)} from ${of} order by id desc`, cut)
}
