import { devices } from '../devices/schema.ts'
import { users } from '../identity/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  bigint,
  boolean,
  check,
  date,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  sql,
  text,
  unique,
  uniqueIndex,
} from '../postgres/drizzle.ts'
import type { Spoken } from './acquirer.ts'
import type { Answer, Figures } from './decide/snapshot.ts'
import {
  type ActResult,
  actResults,
  acts,
  biometricTypes,
  type CardType,
  cardTypes,
  type PaymentMethod,
  paymentMethods,
  type TerminalCondition,
  type TerminalType,
  terminalConditions,
  terminalTypes,
  transactionKinds,
  transactionStatuses,
} from './words.ts'

/** Minor units of the transaction's currency. */
const minor = () => bigint({ mode: 'number' })

export const terminals = pgTable(
  'terminals',
  {
    /** Its device's; that row has the serial. */
    id: ref()
      .primaryKey()
      .references(() => devices.id),
    /** Field 41 of all it says, and its name at a broker. */
    terminalCode: text().notNull(),
    name: text().notNull(),
    location: text().notNull(),
    address: text().notNull(),
    latitude: doublePrecision(),
    longitude: doublePrecision(),
    terminalType: text().$type<TerminalType>().notNull().default('standalone'),
    /** Set by commands and people; whether it is online its session says. */
    condition: text().$type<TerminalCondition>().notNull().default('working'),
    model: text(),
    manufacturer: text(),
    softwareVersion: text(),
    supportedPaymentMethods: text().$type<PaymentMethod>().array().notNull(),
    hardwareInfo: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    configuration: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** The last STAN the host gave to a command of its own. */
    lastHostStan: integer().notNull().default(0),
    isActive: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('terminals_code').on(t.terminalCode).where(sql`${t.deletedAt} is null`),
    check('terminals_code_form', sql`${t.terminalCode} ~ '^[A-Z0-9]{8}$'`),
    check('terminals_type', oneOf(t.terminalType, terminalTypes)),
    check('terminals_condition', oneOf(t.condition, terminalConditions)),
    check(
      'terminals_methods',
      sql`${t.supportedPaymentMethods} <@ ${sql.raw(`'{${paymentMethods.join(',')}}'`)}::text[]`,
    ),
  ],
)

export const paymentCards = pgTable(
  'payment_cards',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    /** Random; what stands for the number wherever one is asked for. */
    token: text().notNull().unique(),
    /** Only the last four digits are left in it. */
    maskedNumber: text().notNull(),
    /** Of the number, under the house's key: tells that two cards are one, and nothing else. */
    fingerprint: text().notNull(),
    bankName: text(),
    cardholderName: text(),
    cardType: text().$type<CardType>().notNull().default('unknown'),
    isPrimary: boolean().notNull().default(false),
    /** The last day of its month. */
    expiresAt: date().notNull(),
    createdAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('payment_cards_once').on(t.userId, t.fingerprint).where(sql`${t.deletedAt} is null`),
    uniqueIndex('payment_cards_primary').on(t.userId).where(sql`${t.isPrimary} and ${t.deletedAt} is null`),
    index('payment_cards_fingerprint').on(t.fingerprint).where(sql`${t.deletedAt} is null`),
    check('payment_cards_type', oneOf(t.cardType, cardTypes)),
  ],
)

