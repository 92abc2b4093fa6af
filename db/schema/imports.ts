import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref } from '../postgres/columns.ts'
import { users } from './identity.ts'

/** A file of people taken in, while it is under way and afterwards (api-contracts 4.13). */
export const userImports = pgTable(
  'user_imports',
  {
    id: id(),
    requestedBy: ref()
      .notNull()
      .references(() => users.id),
    fileName: text().notNull(),
    status: text().notNull().default('running'),
    totalRows: integer().notNull(),
    /** Of the valid rows. */
    validRows: integer().notNull(),
    processedRows: integer().notNull().default(0),
    createdUsers: integer().notNull().default(0),
    existingUsers: integer().notNull().default(0),
    /** The first of what is wrong with rows, as the surface says it. */
    errors: jsonb().$type<object[]>().notNull().default([]),
    /** Why it stopped. */
    failure: text(),
    createdAt: createdAt(),
    /** The last sign of life: a running import that gives none is over. */
    seenAt: createdAt(),
    finishedAt: at(),
  },
  (t) => [
    index('user_imports_by').on(t.requestedBy, t.id),
    check('user_imports_status', sql`${t.status} in ('running', 'done', 'failed')`),
    check('user_imports_finished', sql`(${t.finishedAt} is null) = (${t.status} = 'running')`),
  ],
)
