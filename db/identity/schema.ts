import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  boolean,
  check,
  date,
  index,
  integer,
  pgTable,
  sql,
  text,
  unique,
  uniqueIndex,
  uuid,
} from '../postgres/drizzle.ts'
import { roles, type Surface, unitTypes, userStatuses } from './words.ts'

export const orgUnits = pgTable(
  'org_units',
  {
    id: id(),
    parentId: ref().references((): AnyPgColumn => orgUnits.id),
    unitType: text({ enum: unitTypes }).notNull(),
    name: text().notNull(),
    /** Spelt as in the document (docs/contracts.md 4). */
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
    check('org_units_type', oneOf(t.unitType, unitTypes)),
    check('org_units_shape', sql`(${t.unitType} = 'group') = (${t.parentId} is null)`),
    check(
      'org_units_numbers',
      sql`${t.defaultPowerbankLimit} >= 0 and ${t.reminderHours} > 0 and ${t.writeOffHours} > 0`,
    ),
  ],
)

export const users = pgTable(
  'users',
  {
    id: id(),
    email: text(),
    /** E.164; `phone_e164` on the power-bank surface. */
    phone: text(),
    username: text(),
    fullName: text().notNull(),
    /** argon2id, PHC string. Null: cannot log in with a password. */
    passwordHash: text(),
    status: text({ enum: userStatuses }).notNull().default('pending'),
    isVerified: boolean().notNull().default(false),
    failedLoginAttempts: integer().notNull().default(0),
    lockedUntil: at(),
    dateOfBirth: date(),
    avatarUrl: text(),
    languageCode: text().notNull().default('ru'),
    /** Who 1C knows this person as. */
    externalId: text(),
    bitrixContactId: text(),
    /** Own limit of open borrow orders; null: the unit's default (docs/contracts.md 4.8). */
    powerbankLimit: integer(),
    rejectReason: text(),
    lastLoginAt: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('users_email').on(sql`lower(${t.email})`).where(sql`${t.deletedAt} is null`),
    uniqueIndex('users_phone').on(t.phone).where(sql`${t.deletedAt} is null`),
    uniqueIndex('users_username').on(sql`lower(${t.username})`).where(sql`${t.deletedAt} is null`),
    uniqueIndex('users_external_id').on(t.externalId).where(sql`${t.deletedAt} is null`),
    uniqueIndex('users_bitrix_contact').on(t.bitrixContactId).where(sql`${t.deletedAt} is null`),
    index('users_status').on(t.status, t.id),
    check('users_status_known', oneOf(t.status, userStatuses)),
    check('users_reachable', sql`num_nonnulls(${t.email}, ${t.phone}, ${t.username}) > 0`),
    check('users_limit', sql`${t.powerbankLimit} >= 0`),
  ],
)

export const userRoles = pgTable(
  'user_roles',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    surface: text().$type<Surface>().notNull(),
    role: text().notNull(),
    orgUnitId: ref().references(() => orgUnits.id),
    createdAt: createdAt(),
  },
  (t) => [
    unique('user_roles_once').on(t.userId, t.surface, t.orgUnitId, t.role).nullsNotDistinct(),
    index('user_roles_unit').on(t.orgUnitId),
    index('user_roles_role').on(t.surface, t.role, t.userId),
    check(
      'user_roles_known',
      sql`(${t.surface} = 'paygo' and ${oneOf(t.role, roles.paygo)})
       or (${t.surface} = 'loyalty' and ${oneOf(t.role, roles.loyalty.toReversed())})
       or (${t.surface} = 'powerbank' and ${oneOf(t.role, roles.powerbank.toReversed())})
       or (${t.surface} = 'getpro' and ${oneOf(t.role, roles.getpro)})
       or (${t.surface} = 'telecom' and ${oneOf(t.role, roles.telecom)})`,
    ),
  ],
)

export const sessions = pgTable(
  'sessions',
  {
    id: uuid().primaryKey().default(sql`gen_random_uuid()`),
    userId: ref()
      .notNull()
      .references(() => users.id),
    surface: text().$type<Surface>().notNull(),
    expiresAt: at().notNull(),
    revokedAt: at(),
    /** SHA-256 of the one refresh token that is good now; null: the surface has none. An older one is a stolen one. */
    refreshHash: text(),
    /** When the last refresh tokens were traded, the latest first: another tab may still come with one of them. */
    refreshedAt: at().array(),
    /** How long it lives on from a refresh; null: from before this was kept. */
    hours: integer(),
    /** When it was opened with a password; null: with something else, or before this was kept. */
    passwordAt: at(),
    ip: text(),
    userAgent: text(),
    createdAt: createdAt(),
  },
  (t) => [index('sessions_user').on(t.userId)],
)