/** What one card paid, or was asked to. */
export const transactions = pgTable(
  'transactions',
  {
    id: id(),
    terminalId: ref().references(() => terminals.id),
    userId: ref().references(() => users.id),
    cardId: ref().references(() => paymentCards.id),
    /** What it began as. `stored`: over HTTP, with a card that is kept. */
    kind: text({ enum: transactionKinds }).notNull(),
    status: text({ enum: transactionStatuses }).notNull(),
    currency: text().notNull().default('RUB'),
    saidMinor: minor().notNull(),
    /** What is to be taken: of a hold, once it is completed, what is due. */
    amountMinor: minor().notNull(),
    bookedMinor: minor().notNull().default(0),
    refundedMinor: minor().notNull().default(0),
    /** What the acquirer was told and has not answered. */
    act: text({ enum: acts }),
    actMinor: minor().notNull().default(0),
    isGivenUp: boolean().notNull().default(false),
    isCounted: boolean().notNull().default(false),
    paymentMethod: text().$type<PaymentMethod>().notNull(),
    cardMasked: text(),
    cardFingerprint: text(),
    /** As the terminal said it (docs/protocol.md 7.5); null: no terminal began it. `day`: field 13 with its year. */
    mti: text(),
    stan: text(),
    day: date(),
    sentAt: text(),
    localTime: text(),
    entryMode: text(),
    condition: text(),
    merchant: text(),
    rrn: text(),
    approval: text(),
    /** What the terminal was answered, or would have been. */
    code: text(),
    description: text(),
    /** Who began it over HTTP, and by which key; the same key for something else is refused. */
    createdBy: ref(),
    idempotencyKey: text(),
    requestHash: text(),
    createdAt: createdAt(),
    completedAt: at(),
    updatedAt: createdAt(),
  },
  (t) => [
    index('transactions_terminal').on(t.terminalId, t.id),
    index('transactions_said').on(t.terminalId, t.stan, t.sentAt),
    index('transactions_rrn').on(t.rrn).where(sql`${t.rrn} is not null`),
    index('transactions_user').on(t.userId, t.id),
    index('transactions_fingerprint').on(t.cardFingerprint, t.id),
    index('transactions_status').on(t.status, t.id),
    index('transactions_created').on(t.createdAt, t.id),
    uniqueIndex('transactions_key').on(t.createdBy, t.idempotencyKey).where(sql`${t.idempotencyKey} is not null`),
    check('transactions_kind', oneOf(t.kind, transactionKinds)),
    check('transactions_status_known', oneOf(t.status, transactionStatuses)),
    check('transactions_method', oneOf(t.paymentMethod, paymentMethods)),
    check(
      'transactions_amounts',
      sql`${t.saidMinor} > 0 and ${t.amountMinor} > 0 and ${t.bookedMinor} >= 0 and ${t.refundedMinor} between 0 and ${t.amountMinor}`,
    ),
  ],
)

/** What terminals said and were answered: the same again hears the same. */
export const terminalMessages = pgTable(
  'terminal_messages',
  {
    id: id(),
    terminalId: ref()
      .notNull()
      .references(() => terminals.id),
    /** Field 13 with its year; of a message without it, the day of field 7. */
    day: date().notNull(),
    stan: text().notNull(),
    /** An advice may have the STAN of the purchase that it is about. */
    isAbout: boolean().notNull().default(false),
    kind: text().notNull(),
    /** SHA-256 of what it says, without what a repetition may change. */
    contentHash: text().notNull(),
    transactionId: ref().references(() => transactions.id),
    answer: jsonb().$type<Answer & { figures?: Figures }>(),
    receivedAt: createdAt(),
    answeredAt: at(),
  },
  (t) => [
    unique('terminal_messages_once').on(t.terminalId, t.day, t.stan, t.isAbout),
    index('terminal_messages_transaction').on(t.transactionId),
  ],
)

/** Reversals, by what they reverse: its original may come after it. */
export const terminalReversals = pgTable(
  'terminal_reversals',
  {
    id: id(),
    terminalId: ref()
      .notNull()
      .references(() => terminals.id),
    originalMti: text().notNull(),
    originalStan: text().notNull(),
    originalSentAt: text().notNull(),
    amountMinor: minor().notNull(),
    createdAt: createdAt(),
  },
  (t) => [unique('terminal_reversals_original').on(t.terminalId, t.originalStan, t.originalSentAt, t.originalMti)],
)

/** What a terminal and we have counted since we last agreed (docs/protocol.md 7.5, 0500). */
export const terminalBatches = pgTable(
  'terminal_batches',
  {
    id: id(),
    terminalId: ref()
      .notNull()
      .references(() => terminals.id),
    credits: integer().notNull().default(0),
    creditsReversed: integer().notNull().default(0),
    debits: integer().notNull().default(0),
    debitsReversed: integer().notNull().default(0),
    creditsMinor: minor().notNull().default(0),
    creditsReversedMinor: minor().notNull().default(0),
    debitsMinor: minor().notNull().default(0),
    debitsReversedMinor: minor().notNull().default(0),
    openedAt: createdAt(),
    closedAt: at(),
  },
  (t) => [
    uniqueIndex('terminal_batches_open').on(t.terminalId).where(sql`${t.closedAt} is null`),
    index('terminal_batches_terminal').on(t.terminalId, t.id),
  ],
)

