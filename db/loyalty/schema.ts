import { users } from '../identity/schema.ts'
import { ledgerPostings } from '../ledger/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import { bigint, boolean, check, index, pgTable, sql, text, unique, uniqueIndex } from '../postgres/drizzle.ts'
import { cardTiers, certificateStatuses, currencies, eventTypes, rewardTypes, transactionTypes } from './words.ts'

/** Hundredths of a point, a kopeck of cashback. */

const minor = () => bigint({ mode: 'number' })

/** Somebody's card of the loyalty programme (docs/contracts.md A3). The balances are the ledger's. */

export const loyaltyAccounts = pgTable(
  'loyalty_accounts',
  {
    id: id(),
    userId: ref()
      .notNull()
      .unique('loyalty_accounts_user')
      .references(() => users.id),
    cardNumber: text().notNull().unique('loyalty_accounts_card'),
    cardTier: text({ enum: cardTiers }).notNull().default('bronze'),
    totalPointsEarned: minor().notNull().default(0),
    totalPointsSpent: minor().notNull().default(0),
    totalCashbackEarned: minor().notNull().default(0),
    totalCashbackSpent: minor().notNull().default(0),
    isActive: boolean().notNull().default(true),
    createdAt: createdAt(),
  },
  (t) => [check('loyalty_accounts_tier', oneOf(t.cardTier, cardTiers))],
)

/** What the client sees of each posting of points and cashback (docs/contracts.md 3.2). */

export const loyaltyTransactions = pgTable(
  'loyalty_transactions',
  {
    id: id(),
    accountId: ref()
      .notNull()
      .references(() => loyaltyAccounts.id),
    transactionType: text({ enum: transactionTypes }).notNull(),
    amount: minor().notNull(),
    currency: text({ enum: currencies }).notNull(),
    source: text().notNull(),
    sourceId: text(),
    description: text(),
    idempotencyKey: text().unique('loyalty_transactions_key'),
    /** What the key was first used for. */
    requestHash: text(),
    isReversed: boolean().notNull().default(false),
    reversedById: ref(),
    /** Of an accrual: what of it is neither spent nor expired, and when that expires (null: never). */
    remaining: minor(),
    expiresAt: at(),
    postingId: ref()
      .notNull()
      .references(() => ledgerPostings.id),
    createdBy: ref(),
    createdAt: createdAt(),
  },
  (t) => [
    index('loyalty_transactions_account').on(t.accountId, t.id),
    index('loyalty_transactions_created').on(t.createdAt),
    index('loyalty_transactions_lots').on(t.accountId, t.currency, t.expiresAt, t.id).where(sql`${t.remaining} > 0`),
    index('loyalty_transactions_expiring').on(t.expiresAt).where(sql`${t.remaining} > 0`),
    check('loyalty_transactions_type', oneOf(t.transactionType, transactionTypes)),
    check('loyalty_transactions_currency', oneOf(t.currency, currencies)),
    check('loyalty_transactions_amount', sql`${t.amount} > 0 and ${t.remaining} between 0 and ${t.amount}`),
  ],
)

/** A gift certificate (docs/contracts.md 3.3). What is left on it is the balance of its book. */

export const certificates = pgTable(
  'certificates',
  {
    id: id(),
    code: text().notNull().unique('certificates_code'),
    initialAmount: minor().notNull(),
    status: text({ enum: certificateStatuses }).notNull().default('active'),
    ownerId: ref().references(() => users.id),
    message: text(),
    designTemplate: text(),
    validFrom: createdAt(),
    validUntil: at().notNull(),
    usedAt: at(),
    createdBy: ref(),
    /** The seller's `Idempotency-Key`, and what it was used for. */
    idempotencyKey: text(),
    requestHash: text(),
    issuedAt: createdAt(),
  },
  (t) => [
    uniqueIndex('certificates_key').on(t.createdBy, t.idempotencyKey).where(sql`${t.idempotencyKey} is not null`),
    index('certificates_owner').on(t.ownerId, t.id),
    index('certificates_status').on(t.status, t.id),
    index('certificates_expiring').on(t.validUntil).where(sql`${t.status} = 'active'`),
    check('certificates_status_known', oneOf(t.status, certificateStatuses)),
    check('certificates_amount', sql`${t.initialAmount} > 0`),
  ],
)

