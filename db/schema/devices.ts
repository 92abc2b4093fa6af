import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, unique, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref } from '../postgres/columns.ts'
import { orgUnits } from './org.ts'

/** A cabinet. */
export const stations = pgTable(
  'stations',
  {
    id: id(),
    orgUnitId: ref().references(() => orgUnits.id),
    boxId: text().notNull(),
    iccid: text(),
    slotsDeclared: integer().notNull(),
    status: text().notNull().default('pending'),
    nik: text(),
    /** What the cabinet last said of itself: `volume`, `serverAddress`, `apn`, `softwareVersion`, each `{…, at}`. */
    deviceState: jsonb().$type<Record<string, any>>().notNull().default({}),
    /** When the slots were last listed whole (0x64, or a TCP-B login). */
    inventoryAt: at(),
    /** When to look again: after a movement, a return, a doubtful answer. The janitor asks; null: nothing to ask. */
    inventoryDueAt: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('stations_box_id').on(t.boxId).where(sql`${t.deletedAt} is null`),
    index('stations_unit').on(t.orgUnitId, t.id),
    index('stations_inventory_due').on(t.inventoryDueAt).where(sql`${t.inventoryDueAt} is not null`),
    check('stations_status', sql`${t.status} in ('active', 'inactive', 'pending')`),
    check('stations_slots', sql`${t.slotsDeclared} between 1 and 255`),
  ],
)

/** Who is connected where. One row per station that ever logged in; the newest connection owns it (`epoch`). */
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

/** TCP-B's keys, encrypted at rest. The newest is current; older ones verify until `validUntil`. */
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

/** Cabinets that knocked and are not ours (yet). An operator adopts from here. */
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

export const powerbankErrorTypes = pgTable('powerbank_error_types', {
  id: id(),
  code: text().notNull().unique(),
  title: text().notNull(),
})

export const powerbanks = pgTable(
  'powerbanks',
  {
    id: id(),
    orgUnitId: ref().references(() => orgUnits.id),
    serialNumber: text().notNull(),
    /** The id cabinets use: upper-case hex of the 8 raw bytes (TCP), of the 4 of its number (MQTT). Null: never matched to hardware. */
    deviceId: text(),
    soh: integer().notNull().default(100),
    status: text().notNull().default('unknown'),
    writeOffReason: text().notNull().default('none'),
    errorTypeId: ref().references(() => powerbankErrorTypes.id),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('powerbanks_serial').on(t.serialNumber).where(sql`${t.deletedAt} is null`),
    uniqueIndex('powerbanks_device').on(t.deviceId).where(sql`${t.deletedAt} is null`),
    index('powerbanks_unit').on(t.orgUnitId, t.id),
    index('powerbanks_status').on(t.status, t.id),
    check(
      'powerbanks_status_known',
      sql`${t.status} in ('active', 'user_reported_broken', 'system_error', 'written_off', 'unknown')`,
    ),
    check('powerbanks_reason', sql`${t.writeOffReason} in ('none', 'broken', 'lost', 'other')`),
    check('powerbanks_soh', sql`${t.soh} between 0 and 100`),
  ],
)

/** What sits in which slot. A bank is in one place at most, a slot holds one at most (data-model D4). */
export const stationPowerbanks = pgTable(
  'station_powerbanks',
  {
    id: id(),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    powerbankId: ref()
      .notNull()
      .references(() => powerbanks.id),
    slotNumber: integer().notNull(),
    level: integer(),
    /** Millivolts. */
    voltage: integer(),
    /** Milliamperes. */
    current: integer(),
    /** Degrees Celsius. */
    temperature: integer(),
    errorTypec: boolean().notNull().default(false),
    errorLightning: boolean().notNull().default(false),
    errorMicrousb: boolean().notNull().default(false),
    powerbankError: boolean().notNull().default(false),
    lastUpdate: createdAt(),
  },
  (t) => [
    unique('station_powerbanks_slot').on(t.stationId, t.slotNumber),
    unique('station_powerbanks_bank').on(t.powerbankId),
  ],
)

/** Everything we ever asked a cabinet to do (HOUSE 6). The row is the truth; the bell only wakes. */
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

/** 0x83 and what clients post (seed 003). `terminalId` is a power bank's serial, as text (data-model B8). */
export const slotAbnormalReports = pgTable(
  'slot_abnormal_reports',
  {
    id: id(),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    slotNumber: integer().notNull(),
    terminalId: text(),
    eventType: text().notNull(),
    reportedAt: at().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('slot_abnormal_reports_station').on(t.stationId, t.id),
    index('slot_abnormal_reports_event').on(t.eventType, t.id),
    unique('slot_abnormal_reports_once').on(t.stationId, t.slotNumber, t.eventType, t.terminalId, t.reportedAt),
  ],
)
