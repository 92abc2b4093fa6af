import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import { users } from '../identity/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  sql,
  text,
  unique,
  uniqueIndex,
} from '../postgres/drizzle.ts'
import {
  type PanelStatus,
  panelTaskStates,
  paymentActKinds,
  paymentActStates,
  paymentProviders,
  paymentStatuses,
  periodKinds,
  purposes,
  renewalStates,
  subscriptionKinds,
} from './words.ts'

/** Hundredths of a rouble. */
const kopecks = () => bigint({ mode: 'number' })

/** A customer: somebody at Telegram, who may have a login here. The balance is a book of the ledger, owner kind `getpro`. */
export const getproAccounts = pgTable(
  'getpro_accounts',
  {
    id: id(),
    telegramId: bigint({ mode: 'number' }).notNull(),
    userId: ref().references(() => users.id),
    username: text(),
    firstName: text(),
    languageCode: text().notNull().default('ru'),
    /** Where receipts go; never shown in lists. */
    email: text(),
    /** What invites others. */
    referralCode: text().notNull(),
    /** Who invited them; came before them, always. */
    inviterId: ref().references((): AnyPgColumn => getproAccounts.id),
    /** The panel's name for them: a number, or the uuid of panels before 3. */
    panelUserId: text(),
    panelStatus: text().$type<PanelStatus>(),
    /** When the panel last told us; what is older is no news. */
    panelSaidAt: at(),
    /** It was we who switched them off there, so we may switch them on again. */
    isPanelOff: boolean().notNull().default(false),
    /** How they want to hear of what. */
    telegramNotices: boolean().notNull().default(true),
    emailNotices: boolean().notNull().default(false),
    paymentNotices: boolean().notNull().default(true),
    subscriptionNotices: boolean().notNull().default(true),
    bonusNotices: boolean().notNull().default(true),
    newsNotices: boolean().notNull().default(true),
    /** They will hear nothing from the bot: they have stopped it, or never began. */
    telegramBlockedAt: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('getpro_accounts_telegram').on(t.telegramId).where(sql`${t.deletedAt} is null`),
    uniqueIndex('getpro_accounts_user').on(t.userId).where(sql`${t.deletedAt} is null`),
    uniqueIndex('getpro_accounts_code').on(t.referralCode),
    index('getpro_accounts_inviter').on(t.inviterId, t.id).where(sql`${t.inviterId} is not null`),
    check('getpro_accounts_numbers', sql`${t.telegramId} > 0 and ${t.inviterId} < ${t.id}`),
  ],
)

/** What can be bought. */
export const plans = pgTable(
  'plans',
  {
    id: id(),
    name: text().notNull(),
    months: integer().notNull(),
    priceKopecks: kopecks().notNull(),
    /** Whole stars; null: not sold for stars. */
    priceStars: integer(),
    trafficLimitBytes: bigint({ mode: 'number' }),
    isActive: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('plans_name').on(sql`lower(${t.name})`).where(sql`${t.deletedAt} is null`),
    check(
      'plans_numbers',
      sql`${t.months} between 1 and 120 and ${t.priceKopecks} > 0 and ${t.priceStars} > 0 and ${t.trafficLimitBytes} > 0`,
    ),
  ],
)

/** An account's access: one, made longer again and again. Its end is the first day plus so many calendar months. */
export const subscriptions = pgTable(
  'subscriptions',
  {
    id: id(),
    accountId: ref()
      .notNull()
      .references(() => getproAccounts.id),
    kind: text({ enum: subscriptionKinds }).notNull(),
    /** Who renews it by itself, like `tribute`; null: nobody but us. */
    provider: text(),
    /** The provider's own name for it. */
    providerSubscriptionId: text(),
    planId: ref().references(() => plans.id),
    /** What was bought last, and is bought again when it renews. */
    lastMonths: integer(),
    /** Months are counted from this day, so that one that began on a 31st ends on a 31st wherever there is one. */
    anchorAt: at().notNull(),
    anchorMonths: integer().notNull().default(0),
    startedAt: at().notNull(),
    endsAt: at().notNull(),
    autoRenews: boolean().notNull().default(false),
    /** When it was said that it is not to be renewed; access lasts until `endsAt`. */
    cancelledAt: at(),
    /** When the provider last told us; what is older is no news. */
    providerSaidAt: at(),
    /** The end of which it was told that it comes, and that it has come. */
    endingToldFor: at(),
    expiredToldFor: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    unique('subscriptions_account').on(t.accountId),
    index('subscriptions_ends').on(t.endsAt, t.id),
    check('subscriptions_kind', oneOf(t.kind, subscriptionKinds)),
    check('subscriptions_months', sql`${t.anchorMonths} >= 0 and ${t.lastMonths} > 0`),
  ],
)