export const certificateTransfers = pgTable(
  'certificate_transfers',
  {
    id: id(),
    certificateId: ref()
      .notNull()
      .references(() => certificates.id),
    fromUserId: ref().references(() => users.id),
    toUserId: ref()
      .notNull()
      .references(() => users.id),
    message: text(),
    transferredBy: ref(),
    transferredAt: createdAt(),
  },
  (t) => [index('certificate_transfers_certificate').on(t.certificateId, t.id)],
)

export const certificateRedemptions = pgTable(
  'certificate_redemptions',
  {
    id: id(),
    certificateId: ref()
      .notNull()
      .references(() => certificates.id),
    amount: minor().notNull(),
    /** What was left after it, as the first answer said. */
    remaining: minor().notNull(),
    redeemedBy: ref(),
    onecDocumentId: text(),
    notes: text(),
    postingId: ref()
      .notNull()
      .references(() => ledgerPostings.id),
    redeemedAt: createdAt(),
  },
  (t) => [
    uniqueIndex('certificate_redemptions_document')
      .on(t.certificateId, t.onecDocumentId)
      .where(sql`${t.onecDocumentId} is not null`),
    index('certificate_redemptions_certificate').on(t.certificateId, t.id),
    check('certificate_redemptions_amount', sql`${t.amount} > 0 and ${t.remaining} >= 0`),
  ],
)

/** docs/contracts.md 3.4. */

export const referralCodes = pgTable(
  'referral_codes',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    code: text().notNull(),
    referrerType: text().notNull(),
    /** Events, whatever their kind. */
    totalReferrals: bigint({ mode: 'number' }).notNull().default(0),
    /** First visits. */
    successfulReferrals: bigint({ mode: 'number' }).notNull().default(0),
    /** Kopecks. */
    totalRevenue: minor().notNull().default(0),
    isActive: boolean().notNull().default(true),
    expiresAt: at(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('referral_codes_code').on(sql`upper(${t.code})`),
    uniqueIndex('referral_codes_active').on(t.userId).where(sql`${t.isActive}`),
  ],
)

export const referralEvents = pgTable(
  'referral_events',
  {
    id: id(),
    referralCodeId: ref()
      .notNull()
      .references(() => referralCodes.id),
    referredUserId: ref()
      .notNull()
      .references(() => users.id),
    eventType: text({ enum: eventTypes }).notNull(),
    /** Kopecks. */
    transactionAmount: minor(),
    onecDocumentId: text(),
    processed: boolean().notNull().default(false),
    createdBy: ref(),
    occurredAt: createdAt(),
  },
  (t) => [
    uniqueIndex('referral_events_once')
      .on(t.referralCodeId, t.referredUserId, t.eventType)
      .where(sql`${t.eventType} in ('registration', 'first_visit')`),
    uniqueIndex('referral_events_document')
      .on(t.onecDocumentId, t.eventType)
      .where(sql`${t.onecDocumentId} is not null`),
    index('referral_events_code').on(t.referralCodeId, t.id),
    check('referral_events_type', oneOf(t.eventType, eventTypes)),
  ],
)

export const referralRewards = pgTable(
  'referral_rewards',
  {
    id: id(),
    eventId: ref()
      .notNull()
      .references(() => referralEvents.id),
    recipientUserId: ref()
      .notNull()
      .references(() => users.id),
    rewardType: text({ enum: rewardTypes }).notNull(),
    rewardAmount: minor().notNull(),
    referralLevel: bigint({ mode: 'number' }).notNull().default(1),
    transactionId: ref()
      .notNull()
      .references(() => loyaltyTransactions.id),
    awardedAt: createdAt(),
  },
  (t) => [
    unique('referral_rewards_once').on(t.eventId, t.recipientUserId),
    index('referral_rewards_recipient').on(t.recipientUserId, t.id),
  ],
)

/** What an event earns. A rule of the referrer's own type goes before one of any (null). */

export const rewardRules = pgTable(
  'reward_rules',
  {
    id: id(),
    /** One of `referral_events`, or `rental`: a finished power-bank rental. */
    eventType: text().notNull(),
    referrerType: text(),
    rewardType: text({ enum: rewardTypes }).notNull(),
    /** Hundredths: of a point, of a rouble, of a percent. */
    value: minor().notNull(),
    isActive: boolean().notNull().default(true),
    /** Since when it holds as it is. */
    activatedAt: createdAt(),
  },
  (t) => [
    unique('reward_rules_once').on(t.eventType, t.referrerType).nullsNotDistinct(),
    check('reward_rules_type', oneOf(t.rewardType, rewardTypes)),
    check('reward_rules_value', sql`${t.value} >= 0`),
  ],
)
