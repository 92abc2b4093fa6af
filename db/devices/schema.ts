import { at, createdAt, id, ref } from '../postgres/columns.ts'
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
import { stations } from '../powerbank/schema.ts'

export const deviceSessions = pgTable(
  'device_sessions',
  {
    stationId: ref()
      .primaryKey()
      .references(() => stations.id),
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
  (t) => [index('device_sessions_node').on(t.node)],
)

export const stationSecretKeys = pgTable(
  'station_secret_keys',
  {
    id: id(),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    keyCiphertext: text().notNull(),
    /** What may be shown: the last two characters. */
    keyHint: text().notNull(),
    validUntil: at(),
    createdBy: ref(),
    createdAt: createdAt(),
  },
  (t) => [index('station_secret_keys_station').on(t.stationId, t.id)],
)

export const quarantine = pgTable(
  'quarantine',
  {
    id: id(),
    boxId: text().notNull(),
    dialect: text().notNull(),
    /** `unknown_box_id`, `no_key`, `bad_token`; over MQTT `sim_changed`. */
    reason: text().notNull(),
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
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    kind: text().notNull(),
    args: jsonb().$type<Record<string, any>>().notNull().default({}),
    /** For movements: the slot, which with the station and the kind matches the answer. */
    slot: integer(),
    isMovement: boolean().notNull().default(false),
    status: text().notNull().default('queued'),
    requestedBy: ref(),
    /** `api`, `janitor`, `login`, `policy`. */
    origin: text().notNull().default('api'),
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
  },
  (t) => [
    uniqueIndex('device_commands_one_movement').on(t.stationId).where(sql`${t.status} = 'sent' and ${t.isMovement}`),
    uniqueIndex('device_commands_one_query')
      .on(t.stationId, t.kind)
      .where(sql`${t.status} = 'sent' and not ${t.isMovement}`),
    uniqueIndex('device_commands_key').on(t.requestedBy, t.idempotencyKey).where(sql`${t.idempotencyKey} is not null`),
    index('device_commands_open').on(t.stationId, t.id).where(sql`${t.status} in ('queued', 'sent')`),
    index('device_commands_due').on(t.deadline).where(sql`${t.status} in ('queued', 'sent')`),
    index('device_commands_station').on(t.stationId, t.id),
    check('device_commands_status', sql`${t.status} in ('queued', 'sent', 'answered', 'failed', 'expired', 'unknown')`),
  ],
)

export const mqttCredentials = pgTable(
  'mqtt_credentials',
  {
    id: id(),
    /** `cabinet`, `terminal`. */
    deviceKind: text().notNull(),
    /** As the topics have it: the IMEI of a cabinet. */
    deviceId: text().notNull(),
    username: text().notNull(),
    /** SHA-256 of 32 random bytes: nothing to guess, so nothing to slow down. */
    passwordHash: text().notNull(),
    /** The SIM the device named when it asked; another one asks an operator first. */
    iccid: text(),
    /** `current` or `old`: which of the vendor's bootstraps it spoke (docs/protocol.md 5.1). */
    firmware: text().notNull().default('current'),
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
    check('mqtt_credentials_kind', sql`${t.deviceKind} in ('cabinet', 'terminal')`),
    check('mqtt_credentials_firmware', sql`${t.firmware} in ('current', 'old')`),
  ],
)