/** What was asked of a provider, and what came of it. */
export const subscriptionPayments = pgTable(
  'subscription_payments',
  {
    id: id(),
    accountId: ref()
      .notNull()
      .references(() => getproAccounts.id),
    purpose: text({ enum: purposes }).notNull(),
    planId: ref().references(() => plans.id),
    /** Of a subscription: what is bought. */
    months: integer(),
    promoCodeId: ref().references((): AnyPgColumn => promoCodes.id),
    provider: text({ enum: paymentProviders }).notNull(),
    /** The provider's name for it; null: it was not asked yet, or did not answer. */
    providerPaymentId: text(),
    /** Our name for it at the provider: nobody guesses it. */
    reference: text().notNull(),
    /** What it is worth to the account; 0: not in roubles, so nothing is booked. */
    amountKopecks: kopecks().notNull(),
    /** What the provider is to take, in its own spelling: `199.00` `RUB`, `150` `XTR`, `2.5` `USDT`. */
    chargedAmount: text().notNull(),
    chargedCurrency: text().notNull(),
    refundedKopecks: kopecks().notNull().default(0),
    status: text({ enum: paymentStatuses }).notNull().default('pending'),
    /** Why it was not paid, in the provider's word. */
    cancelReason: text(),
    description: text(),
    confirmationUrl: text(),
    /** The payer agreed that the method of payment is kept. */
    savesMethod: boolean().notNull().default(false),
    savedMethodId: ref().references(() => savedPaymentMethods.id),
    /** A renewal, not begun by the payer. */
    isRenewal: boolean().notNull().default(false),
    /** Somebody else paid: their Telegram id. */
    paidByTelegramId: bigint({ mode: 'number' }),
    /** Sent with what is asked of the provider, and stored before the first byte leaves. */
    providerKey: text(),
    /** False: the sum is held until it is captured or let go. */
    isCaptured: boolean().notNull().default(true),
    /** When its provider is asked about it next. */
    dueAt: at().notNull().default(sql`now()`),
    /** Until when somebody is asking the provider: nobody else does. */
    leasedUntil: at(),
    /** How often somebody set out to ask: the number is theirs, who has the lease. */
    attempts: integer().notNull().default(0),
    /** Why the provider did not say how it stands. */
    lastError: text(),
    /** Who began it over HTTP, and by which key; the same key for something else is refused. Nobody: a renewal. */
    createdBy: ref(),
    idempotencyKey: text(),
    requestHash: text(),
    createdAt: createdAt(),
    settledAt: at(),
    updatedAt: createdAt(),
  },
  (t) => [
    uniqueIndex('subscription_payments_provider')
      .on(t.provider, t.providerPaymentId)
      .where(sql`${t.providerPaymentId} is not null`),
    unique('subscription_payments_reference').on(t.reference),
    uniqueIndex('subscription_payments_key')
      .on(t.createdBy, t.idempotencyKey)
      .where(sql`${t.idempotencyKey} is not null`),
    uniqueIndex('subscription_payments_own_key')
      .on(t.idempotencyKey)
      .where(sql`${t.createdBy} is null and ${t.idempotencyKey} is not null`),
    index('subscription_payments_due')
      .on(t.provider, t.dueAt, t.id)
      .where(sql`${t.status} in ('pending', 'waiting_for_capture')`),
    index('subscription_payments_account').on(t.accountId, t.id),
    index('subscription_payments_status').on(t.status, t.id),
    check('subscription_payments_status_known', oneOf(t.status, paymentStatuses)),
    check('subscription_payments_provider_known', oneOf(t.provider, paymentProviders)),
    check('subscription_payments_purpose', oneOf(t.purpose, purposes)),
    check(
      'subscription_payments_numbers',
      sql`${t.amountKopecks} >= 0 and ${t.refundedKopecks} between 0 and ${t.amountKopecks} and ${t.months} > 0`,
    ),
  ],
)

/** Money that went back; the payment says how much in all. */
export const subscriptionRefunds = pgTable(
  'subscription_refunds',
  {
    id: id(),
    paymentId: ref()
      .notNull()
      .references(() => subscriptionPayments.id),
    provider: text({ enum: paymentProviders }).notNull(),
    /** The provider's name for it. */
    providerRefundId: text().notNull(),
    amountKopecks: kopecks().notNull(),
    /** What of it was on the balance; the rest was spent meanwhile. */
    takenKopecks: kopecks().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    unique('subscription_refunds_once').on(t.provider, t.providerRefundId),
    index('subscription_refunds_payment').on(t.paymentId, t.id),
    check(
      'subscription_refunds_amounts',
      sql`${t.amountKopecks} >= 0 and ${t.takenKopecks} between 0 and ${t.amountKopecks}`,
    ),
  ],
)

