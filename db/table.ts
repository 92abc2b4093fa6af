import type { Placeholder, SQL } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import * as audit from './messages/audit.ts'
import type { Actor } from './platform/actor.ts'
import { Refused } from './platform/refused.ts'
import { build, named, onceFor, run, uniqueFields, value, values } from './postgres/composed.ts'
import type { Queryable, Tx } from './postgres/connect.ts'
import { and, asc, desc, eq, getTableColumns, getTableConfig, ilike, isNull, or, sql } from './postgres/drizzle.ts'
import { type Page, unlessTaken } from './postgres/rows.ts'

// Plain tables: rows that are listed, read, written and deleted as they are. What means something (a status that
// moves, an owner, an amount) is a verb of its own beside it; `hold` is there for that.

type Keyed = PgTable & { id: PgColumn }
export type RowOf<T extends PgTable> = T['$inferSelect']
type NameOf<T extends PgTable> = keyof RowOf<T> & string
/** What is read beside the columns, from tables that are joined. */
type Beside = Record<string, SQL<unknown>>
/** A row as it is read: its columns, and what is beside them. */
type Full<T extends PgTable, X extends Beside> = RowOf<T> & { [K in keyof X]: X[K] extends SQL<infer D> ? D : never }

/** Whose rows somebody reaches: everybody's, or those of these ids. */
export type Reach = 'all' | readonly number[]

type Way = 'seen' | 'changed'

/** What a new row may be given; what is not given has the column's default. */
export type New<T extends PgTable> = Omit<T['$inferInsert'], 'id' | 'createdAt' | 'updatedAt' | 'deletedAt'>
/** Any part of it: what is undefined stays as it is. */
export type Part<N> = { [K in keyof N]?: N[K] | undefined }
/** What of a row may be changed. */
export type Change<T extends PgTable> = Part<New<T>>

/** What of a table is asked for. Rows come by `order`, and by id where that leaves a choice. */
export interface Asked<R> {
  filter?: { [K in keyof R]?: R[K] | undefined }
  /** Words, divided by blanks: a row has each of them in one of these columns, in any case. */
  search?: { words: string; in: readonly (keyof R & string)[] } | undefined
  order?: readonly { by: keyof R & string; isDescending: boolean }[]
  /** What else is true of them. */
  where?: SQL | undefined
  limit: number
  offset: number
}

interface Options<T extends PgTable, X extends Beside> {
  /** `soft` keeps the row and sets `deletedAt`. */
  deletes: T extends { deletedAt: PgColumn } ? 'soft' | 'hard' : 'hard'
  /** How a change is written down: what was given, or, with `values`, these columns (all that can be set) whatever was given. */
  audit?: { surface: string; as: string; values?: readonly NameOf<T>[] | 'all' }
  /** Rows are reached by one of their columns, or by what is beside them: `seen` to read, `changed` to write. */
  scope?: {
    by: NameOf<T> | (keyof NoInfer<X> & string)
    seen(q: Queryable, actor: Actor): Promise<Reach>
    changed(q: Queryable, actor: Actor): Promise<Reach>
  }
  /** To-one joins (left), for `beside` and `only`. */
  joins?: readonly (readonly [PgTable, SQL])[]
  beside?: X
  /** Rows that are there at all; one that is held need not be. */
  only?: SQL
  /** Lists begin with the highest id unless they are asked for otherwise. */
  newestFirst?: boolean
  /** Why there is no such row; `not_found` unless said. */
  unknown?: (id: number) => Refused
}

