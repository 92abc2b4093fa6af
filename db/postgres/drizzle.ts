import { createRequire } from 'node:module'

/**
 * drizzle as CommonJS. As ES modules Node 24 reads the 179 kB of its package.json again for each of the imports between
 * its 99 files: 0.9 s and 130 MB before the first statement; this way 0.1 s and 20 MB (docs/decisions.md).
 */
const load = createRequire(import.meta.url)
const orm = load('drizzle-orm') as typeof import('drizzle-orm')
const core = load('drizzle-orm/pg-core') as typeof import('drizzle-orm/pg-core')
const proxy = load('drizzle-orm/pg-proxy') as typeof import('drizzle-orm/pg-proxy')

export const { and, asc, desc, eq, fillPlaceholders, getTableColumns, ilike, isNull, or, sql } = orm
export const { alias, getTableConfig } = core
export const { bigint, boolean, customType, date, doublePrecision, integer, jsonb, numeric, text, timestamp, uuid } =
  core
export const { check, index, pgSequence, pgTable, primaryKey, unique, uniqueIndex } = core
/** A query builder without a connection: for `toSQL()`. */
export const { drizzle: builder } = proxy