/** What a provider is to do with a payment: a row before it is told, worked until the provider has said what became of it. */
export const paymentActs = pgTable(
  'payment_acts',
  {
    id: id(),
    paymentId: ref()
      .notNull()
      .references(() => subscriptionPayments.id),
    kind: text({ enum: paymentActKinds }).notNull(),
    /** Of a refund: how much. */
    amountKopecks: kopecks(),
    reason: text(),
    state: text({ enum: paymentActStates }).notNull().default('asked'),
    /** The provider's name for it; of refunds only. */
    providerActId: text(),
    /** Sent with it, and stored before the first byte leaves. */
    providerKey: text().notNull(),
    dueAt: at().notNull().default(sql`now()`),
    leasedUntil: at(),
    attempts: integer().notNull().default(0),
    lastError: text(),
    createdBy: ref(),
    idempotencyKey: text(),
    requestHash: text(),
    createdAt: createdAt(),
    endedAt: at(),
  },
  (t) => [
    uniqueIndex('payment_acts_key').on(t.createdBy, t.idempotencyKey).where(sql`${t.idempotencyKey} is not null`),
    // A payment is captured or let go, and one of them at a time.
    uniqueIndex('payment_acts_one').on(t.paymentId).where(sql`${t.kind} <> 'refund' and ${t.state} = 'asked'`),
    index('payment_acts_payment').on(t.paymentId, t.id),
    index('payment_acts_due').on(t.dueAt, t.id).where(sql`${t.state} = 'asked'`),
    check('payment_acts_kind', oneOf(t.kind, paymentActKinds)),
    check('payment_acts_state', oneOf(t.state, paymentActStates)),
    check(
      'payment_acts_amount',
      sql`(${t.kind} = 'refund') = (${t.amountKopecks} is not null) and ${t.amountKopecks} > 0`,
    ),
  ],
)

/** FreeKassa takes a call only under a greater number than any before: one row of numbers for all processes, for ever. */
export const freekassaNonces = pgSequence('freekassa_nonces')

/** Every change of a subscription's end, each once. */
export const subscriptionPeriods = pgTable(
  'subscription_periods',
  {
    id: id(),
    subscriptionId: ref()
      .notNull()
      .references(() => subscriptions.id),
    /** What it is for: `payment 12`, `referral 12 inviter`, `trial` … Said twice counts once. */
    key: text().notNull(),
    kind: text({ enum: periodKinds }).notNull(),
    months: integer().notNull().default(0),
    days: integer().notNull().default(0),
    /** From which day the months were counted. */
    anchorAt: at().notNull(),
    startsAt: at().notNull(),
    endsAt: at().notNull(),
    paymentId: ref().references(() => subscriptionPayments.id),
    createdBy: ref(),
    createdAt: createdAt(),
  },
  (t) => [
    unique('subscription_periods_once').on(t.subscriptionId, t.key),
    index('subscription_periods_payment').on(t.paymentId).where(sql`${t.paymentId} is not null`),
    check('subscription_periods_kind', oneOf(t.kind, periodKinds)),
  ],
)

/** Methods of payment that a provider keeps for somebody, and that may be charged without them. */
export const savedPaymentMethods = pgTable(
  'saved_payment_methods',
  {
    id: id(),
    accountId: ref()
      .notNull()
      .references(() => getproAccounts.id),
    provider: text({ enum: paymentProviders }).notNull(),
    /** What the provider is told to charge; it opens nothing to anybody else, and is shown to nobody. */
    providerMethodId: text().notNull(),
    methodType: text().notNull(),
    title: text(),
    cardLast4: text(),
    cardNetwork: text(),
    isDefault: boolean().notNull().default(false),
    createdAt: createdAt(),
    /** Why it can be charged no more; null: it can. */
    revokedReason: text(),
    deletedAt: at(),
  },
  (t) => [
    unique('saved_payment_methods_once').on(t.provider, t.providerMethodId),
    uniqueIndex('saved_payment_methods_default').on(t.accountId).where(sql`${t.isDefault} and ${t.deletedAt} is null`),
    check('saved_payment_methods_provider', oneOf(t.provider, paymentProviders)),
  ],
)

