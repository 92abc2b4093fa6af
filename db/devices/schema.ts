import { orgUnits } from '../identity/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  sql,
  text,
  unique,
  uniqueIndex,
} from '../postgres/drizzle.ts'
import {
  type CommandOrigin,
  type CommandStatus,
  commandStatuses,
  type DeviceKind,
  deviceKinds,
  type Firmware,
  firmwares,
  type QuarantineReason,
} from './words.ts'

// `station_id` in two of these tables is for the build before this one, which runs beside it for the length of a
// deployment. Triggers fill it (migration 0009), nothing of ours reads it, and it goes with the next release.

/** What dials in, whatever it is. A business has a table of its own for its kind, which shares the id. */
export const devices = pgTable(
  'devices',
  {
    id: id(),
    kind: text().$type<DeviceKind>().notNull(),
    /** What it calls itself: a cabinet's box id or IMEI. */
    serial: text().notNull(),
    orgUnitId: ref().references(() => orgUnits.id),
    createdAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('devices_serial').on(t.kind, t.serial).where(sql`${t.deletedAt} is null`),
    check('devices_kind', oneOf(t.kind, deviceKinds)),
  ],
)

export const deviceSessions = pgTable(
  'device_sessions',
  {
    deviceId: ref()
      .primaryKey()
      .references(() => devices.id),
    stationId: ref(),
    /** The gateway process that holds the socket; null: not connected. */
    node: text(),
    epoch: bigint({ mode: 'number' }).notNull().default(0),
    dialect: text(),
    address: text(),
    vsn: integer(),
    /** Seconds the cabinet keeps between heartbeats (0x63); online and stale follow from it. */
    heartbeatSeconds: integer().notNull().default(30),
    connectedAt: at(),
    disconnectedAt: at(),
    seenAt: at(),
  },
  (t) => [index('device_sessions_node').on(t.node), uniqueIndex('device_sessions_station').on(t.stationId)],
)

export const deviceKeys = pgTable(
  'device_keys',
  {
    id: id(),
    deviceId: ref()
      .notNull()
      .references(() => devices.id),
    keyCiphertext: text().notNull(),
    /** What may be shown: the last two characters. */
    keyHint: text().notNull(),
    validUntil: at(),
    createdBy: ref(),
    createdAt: createdAt(),
  },
  (t) => [index('device_keys_device').on(t.deviceId, t.id)],
)

export const quarantine = pgTable(
  'quarantine',
  {
    id: id(),
    kind: text().$type<DeviceKind>().notNull().default('cabinet'),
    /** Its serial. */
    boxId: text().notNull(),
    dialect: text().notNull(),
    reason: text().$type<QuarantineReason>().notNull(),
    address: text(),
    slots: integer(),
    attempts: integer().notNull().default(1),
    firstSeenAt: createdAt(),
    lastSeenAt: createdAt(),
  },
  (t) => [unique('quarantine_box').on(t.boxId), index('quarantine_seen').on(t.lastSeenAt)],
)

export const deviceCommands = pgTable(
  'device_commands',
  {
    id: id(),
    deviceId: ref()
      .notNull()
      .references(() => devices.id),
    stationId: ref(),
    kind: text().notNull(),
    args: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** For movements: the slot, which with the device and the kind matches the answer. */
    slot: integer(),
    isMovement: boolean().notNull().default(false),
    status: text().$type<CommandStatus>().notNull().default('queued'),
    requestedBy: ref(),
    origin: text().$type<CommandOrigin>().notNull().default('api'),
    idempotencyKey: text(),
    /** What the key was first used for: the same key for something else is refused. */
    requestHash: text(),
    attempts: integer().notNull().default(0),
    node: text(),
    epoch: bigint({ mode: 'number' }),
    hexSent: text(),
    hexReceived: text(),
    answer: jsonb().$type<Record<string, any>>(),
    /** How a status that no answer gave was reached, in words. */
    evidence: text(),
    createdAt: createdAt(),
    /** The end of the present wait: to leave the house while queued, to be answered while sent. */
    deadline: at().notNull(),
    sentAt: at(),
    answeredAt: at(),
    /** When its wait was over without an answer; one that comes later does not change that. */
    givenUpAt: at(),
  },
  (t) => [
    uniqueIndex('device_commands_one_movement').on(t.deviceId).where(sql`${t.status} = 'sent' and ${t.isMovement}`),
    uniqueIndex('device_commands_one_query')
      .on(t.deviceId, t.kind)
      .where(sql`${t.status} = 'sent' and not ${t.isMovement}`),
    uniqueIndex('device_commands_key').on(t.requestedBy, t.idempotencyKey).where(sql`${t.idempotencyKey} is not null`),
    index('device_commands_open').on(t.deviceId, t.id).where(sql`${t.status} in ('queued', 'sent')`),
    index('device_commands_due').on(t.deadline).where(sql`${t.status} in ('queued', 'sent')`),
    index('device_commands_device').on(t.deviceId, t.id),
    index('device_commands_station').on(t.stationId, t.id).where(sql`${t.stationId} is not null`),
    check('device_commands_status', oneOf(t.status, commandStatuses)),
  ],
)

export const mqttCredentials = pgTable(
  'mqtt_credentials',
  {
    id: id(),
    deviceKind: text().$type<DeviceKind>().notNull(),
    /** As the topics have it: the IMEI of a cabinet. */
    deviceId: text().notNull(),
    username: text().notNull(),
    /** SHA-256 of 32 random bytes: nothing to guess, so nothing to slow down. */
    passwordHash: text().notNull(),
    /** The SIM the device named when it asked; another one asks an operator first. */
    iccid: text(),
    firmware: text().$type<Firmware>().notNull().default('current'),
    /** What it said of itself, e.g. `20240904-RBMG-3.0.0.0`. */
    software: text(),
    address: text(),
    createdAt: createdAt(),
    firstUsedAt: at(),
    revokedAt: at(),
  },
  (t) => [
    uniqueIndex('mqtt_credentials_username').on(t.username),
    index('mqtt_credentials_device').on(t.deviceKind, t.deviceId, t.id),
    check('mqtt_credentials_kind', oneOf(t.deviceKind, deviceKinds)),
    check('mqtt_credentials_firmware', oneOf(t.firmware, firmwares)),
  ],
)