/** The verbs of a plain table. Those that write take a transaction, lock the row, and write the audit. */
export interface Table<T extends PgTable, X extends Beside> {
  /** One row, whoever asks. */
  find(q: Queryable, id: number): Promise<Full<T, X> | undefined>
  /** A row the actor may see (or may change). @throws Refused not_found, not_yours */
  get(q: Queryable, actor: Actor, id: number, way?: Way): Promise<Full<T, X>>
  /** One page of the rows the actor may see (or may change), and how many there are in all. */
  list(q: Queryable, actor: Actor, asked: Asked<Full<T, X>>, way?: Way): Promise<Page<Full<T, X>>>
  /** A row the actor may write, locked until the transaction ends. @throws Refused not_found, not_yours */
  hold(tx: Tx, actor: Actor, id: number): Promise<Full<T, X>>
  /** @throws Refused not_yours, duplicate {field} */
  create(tx: Tx, actor: Actor, given: New<T>): Promise<Full<T, X>>
  /** Changes what is given. @throws Refused not_found, not_yours, duplicate {field} */
  change(tx: Tx, actor: Actor, id: number, given: Change<T>): Promise<Full<T, X>>
  /** @throws Refused not_found, not_yours */
  remove(tx: Tx, actor: Actor, id: number): Promise<void>
}

/** The rows that a table's verbs read. */
export type ReadBy<V extends { find(q: Queryable, id: number): Promise<any> }> = NonNullable<
  Awaited<ReturnType<V['find']>>
>

/** One table of the schema as verbs; every statement is composed by drizzle's query builder and run by our own driver. */
export function tableOf<T extends Keyed, X extends Beside = Record<never, never>>(
  table: T,
  options: Options<T, X>,
): Table<T, X> {
  // Inside, rows and columns go by names: drizzle's types of a query do not follow a table that is a type parameter.
  // Every name was checked where it came in, by the types of these arguments and of `Table`.
  const plain = parts(table, options as unknown as Options<any, Beside>)
  const reads = reading(plain)
  return { ...reads, ...writing(plain, reads.find) } as unknown as Table<T, X>
}

type Row = Record<string, any>
type Parts = ReturnType<typeof parts>

/** All columns but those that set themselves. */
const settable = (columns: object) =>
  Object.keys(columns).filter((name) => !['id', 'createdAt', 'updatedAt', 'deletedAt'].includes(name))

/** What the verbs of a table are made of. */
function parts(
  table: PgTable,
  { deletes, joins = [], beside = {}, only, scope, newestFirst = false, audit: noted, ...rest }: Options<any, Beside>,
) {
  const columns: Record<string, any> = getTableColumns(table)
  const { name } = getTableConfig(table)
  const isSoft = deletes === 'soft'
  const extras = Object.entries(beside).map(([as, what]) => [as, named(what, as)])
  const kept = isSoft ? isNull(columns.deletedAt) : undefined
  return {
    table: table as any,
    columns,
    beside,
    isSoft,
    newestFirst,
    scope,
    noted: noted && { ...noted, values: noted.values === 'all' ? settable(columns) : noted.values },
    shown: { ...columns, ...Object.fromEntries(extras) },
    there: and(kept, only),
    is: (id: SQL | Placeholder) => and(kept, eq(columns.id, id)),
    unknown: rest.unknown ?? ((id: number) => new Refused('not_found', `no ${name} ${id}`)),
    select: (what: Row, where: SQL | undefined): any =>
      joins
        .reduce(
          (query: any, [joined, on]) => query.leftJoin(joined, on),
          build
            .select(what)
            .from(table as any)
            .$dynamic(),
        )
        .where(where),
    async assertReached(q: Queryable, actor: Actor, way: Way, row: Row): Promise<void> {
      const reach = scope ? await scope[way](q, actor) : 'all'
      if (reach !== 'all' && !reach.includes(row[scope!.by] ?? Number.NaN)) throw new Refused('not_yours')
    },
  }
}

function reading(plain: Parts) {
  const { columns, beside, shown, there, is, newestFirst, scope, unknown, select, assertReached } = plain
  const find = onceFor<Row>((id) => select(shown, and(there, is(id))))
  async function get(q: Queryable, actor: Actor, id: number, way: Way = 'seen'): Promise<Row> {
    const row = await find(q, id)
    if (!row) throw unknown(id)
    await assertReached(q, actor, way, row)
    return row
  }
  async function list(q: Queryable, actor: Actor, asked: Asked<Row>, way: Way = 'seen') {
    const reach = scope ? await scope[way](q, actor) : 'all'
    const owner = scope && (columns[scope.by] ?? beside[scope.by])
    const reached = reach === 'all' ? undefined : sql`${owner} = any(${value([...reach])})`
    const where = and(there, reached, asked.where, ...conditions({ ...columns, ...beside }, asked))
    const order = [...(asked.order ?? []), { by: 'id', isDescending: asked.order?.[0]?.isDescending ?? newestFirst }]
    const page = select(shown, where)
      .orderBy(...order.map(({ by, isDescending }) => (isDescending ? desc : asc)(columns[by] ?? beside[by])))
      .limit(value(asked.limit))
      .offset(value(asked.offset))
    const [counted] = await run<{ total: number }>(q, select({ total: named(sql`count(*)`, 'total') }, where))
    return { rows: await run<Row>(q, page), total: counted!.total }
  }
  return { find, get, list }
}

