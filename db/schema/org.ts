import { sql } from 'drizzle-orm'
import { type AnyPgColumn, check, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref } from '../postgres/columns.ts'

/** Groups and their subgroups; the tree that scopes every list and object of the power-bank surface. */
export const orgUnits = pgTable(
  'org_units',
  {
    id: id(),
    parentId: ref().references((): AnyPgColumn => orgUnits.id),
    unitType: text().notNull(),
    name: text().notNull(),
    /** Spelt as in the document (seed 003). */
    adress: text(),
    logoUrl: text(),
    defaultPowerbankLimit: integer().notNull().default(1),
    reminderHours: integer().notNull().default(24),
    writeOffHours: integer().notNull().default(48),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    index('org_units_parent').on(t.parentId),
    check('org_units_type', sql`${t.unitType} in ('group', 'subgroup')`),
    check('org_units_shape', sql`(${t.unitType} = 'group') = (${t.parentId} is null)`),
    check(
      'org_units_numbers',
      sql`${t.defaultPowerbankLimit} >= 0 and ${t.reminderHours} > 0 and ${t.writeOffHours} > 0`,
    ),
  ],
)
