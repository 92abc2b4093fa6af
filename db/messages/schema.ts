import { users } from '../identity/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  sql,
  text,
  unique,
} from '../postgres/drizzle.ts'
import { inboxStates, notificationStatuses } from './words.ts'

const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' })

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

export const events = pgTable(
  'events',
  {
    id: id(),
    xid: xid8().notNull().default(sql`pg_current_xact_id()`),
    kind: text().notNull(),
    stationId: ref(),
    userId: ref(),
    orderId: ref(),
    data: jsonb().$type<Record<string, any>>().notNull().default({}),
    /** What a device said that made it true, as hex; null: no device did. */
    frame: text(),
    createdAt: createdAt(),
  },
  (t) => [
    index('events_tail').on(t.xid, t.id),
    index('events_station').on(t.stationId, t.id),
    index('events_user').on(t.userId, t.xid, t.id).where(sql`${t.userId} is not null`),
    index('events_order').on(t.orderId, t.id).where(sql`${t.orderId} is not null`),
    index('events_bank').on(sql`(${t.data}->>'powerbankId')`, t.id).where(sql`(${t.data}->>'powerbankId') is not null`),
  ],
)

export const inbox = pgTable(
  'inbox',
  {
    id: id(),
    /** `1c`, `bitrix24` … */
    provider: text().notNull(),
    /** What makes it the same webhook event for its sender: a document number, an event and its object. */
    dedupKey: text().notNull(),
    /** SHA-256 of what it says, hex. */
    contentHash: text().notNull(),
    raw: bytea().notNull(),
    /** Never a secret: content type, user agent. */
    headers: jsonb().$type<Record<string, string>>().notNull().default({}),
    address: text(),
    state: text({ enum: inboxStates }).notNull().default('received'),
    attempts: integer().notNull().default(0),
    /** The first answer; a repetition hears it again. */
    result: jsonb().$type<Record<string, any>>(),
    lastError: text(),
    /** How often the same was said again. */
    repeats: integer().notNull().default(0),
    receivedAt: createdAt(),
    /** The last attempt. */
    workedAt: at(),
  },
  (t) => [
    unique('inbox_once').on(t.provider, t.dedupKey),
    index('inbox_state').on(t.state, t.id),
    check('inbox_state_known', oneOf(t.state, inboxStates)),
  ],
)

export const notifications = pgTable(
  'notifications',
  {
    id: id(),
    /** Whose news it is; null: of somebody without a login. */
    userId: ref().references(() => users.id),
    surface: text().notNull(),
    /** Whom it is for on a surface whose people need no login: the customer of 2GETPRO. */
    ownerId: ref(),
    kind: text().notNull(),
    /** `email`, `telegram`, or `app`: shown where they are logged in, and nowhere sent. */
    channel: text().notNull().default('email'),
    /** In whose words; null: Russian. */
    languageCode: text(),
    /** What it was told with to many. */
    batchId: ref(),
    /** What the words are made of; never a secret. */
    data: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** As it went out, or as it would have. A password is never kept. */
    title: text(),
    body: text(),
    /** Where it went, or is to go; of a person with a login it is looked up when it goes. */
    recipient: text(),
    status: text({ enum: notificationStatuses }).notNull().default('queued'),
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
    index('notifications_owner').on(t.surface, t.ownerId, t.id).where(sql`${t.ownerId} is not null`),
    index('notifications_batch').on(t.batchId, t.status).where(sql`${t.batchId} is not null`),
    index('notifications_chat')
      .on(t.recipient, t.id)
      .where(sql`${t.channel} = 'telegram' and ${t.status} in ('queued', 'sending')`),
    check('notifications_status', oneOf(t.status, notificationStatuses)),
  ],
)

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

export const auditLog = pgTable(
  'audit_log',
  {
    id: id(),
    userId: ref(),
    surface: text().notNull(),
    action: text().notNull(),
    entityType: text().notNull(),
    entityId: ref(),
    oldValues: jsonb(),
    newValues: jsonb(),
    description: text(),
    ip: text(),
    userAgent: text(),
    createdAt: createdAt(),
  },
  (t) => [
    index('audit_log_entity').on(t.entityType, t.entityId, t.id),
    index('audit_log_user').on(t.userId, t.id),
    index('audit_log_action').on(t.action, t.id),
  ],
)