export const promoCodes = pgTable(
  'promo_codes',
  {
    id: id(),
    /** Upper case. */
    code: text().notNull(),
    bonusDays: integer().notNull(),
    activationsMax: integer().notNull(),
    activations: integer().notNull().default(0),
    validUntil: at(),
    isActive: boolean().notNull().default(true),
    createdBy: ref(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('promo_codes_code').on(t.code).where(sql`${t.deletedAt} is null`),
    check(
      'promo_codes_numbers',
      sql`${t.code} = upper(${t.code}) and ${t.bonusDays} between 1 and 3650 and ${t.activations} between 0 and ${t.activationsMax}`,
    ),
  ],
)

export const promoCodeActivations = pgTable(
  'promo_code_activations',
  {
    id: id(),
    promoCodeId: ref()
      .notNull()
      .references(() => promoCodes.id),
    accountId: ref()
      .notNull()
      .references(() => getproAccounts.id),
    paymentId: ref().references(() => subscriptionPayments.id),
    activatedAt: createdAt(),
  },
  (t) => [unique('promo_code_activations_once').on(t.promoCodeId, t.accountId)],
)

/** Every attempt to renew a subscription unasked, each once. */
export const subscriptionRenewals = pgTable(
  'subscription_renewals',
  {
    id: id(),
    subscriptionId: ref()
      .notNull()
      .references(() => subscriptions.id),
    /** The end that it was to be renewed at: it names the period. */
    periodEnd: at().notNull(),
    /** Which of the attempts that the settings name, from 0. */
    step: integer().notNull(),
    state: text({ enum: renewalStates }).notNull(),
    /** Null: from the balance. */
    paymentId: ref().references(() => subscriptionPayments.id),
    amountKopecks: kopecks().notNull(),
    /** Why it failed. */
    reason: text(),
    createdAt: createdAt(),
    endedAt: at(),
  },
  (t) => [
    unique('subscription_renewals_once').on(t.subscriptionId, t.periodEnd, t.step),
    // A period is never paid twice, and nothing is charged while another charge may still come.
    uniqueIndex('subscription_renewals_paid').on(t.subscriptionId, t.periodEnd).where(sql`${t.state} = 'succeeded'`),
    uniqueIndex('subscription_renewals_pending').on(t.subscriptionId).where(sql`${t.state} = 'pending'`),
    uniqueIndex('subscription_renewals_payment').on(t.paymentId).where(sql`${t.paymentId} is not null`),
    check('subscription_renewals_state', oneOf(t.state, renewalStates)),
  ],
)

/** What the panel is to be told of an account: one row, for only how things stand now is told. */
export const panelTasks = pgTable(
  'panel_tasks',
  {
    id: id(),
    accountId: ref()
      .notNull()
      .references(() => getproAccounts.id),
    /** What changed last. */
    reason: text().notNull(),
    /** Counts the changes: what was told is done only if nothing changed meanwhile. */
    version: integer().notNull().default(1),
    state: text({ enum: panelTaskStates }).notNull().default('waiting'),
    attempts: integer().notNull().default(0),
    dueAt: createdAt(),
    /** Whoever works it has it until then. */
    leasedUntil: at(),
    /** Counts those who took it: whose lease is over is not heard any more. */
    claims: integer().notNull().default(0),
    lastError: text(),
    createdAt: createdAt(),
    changedAt: createdAt(),
    doneAt: at(),
  },
  (t) => [
    unique('panel_tasks_account').on(t.accountId),
    index('panel_tasks_due').on(t.dueAt, t.id).where(sql`${t.state} = 'waiting'`),
    index('panel_tasks_state').on(t.state, t.id),
    check('panel_tasks_state_known', oneOf(t.state, panelTaskStates)),
  ],
)

/** What an admin tells many at once. */
export const getproBroadcasts = pgTable(
  'getpro_broadcasts',
  {
    id: id(),
    /** Plain text by language. */
    words: jsonb().$type<Record<string, { title: string; body: string }>>().notNull(),
    /** To how many. */
    total: integer().notNull(),
    createdBy: ref().notNull(),
    idempotencyKey: text(),
    requestHash: text(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('getpro_broadcasts_key').on(t.createdBy, t.idempotencyKey).where(sql`${t.idempotencyKey} is not null`),
  ],
)

/** Links by which somebody at Telegram becomes the customer of a login, each good once. */
export const telegramLinks = pgTable('telegram_links', {
  id: id(),
  userId: ref()
    .notNull()
    .references(() => users.id),
  expiresAt: at().notNull(),
  usedAt: at(),
  telegramId: bigint({ mode: 'number' }),
  createdAt: createdAt(),
})
