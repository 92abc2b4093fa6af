import { users } from '../identity/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  bigint,
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  sql,
  text,
  unique,
  uniqueIndex,
} from '../postgres/drizzle.ts'
import { letters, signs } from './search-key.ts'
import {
  billingRunStatuses,
  contractStatuses,
  customerStatuses,
  dayKinds,
  documentTypes,
  paymentMethods,
  paymentStatuses,
  simHolders,
  simStatuses,
  suspensionReasons,
  ticketCategories,
  ticketPriorities,
  ticketStatuses,
  transactionTypes,
} from './words.ts'

/** Hundredths of the currency. */
const minor = () => bigint({ mode: 'number' })

export const customers = pgTable(
  'customers',
  {
    id: id(),
    firstName: text().notNull(),
    lastName: text().notNull(),
    middleName: text(),
    birthDate: date(),
    /** E.164. */
    phone: text().notNull(),
    /** In small letters. */
    email: text(),
    documentType: text({ enum: documentTypes }).notNull(),
    documentNumber: text().notNull(),
    passportIssuedBy: text(),
    passportIssueDate: date(),
    address: text(),
    status: text({ enum: customerStatuses }).notNull().default('active'),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
    /** What a search looks in. No word of a search has a line break in it, so none is found across two fields. */
    searchText: text().generatedAlwaysAs(
      sql`lower(last_name || E'\\n' || first_name || E'\\n' || coalesce(middle_name, '') || E'\\n' || phone || E'\\n' || coalesce(email, ''))`,
    ),
    /** The same as trigrams can find it (search-key.ts). */
    searchKey: text().generatedAlwaysAs(
      sql`translate(lower(last_name || E'\\n' || first_name || E'\\n' || coalesce(middle_name, '') || E'\\n' || phone || E'\\n' || coalesce(email, '')), '${sql.raw(letters)}', '${sql.raw(signs)}')`,
    ),
  },
  (t) => [
    uniqueIndex('customers_phone').on(t.phone).where(sql`${t.deletedAt} is null`),
    uniqueIndex('customers_email').on(t.email).where(sql`${t.deletedAt} is null`),
    // A million of them are ordered by any of these, a page at a time.
    index('customers_by_created').on(t.createdAt, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_updated').on(t.updatedAt, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_last_name').on(t.lastName, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_first_name').on(t.firstName, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_middle_name').on(t.middleName, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_phone').on(t.phone, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_email').on(t.email, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_status').on(t.status, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_document_type').on(t.documentType, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_by_document_number').on(t.documentNumber, t.id).where(sql`${t.deletedAt} is null`),
    index('customers_key').using('gin', t.searchKey.op('gin_trgm_ops')).where(sql`${t.deletedAt} is null`),
    check('customers_status', oneOf(t.status, customerStatuses)),
    check('customers_document', oneOf(t.documentType, documentTypes)),
  ],
)

export const tariffs = pgTable(
  'tariffs',
  {
    id: id(),
    name: text().notNull(),
    description: text().notNull().default(''),
    monthlyFeeMinor: minor().notNull(),
    minutesIncluded: integer().notNull().default(0),
    smsIncluded: integer().notNull().default(0),
    dataGbIncluded: numeric({ precision: 12, scale: 2 }).notNull().default('0'),
    minuteOverageCostMinor: minor().notNull().default(0),
    smsOverageCostMinor: minor().notNull().default(0),
    dataGbOverageCostMinor: minor().notNull().default(0),
    extraOptions: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    isActive: boolean().notNull().default(true),
    /** `prepaid`, `postpaid`, `corporate`, or another short word. */
    tariffType: text().notNull().default('prepaid'),
    priority: integer().notNull().default(0),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('tariffs_name').on(t.name).where(sql`${t.deletedAt} is null`),
    check(
      'tariffs_numbers',
      sql`${t.monthlyFeeMinor} >= 0 and ${t.minutesIncluded} >= 0 and ${t.smsIncluded} >= 0 and ${t.dataGbIncluded} >= 0
        and ${t.minuteOverageCostMinor} >= 0 and ${t.smsOverageCostMinor} >= 0 and ${t.dataGbOverageCostMinor} >= 0`,
    ),
  ],
)

/** The last number of a year: contracts are `CTR-YYYY-NNNNNN`, without a gap. */
export const contractNumbers = pgTable('contract_numbers', {
  year: integer().primaryKey(),
  last: integer().notNull(),
})

/** What a customer pays for. The money is a book of the ledger, owner kind `telecom`, this row's id. */
export const contracts = pgTable(
  'contracts',
  {
    id: id(),
    number: text().notNull(),
    customerId: ref()
      .notNull()
      .references(() => customers.id),
    tariffId: ref()
      .notNull()
      .references(() => tariffs.id),
    status: text({ enum: contractStatuses }).notNull().default('draft'),
    /** Of a suspended one. */
    suspensionReason: text({ enum: suspensionReasons }),
    /** What the book's `balance` is, kept beside it in the transaction of each posting, to list and order by. */
    balanceMinor: minor().notNull().default(0),
    /** All that was charged so far. */
    totalCostMinor: minor().notNull().default(0),
    signedDate: date(),
    /** Days of the configured zone, as all dates here. */
    activationDate: date(),
    terminationDate: date(),
    /** The first day of the first period: period n begins n months after it, on its last day where it is shorter. */
    billingAnchor: date(),
    /** The first day of the period that is charged next. */
    nextBillingDate: date(),
    notes: text().notNull().default(''),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    unique('contracts_number').on(t.number),
    index('contracts_customer').on(t.customerId, t.id).where(sql`${t.deletedAt} is null`),
    index('contracts_tariff').on(t.tariffId, t.id).where(sql`${t.deletedAt} is null`),
    index('contracts_billing')
      .on(t.nextBillingDate, t.id)
      .where(sql`${t.status} in ('active', 'suspended') and ${t.deletedAt} is null`),
    check('contracts_status', oneOf(t.status, contractStatuses)),
    check('contracts_reason', oneOf(t.suspensionReason, suspensionReasons)),
    check('contracts_suspended', sql`(${t.status} = 'suspended') = (${t.suspensionReason} is not null)`),
    check(
      'contracts_billed',
      sql`${t.status} = 'draft' or ${t.status} = 'terminated' or ${t.billingAnchor} is not null`,
    ),
  ],
)

export const sims = pgTable(
  'sims',
  {
    id: id(),
    /** In the one spelling that cabinets' SIMs have, too (protocol/iccid.ts): `stations.iccid` is compared with it as it is. */
    iccid: text().notNull(),
    imsi: text().notNull(),
    /** E.164. */
    msisdn: text().notNull(),
    /** Opens a card after three wrong PINs; never listed, searched or logged. */
    pukCode: text(),
    status: text({ enum: simStatuses }).notNull().default('free'),
    /** Of one that is suspended or blocked: who may let it work again. */
    heldBy: text({ enum: simHolders }),
    contractId: ref().references(() => contracts.id),
    activatedAt: at(),
    deactivatedAt: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
    searchText: text().generatedAlwaysAs(sql`iccid || E'\\n' || imsi || E'\\n' || msisdn`),
  },
  (t) => [
    uniqueIndex('sims_iccid').on(t.iccid).where(sql`${t.deletedAt} is null`),
    uniqueIndex('sims_imsi').on(t.imsi).where(sql`${t.deletedAt} is null`),
    uniqueIndex('sims_msisdn').on(t.msisdn).where(sql`${t.deletedAt} is null`),
    uniqueIndex('sims_contract').on(t.contractId).where(sql`${t.contractId} is not null and ${t.deletedAt} is null`),
    index('sims_search').using('gin', t.searchText.op('gin_trgm_ops')).where(sql`${t.deletedAt} is null`),
    index('sims_status').on(t.status, t.id).where(sql`${t.deletedAt} is null`),
    check('sims_status_known', oneOf(t.status, simStatuses)),
    check('sims_holder', oneOf(t.heldBy, simHolders)),
    check('sims_held', sql`(${t.status} in ('suspended', 'blocked')) = (${t.heldBy} is not null)`),
    check('sims_served', sql`${t.contractId} is null or ${t.status} in ('active', 'suspended', 'blocked')`),
  ],
)

/** What was paid to a contract, or charged. */
export const contractPayments = pgTable(
  'contract_payments',
  {
    id: id(),
    contractId: ref()
      .notNull()
      .references(() => contracts.id),
    transactionType: text({ enum: transactionTypes }).notNull(),
    /** More than 0; of a correction, as it moves the balance. */
    amountMinor: minor().notNull(),
    paymentDate: createdAt(),
    status: text({ enum: paymentStatuses }).notNull().default('pending'),
    paymentMethod: text({ enum: paymentMethods }).notNull().default('cash'),
    /** `TXN-…`, or what the client calls it. */
    transactionId: text().notNull(),
    description: text().notNull().default(''),
    /** Why it failed. */
    failReason: text(),
    processedAt: at(),
    /** Who; null: the clock. */
    processedBy: ref().references(() => users.id),
    /** Of one that is booked: what the contract had then. */
    balanceAfterMinor: minor(),
    /** The ledger's posting; one for each that is booked. */
    postingId: ref(),
    createdBy: ref(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('contract_payments_transaction').on(t.transactionId).where(sql`${t.deletedAt} is null`),
    index('contract_payments_contract').on(t.contractId, t.id).where(sql`${t.deletedAt} is null`),
    index('contract_payments_status').on(t.status, t.id).where(sql`${t.deletedAt} is null`),
    check('contract_payments_type', oneOf(t.transactionType, transactionTypes)),
    check('contract_payments_status_known', oneOf(t.status, paymentStatuses)),
    check('contract_payments_method', oneOf(t.paymentMethod, paymentMethods)),
    check(
      'contract_payments_amount',
      sql`${t.amountMinor} > 0 or ${t.transactionType} = 'correction' and ${t.amountMinor} <> 0`,
    ),
    check('contract_payments_booked', sql`(${t.status} in ('success', 'refunded')) = (${t.postingId} is not null)`),
  ],
)

export const tickets = pgTable(
  'tickets',
  {
    id: id(),
    /** Null: it is about a station that nobody is known to pay for. */
    customerId: ref().references(() => customers.id),
    contractId: ref().references(() => contracts.id),
    /** The cabinet that a ticket which opened itself is about. No foreign key: stations are another business. */
    stationId: ref(),
    subject: text().notNull(),
    description: text().notNull().default(''),
    category: text({ enum: ticketCategories }).notNull().default('other'),
    status: text({ enum: ticketStatuses }).notNull().default('new'),
    priority: text({ enum: ticketPriorities }).notNull().default('medium'),
    assignedTo: ref().references(() => users.id),
    /** Null: it opened itself. */
    createdBy: ref().references(() => users.id),
    assignedAt: at(),
    /** When whoever has it began; null again when somebody else gets it, or it is opened again. */
    startedAt: at(),
    resolvedAt: at(),
    closedAt: at(),
    resolution: text(),
    /** Why it was closed without a resolution. */
    closeReason: text(),
    /** What a ticket that opened itself knows of the cause. */
    evidence: jsonb().$type<unknown>(),
    /** When it is overdue; counted on from `pausedAt` while its clock stands still. Null: no clock. */
    dueAt: at(),
    /** Since when the clock stands still: it waits, or is resolved. */
    pausedAt: at(),
    /** How long it stood still before. */
    pausedSeconds: bigint({ mode: 'number' }).notNull().default(0),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    index('tickets_customer').on(t.customerId, t.id).where(sql`${t.deletedAt} is null`),
    index('tickets_contract').on(t.contractId, t.id).where(sql`${t.deletedAt} is null`),
    index('tickets_assigned').on(t.assignedTo, t.id).where(sql`${t.deletedAt} is null`),
    index('tickets_status').on(t.status, t.id).where(sql`${t.deletedAt} is null`),
    index('tickets_due').on(t.dueAt, t.id).where(sql`${t.status} in ('new', 'in_progress') and ${t.deletedAt} is null`),
    uniqueIndex('tickets_station_open')
      .on(t.stationId)
      .where(sql`${t.stationId} is not null and ${t.status} not in ('resolved', 'closed') and ${t.deletedAt} is null`),
    check('tickets_category', oneOf(t.category, ticketCategories)),
    check('tickets_status_known', oneOf(t.status, ticketStatuses)),
    check('tickets_priority', oneOf(t.priority, ticketPriorities)),
    check('tickets_whose', sql`num_nonnulls(${t.customerId}, ${t.stationId}) > 0`),
    check('tickets_paused', sql`${t.pausedSeconds} >= 0`),
  ],
)

/** One run of the monthly billing: it goes on where it stopped, whichever process goes on with it. */
export const billingRuns = pgTable(
  'billing_runs',
  {
    id: id(),
    /** Periods that begin until this day are charged. */
    untilDay: date().notNull(),
    status: text({ enum: billingRunStatuses }).notNull().default('running'),
    startedAt: createdAt(),
    /** The last sign of life. */
    movedAt: createdAt(),
    endedAt: at(),
    /** Contracts up to this id are done. */
    lastContractId: ref().notNull().default(0),
    contracts: integer().notNull().default(0),
    charges: integer().notNull().default(0),
    amountMinor: minor().notNull().default(0),
    suspended: integer().notNull().default(0),
    failures: integer().notNull().default(0),
    error: text(),
    createdBy: ref(),
  },
  (t) => [
    uniqueIndex('billing_runs_running').on(t.status).where(sql`${t.status} = 'running'`),
    check('billing_runs_status', oneOf(t.status, billingRunStatuses)),
  ],
)

/** The fee of one contract for one period, once. */
export const billingCharges = pgTable(
  'billing_charges',
  {
    id: id(),
    contractId: ref()
      .notNull()
      .references(() => contracts.id),
    tariffId: ref()
      .notNull()
      .references(() => tariffs.id),
    /** The period is from this day … */
    periodStart: date().notNull(),
    /** … to before this one: the first of the next period. */
    periodEnd: date().notNull(),
    /** What the tariff asked for a whole period. */
    feeMinor: minor().notNull(),
    /** For how many of the period's days it was charged. */
    chargedDays: integer().notNull(),
    periodDays: integer().notNull(),
    amountMinor: minor().notNull(),
    /** The charge that booked it; null: there was nothing to charge. */
    paymentId: ref().references(() => contractPayments.id),
    /** The ledger's posting. */
    postingId: ref(),
    runId: ref().references(() => billingRuns.id),
    createdAt: createdAt(),
  },
  (t) => [
    unique('billing_charges_period').on(t.contractId, t.periodStart),
    index('billing_charges_run').on(t.runId, t.id),
    check(
      'billing_charges_numbers',
      sql`${t.feeMinor} >= 0 and ${t.amountMinor} between 0 and ${t.feeMinor}
        and ${t.chargedDays} between 0 and ${t.periodDays} and ${t.periodEnd} > ${t.periodStart}`,
    ),
    check('billing_charges_booked', sql`(${t.amountMinor} > 0) = (${t.postingId} is not null)`),
  ],
)

/** The years of which the operator has said which days are free; a term that reaches into another is not counted. */
export const workCalendars = pgTable(
  'work_calendars',
  {
    /** ISO 3166: `KG`. */
    country: text().notNull(),
    year: integer().notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.country, t.year] })],
)

