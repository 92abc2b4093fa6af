import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref } from '../postgres/columns.ts'
import { users } from './identity.ts'

/**
 * What people are told (data-model B1). For the channel `email` it is the outbox: a row first, written in the
 * transaction that makes it true, and a letter afterwards (HOUSE 7).
 */
export const notifications = pgTable(
  'notifications',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    surface: text().notNull(),
    kind: text().notNull(),
    channel: text().notNull().default('email'),
    /** What the words are made of; never a secret. */
    data: jsonb().$type<Record<string, any>>().notNull().default({}),
    /** As it went out, or as it would have. A password is never kept. */
    title: text(),
    body: text(),
    recipient: text(),
    status: text().notNull().default('queued'),
    /** The letter brings a new password. */
    bringsPassword: boolean().notNull().default(false),
    /** The hash this letter wrote at its last attempt: the only one that its next attempt may replace. */
    passwordHash: text(),
    attempts: integer().notNull().default(0),
    /** Queued: not before this. Being sent: whoever sends it has until then. */
    dueAt: createdAt(),
    lastError: text(),
    /** Said twice counts once. */
    key: text(),
    createdAt: createdAt(),
    sentAt: at(),
    readAt: at(),
  },
  (t) => [
    unique('notifications_key').on(t.key),
    index('notifications_due').on(t.dueAt, t.id).where(sql`${t.status} in ('queued', 'sending')`),
    index('notifications_unsent').on(t.id).where(sql`${t.status} in ('failed', 'captured')`),
    index('notifications_user').on(t.userId, t.id),
    check('notifications_status', sql`${t.status} in ('queued', 'sending', 'sent', 'captured', 'failed')`),
  ],
)

/** One row: whether letters go out. All processes that send share it. */
export const mailService = pgTable(
  'mail_service',
  {
    id: integer().primaryKey().default(1),
    /** Switched off after repeated failures of the mail server; an admin switches it on again. */
    isEnabled: boolean().notNull().default(true),
    failuresInRow: integer().notNull().default(0),
    lastError: text(),
    switchedOffAt: at(),
    /** Counts the resets: a sender that sees a new number dials anew. */
    generation: bigint({ mode: 'number' }).notNull().default(0),
  },
  (t) => [check('mail_service_one', sql`${t.id} = 1`)],
)
