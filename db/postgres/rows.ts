import postgres from 'postgres'
import { Refused } from '../platform/refused.ts'
import type { Queryable } from './connect.ts'

/**
 * SQL: these columns of the table called `alias`. One list, checked against the schema by `satisfies`, gives a
 * statement its columns and its row a type. Never `*`: a prepared statement that reads all columns fails when a
 * migration adds one while its process serves.
 */
export const columnsOf = (q: Queryable, alias: string, names: readonly string[]) =>
  q(names.map((name) => `${alias}.${name}`))

/** A part of a statement. */
export type Fragment = postgres.PendingQuery<postgres.Row[]>

/** Rows of one page, and how many there are on all. */
export interface Page<R> {
  rows: R[]
  total: number
}

/**
 * One page of a list.
 * @param of SQL: what is counted, as it follows `from`; @param rows SQL: the same with its columns, in its order
 */
export async function pageOf<R extends object>(
  q: Queryable,
  of: Fragment,
  rows: Fragment,
  at: { limit: number } & ({ page: number } | { offset: number }),
): Promise<Page<R>> {
  const offset = 'page' in at ? (at.page - 1) * at.limit : at.offset
  const [counted] = await q<{ total: number }[]>`select count(*) as total from ${of}`
  const found = await q<R[]>`${rows} limit ${at.limit} offset ${offset}`
  return { rows: found, total: counted!.total }
}

const uniqueViolation = '23505'

/**
 * Runs a write; what breaks one of these unique constraints becomes `Refused('duplicate', …, { field })`.
 * @param fields constraint to the field it keeps unique
 */
export async function unlessTaken<T>(write: Promise<T>, fields: Record<string, string>): Promise<T> {
  try {
    return await write
  } catch (error) {
    const field =
      error instanceof postgres.PostgresError && error.code === uniqueViolation
        ? fields[error.constraint_name ?? '']
        : undefined
    if (!field) throw error
    throw new Refused('duplicate', `${field} is taken`, { field })
  }
}
