import type { Placeholder, SQL } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Queryable } from './connect.ts'
import { builder, fillPlaceholders, getTableConfig, sql } from './drizzle.ts'

// drizzle composes statements, our own driver runs them. Never `drizzle(client)`: it changes the client's parsers
// (docs/decisions.md).

/** drizzle's query builder, without a connection. */
export const build = builder(
  () => {
    throw new Error('only composes')
  },
  { casing: 'snake_case' },
)

interface Composed {
  toSQL(): { sql: string; params: unknown[] }
}

/** Runs a statement, prepared like every one of ours. */
const send = <R>(q: Queryable, text: string, params: unknown[]): Promise<R[]> =>
  // The driver serializes whatever the server says a parameter is; its types know a few of those only.
  q.unsafe(text, params as any[], { prepare: true }) as unknown as Promise<R[]>

/** Runs what was composed on our own driver. */
export function run<R>(q: Queryable, composed: Composed): Promise<R[]> {
  const { sql: text, params } = composed.toSQL()
  return send(q, text, params)
}

/** Runs a statement about one row. It is composed at its first use, for nothing in it differs but the id. */
export function onceFor<R>(compose: (id: Placeholder) => Composed) {
  let made: ReturnType<Composed['toSQL']> | undefined
  return async (q: Queryable, id: number): Promise<R | undefined> => {
    made ??= compose(sql.placeholder('id')).toSQL()
    const [row] = await send<R>(q, made.sql, fillPlaceholders(made.params, { id }))
    return row
  }
}

/** A value as our driver takes it: drizzle's own encoders would make texts of instants, and JSON of JSON. */
export const value = (given: unknown): any => sql`${sql.param(given)}`
/** An expression under a name; wrapped once, or drizzle takes the table off its columns where nothing is joined. */
export const named = (what: SQL<unknown>, as: string) => sql`${what}`.as(as)

/** What is given of them, by name; undefined is nothing given. */
export const values = (given: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).flatMap(([name, one]) => (one === undefined ? [] : [[name, value(one)]])))

/** Of each unique constraint the field it is about: the last of its columns, snake_case. */
export function uniqueFields(table: PgTable): Record<string, string> {
  const { indexes, uniqueConstraints, columns } = getTableConfig(table)
  const field = (name: string) => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
  const named = [
    ...uniqueConstraints.map((one) => [one.getName(), one.columns.at(-1)!.name]),
    ...indexes.flatMap(({ config }) => {
      const last = config.columns.at(-1)
      return config.unique && last && 'name' in last ? [[config.name, last.name]] : []
    }),
    ...columns.flatMap((one) => (one.isUnique ? [[one.uniqueName, one.name]] : [])),
  ]
  return Object.fromEntries(named.map(([constraint, name]) => [constraint, field(name!)]))
}
