import { sql } from 'drizzle-orm'
import { check, customType, index, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { at, createdAt, id } from '../postgres/columns.ts'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/**
 * What others told us, as it came: stored before it is answered, worked once, kept for a second look (providers,
 * section 0 rule 5).
 */
export const inbox = pgTable(
  'inbox',
  {
    id: id(),
    /** `1c`, `bitrix24` … */
    provider: text().notNull(),
    /** What makes it the same notice for its sender: a document number, an event and its object. */
    dedupKey: text().notNull(),
    contentHash: text().notNull(),
    raw: bytea().notNull(),
    /** Never a secret: content type, user agent. */
    headers: jsonb().$type<Record<string, string>>().notNull().default({}),
    address: text(),
    state: text().notNull().default('received'),
    attempts: integer().notNull().default(0),
    /** The first answer; a repetition hears it again. */
    result: jsonb().$type<Record<string, any>>(),
    lastError: text(),
    /** How often the same was said again. */
    repeats: integer().notNull().default(0),
    receivedAt: createdAt(),
    workedAt: at(),
  },
  (t) => [
    unique('inbox_once').on(t.provider, t.dedupKey),
    index('inbox_state').on(t.state, t.id),
    check('inbox_state_known', sql`${t.state} in ('received', 'done', 'ignored', 'failed', 'unmatched')`),
  ],
)