/** The days of a year that differ from what their weekday is. */
export const workCalendarDays = pgTable(
  'work_calendar_days',
  {
    country: text().notNull(),
    day: date().notNull(),
    kind: text({ enum: dayKinds }).notNull(),
    name: text(),
  },
  (t) => [primaryKey({ columns: [t.country, t.day] }), check('work_calendar_days_kind', oneOf(t.kind, dayKinds))],
)

/** When the operator works: minutes of the day, in the schedule's zone. A weekday may have several spans. */
export const slaHours = pgTable(
  'sla_hours',
  {
    /** ISO: 1 is Monday. */
    weekday: integer().notNull(),
    fromMinute: integer().notNull(),
    toMinute: integer().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.weekday, t.fromMinute] }),
    check(
      'sla_hours_numbers',
      sql`${t.weekday} between 1 and 7 and ${t.fromMinute} >= 0 and ${t.fromMinute} < ${t.toMinute} and ${t.toMinute} <= 1440`,
    ),
  ],
)

/** How long a ticket of a priority may take; one that is not here has the standard term. */
export const slaTargets = pgTable(
  'sla_targets',
  {
    priority: text({ enum: ticketPriorities }).primaryKey(),
    minutes: integer().notNull(),
  },
  (t) => [
    check('sla_targets_priority', oneOf(t.priority, ticketPriorities)),
    check('sla_targets_minutes', sql`${t.minutes} > 0`),
  ],
)