/** Writes who changed what, where a table says so. */
const noting =
  (noted: Parts['noted']) => (tx: Tx, actor: Actor, act: string, id: number, values: Partial<audit.Change>) =>
    noted &&
    audit.record(tx, actor, noted.surface, {
      action: `${noted.as}.${act}`,
      entityType: noted.as,
      entityId: id,
      ...values,
    })

function writing(plain: Parts, find: (q: Queryable, id: number) => Promise<Row | undefined>) {
  const { table, columns, shown, isSoft, scope, noted, is, unknown, select, assertReached } = plain
  const taken = uniqueFields(table)
  const now = (names: string[]) =>
    Object.fromEntries(names.flatMap((name) => (columns[name] ? [[name, sql`now()`]] : [])))
  const said = (row: Row, given: Row) => pick(row, noted?.values ?? Object.keys(given))
  const note = noting(noted)
  const locked = onceFor<Row>((id) => select(shown, is(id)).for('update', { of: table }))

  async function hold(tx: Tx, actor: Actor, id: number): Promise<Row> {
    const row = await locked(tx, id)
    if (!row) throw unknown(id)
    await assertReached(tx, actor, 'changed', row)
    return row
  }
  async function create(tx: Tx, actor: Actor, given: Row): Promise<Row> {
    if (scope && scope.by !== 'id') await assertReached(tx, actor, 'changed', given)
    const insert = build.insert(table).values(values(given)).returning({ id: columns.id })
    const [made] = await unlessTaken(run<{ id: number }>(tx, insert), taken)
    const row = (await find(tx, made!.id))!
    await note(tx, actor, 'create', row.id, { newValues: said(row, given) })
    return row
  }
  async function change(tx: Tx, actor: Actor, id: number, given: Row): Promise<Row> {
    const before = await hold(tx, actor, id)
    const set = values(given)
    if (scope && scope.by in set) await assertReached(tx, actor, 'changed', given)
    const moved = { ...set, ...now(['updatedAt']) }
    const update = build.update(table)
    if (Object.keys(moved).length > 0) await unlessTaken(run(tx, update.set(moved).where(is(value(id)))), taken)
    const row = (await find(tx, id))!
    await note(tx, actor, 'update', id, { oldValues: said(before, set), newValues: said(row, set) })
    return row
  }
  async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
    const before = await hold(tx, actor, id)
    const gone = isSoft ? build.update(table).set(now(['deletedAt', 'updatedAt'])) : build.delete(table)
    await run(tx, gone.where(is(value(id))))
    await note(tx, actor, 'delete', id, noted?.values ? { oldValues: said(before, {}) } : {})
  }
  return { hold, create, change, remove }
}

const pick = (row: object, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, (row as Record<string, unknown>)[name]]))

/** The pattern of a text that has this word in it. */
export const holding = (word: string) => `%${word.replace(/[\\%_]/g, '\\$&')}%`

/** What was asked as conditions. */
function conditions(columns: Record<string, any>, { filter = {}, search }: Asked<Row>): (SQL | undefined)[] {
  const equal = Object.entries(filter).flatMap(([name, one]) =>
    one === undefined ? [] : [one === null ? isNull(columns[name]) : eq(columns[name], value(one))],
  )
  const words = search?.words.split(/\s+/).filter(Boolean) ?? []
  return [...equal, ...words.map((word) => or(...search!.in.map((name) => ilike(columns[name], value(holding(word))))))]
}