/** What the acquirer was told, each under a number of its own that is done once. Written before it is told. */
export const acquirerActs = pgTable(
  'acquirer_acts',
  {
    id: id(),
    transactionId: ref()
      .notNull()
      .references(() => transactions.id),
    act: text({ enum: acts }).notNull(),
    amountMinor: minor().notNull(),
    /** Null: not answered. */
    result: text().$type<ActResult>(),
    code: text(),
    /** Of a refund: who wanted it, why, and by which key. */
    requestedBy: ref(),
    reason: text(),
    idempotencyKey: text(),
    requestHash: text(),
    attempts: integer().notNull().default(0),
    /** It is time to tell it, or to ask what became of it; whoever does has until then. Null: nothing to do. */
    dueAt: at(),
    createdAt: createdAt(),
    answeredAt: at(),
  },
  (t) => [
    index('acquirer_acts_transaction').on(t.transactionId, t.id),
    index('acquirer_acts_due').on(t.dueAt, t.id).where(sql`${t.dueAt} is not null`),
    uniqueIndex('acquirer_acts_key')
      .on(t.transactionId, t.requestedBy, t.idempotencyKey)
      .where(sql`${t.idempotencyKey} is not null`),
    check('acquirer_acts_act', oneOf(t.act, acts)),
    check('acquirer_acts_result', sql`${t.result} is null or ${oneOf(t.result, actResults)}`),
    check('acquirer_acts_amount', sql`${t.amountMinor} > 0`),
  ],
)

/**
 * What the simulated acquirer remembers of a transaction: its own memory, as another house would have it. Nothing of ours
 * reads it but through the port.
 */
export const simulatedAcquirer = pgTable('simulated_acquirer', {
  transactionId: ref().primaryKey(),
  heldMinor: minor().notNull().default(0),
  takenMinor: minor().notNull().default(0),
  refundedMinor: minor().notNull().default(0),
  isReversed: boolean().notNull().default(false),
  /** What was said to each number: a number is done once. */
  replies: jsonb().$type<Record<string, Spoken>>().notNull().default({}),
})

/** Where money and books may differ, and people have to look. */
export const paymentExceptions = pgTable(
  'payment_exceptions',
  {
    id: id(),
    terminalId: ref().references(() => terminals.id),
    transactionId: ref().references(() => transactions.id),
    what: text().notNull(),
    createdAt: createdAt(),
    resolvedAt: at(),
    resolvedBy: ref(),
  },
  (t) => [index('payment_exceptions_open').on(t.id).where(sql`${t.resolvedAt} is null`)],
)

/** What terminals and their handling gave to note. */
export const terminalLogs = pgTable(
  'terminal_logs',
  {
    id: id(),
    terminalId: ref()
      .notNull()
      .references(() => terminals.id),
    level: text().notNull(),
    message: text().notNull(),
    component: text(),
    additionalData: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (t) => [index('terminal_logs_terminal').on(t.terminalId, t.id)],
)

export const biometricTemplates = pgTable(
  'biometric_templates',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    templateType: text({ enum: biometricTypes }).notNull(),
    /** HMAC-SHA256 under the house's key: equality is all that is ever asked. */
    templateHash: text().notNull(),
    createdAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('biometric_templates_once').on(t.userId, t.templateType).where(sql`${t.deletedAt} is null`),
    check('biometric_templates_type', oneOf(t.templateType, biometricTypes)),
  ],
)

export const notificationSettings = pgTable('notification_settings', {
  userId: ref()
    .primaryKey()
    .references(() => users.id),
  pushNotifications: boolean().notNull().default(true),
  smsNotifications: boolean().notNull().default(true),
  emailNotifications: boolean().notNull().default(false),
  transactionAlerts: boolean().notNull().default(true),
  securityAlerts: boolean().notNull().default(true),
  updatedAt: createdAt(),
})
