import type { SQLWrapper } from 'drizzle-orm'
import { bigint, sql, timestamp } from './drizzle.ts'

/** Every table's key. Numbers, not strings: 2^53 rows are out of reach. */
export const id = () => bigint({ mode: 'number' }).primaryKey().generatedByDefaultAsIdentity()
/** A foreign key's column type. */
export const ref = () => bigint({ mode: 'number' })
/** An instant. Shown in each surface's own zone at that surface's edge. */
export const at = () => timestamp({ withTimezone: true })
export const createdAt = () => at().notNull().default(sql`now()`)
/** For a `check`: the column holds one of these words. */
export const oneOf = (column: SQLWrapper, words: readonly string[]) =>
  sql`${column} in (${sql.raw(words.map((word) => `'${word}'`).join(', '))})`
