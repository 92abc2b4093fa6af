import { deviceCommands, devices } from '../devices/schema.ts'
import { orgUnits, users } from '../identity/schema.ts'
import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import { boolean, check, index, integer, jsonb, pgTable, sql, text, unique, uniqueIndex } from '../postgres/drizzle.ts'
import type { ListedBanks } from './decide/snapshot.ts'
import { importStatuses, orderStatuses, powerbankStatuses, stationStatuses, writeOffReasons } from './words.ts'

export const stations = pgTable(
  'stations',
  {
    /** Its device's: a trigger makes and keeps the row of `devices` (migration 0009). */
    id: ref()
      .primaryKey()
      .default(sql`nextval('devices_id_seq')`)
      .references(() => devices.id),
    orgUnitId: ref().references(() => orgUnits.id),
    boxId: text().notNull(),
    iccid: text(),
    slotsDeclared: integer().notNull(),
    status: text({ enum: stationStatuses }).notNull().default('pending'),
    nik: text(),
    /** What the cabinet last said of itself: `volume`, `serverAddress`, `apn`, `softwareVersion`, `sim`, each `{…, at}`; `countsVolumeInPercent`, once it has. */
    deviceState: jsonb().$type<Record<string, any>>().notNull().default({}),
    /** The banks in its lists, by their ids on the wire. */
    listedBanks: jsonb().$type<ListedBanks>().notNull().default({}),
    /** Slots that the last list called occupied, and whose bank nobody could read. */
    unreadableSlots: integer().array().notNull().default([]),
    /** Whole lists, one after the other, that held such a slot: how soon to look again. */
    unreadLooks: integer().notNull().default(0),
    /** Since when the present box, or credential, is this station's; null: it never had another. */
    metalSince: at(),
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
    check('stations_status', oneOf(t.status, stationStatuses)),
    check('stations_slots', sql`${t.slotsDeclared} between 1 and 255`),
  ],
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
    /** State of health, percent. */
    soh: integer().notNull().default(100),
    status: text({ enum: powerbankStatuses }).notNull().default('unknown'),
    writeOffReason: text({ enum: writeOffReasons }).notNull().default('none'),
    errorTypeId: ref().references(() => powerbankErrorTypes.id),
    /** Readings without a fault, one after the other, since it was `system_error`. */
    goodReadings: integer().notNull().default(0),
    /** When people were last told that two cabinets list this id. */
    twinAt: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('powerbanks_serial').on(t.serialNumber).where(sql`${t.deletedAt} is null`),
    uniqueIndex('powerbanks_device').on(t.deviceId).where(sql`${t.deletedAt} is null`),
    index('powerbanks_unit').on(t.orgUnitId, t.id),
    index('powerbanks_status').on(t.status, t.id),
    check('powerbanks_status_known', oneOf(t.status, powerbankStatuses)),
    check('powerbanks_reason', oneOf(t.writeOffReason, writeOffReasons)),
    check('powerbanks_soh', sql`${t.soh} between 0 and 100`),
  ],
)

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
    /** Its charge, or the bank itself, could not be read: not for rent until it can. */
    isUnread: boolean().notNull().default(false),
    lastUpdate: createdAt(),
  },
  (t) => [
    unique('station_powerbanks_slot').on(t.stationId, t.slotNumber),
    unique('station_powerbanks_bank').on(t.powerbankId),
  ],
)

export const slotAbnormalReports = pgTable(
  'slot_abnormal_reports',
  {
    id: id(),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    slotNumber: integer().notNull(),
    /** A power bank's serial, as text (docs/contracts.md B8). */
    terminalId: text(),
    /** 0x83: `1` gone without an unlock command, `2` a return without a bank; any text from a client. */
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

export const orders = pgTable(
  'orders',
  {
    id: id(),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    userId: ref()
      .notNull()
      .references(() => users.id),
    powerbankId: ref().references(() => powerbanks.id),
    /** The bank that was asked for, where its cabinet named another. */
    askedPowerbankId: ref(),
    /** One that an answer named which may be an old one: a list decides. */
    namedPowerbankId: ref(),
    slotNumber: integer(),
    status: text({ enum: orderStatuses }).notNull(),
    /** Why this bank, where the house chose it (`choice.Reason`). */
    selection: jsonb().$type<Record<string, unknown>>(),
    commandId: ref().references(() => deviceCommands.id),
    returnStationId: ref().references(() => stations.id),
    returnSlot: integer(),
    /** Which evidence settled the present status, in words: `eject answer`, `inventory`, `return frame` … */
    evidence: text(),
    isAdminOrder: boolean().notNull().default(false),
    /** When a list first showed the slot empty that its bank left. */
    absentAt: at(),
    /** When a return was heard that decides only together with a look. */
    returnHeardAt: at(),
    /** When it was cancelled because its bank stayed; null again once that was seen after the time for taking it. */
    notTakenAt: at(),
    /** When the return screen was opened (`POST /api/return-powerbank`). */
    returnRequestedAt: at(),
    remindedAt: at(),
    /** When the loyalty programme looked at this finished rental: once, while its rule is on. */
    pointsAt: at(),
    createdAt: createdAt(),
    borrowedAt: at(),
    completedAt: at(),
    deletedAt: at(),
  },
  (t) => [
    uniqueIndex('orders_one_open_per_bank')
      .on(t.powerbankId)
      .where(sql`${t.status} in ('pending', 'borrow') and ${t.deletedAt} is null`),
    index('orders_open_by_user').on(t.userId).where(sql`${t.status} in ('pending', 'borrow')`),
    index('orders_not_taken').on(t.stationId, t.notTakenAt).where(sql`${t.notTakenAt} is not null`),
    index('orders_open_by_station').on(t.stationId).where(sql`${t.status} in ('pending', 'borrow')`),
    index('orders_listed').on(t.id).where(sql`${t.deletedAt} is null and ${t.status} <> 'cancelled'`),
    // With the status at the end: pages are found and counted without the rows (order-list.ts).
    index('orders_user').on(t.userId, t.id, t.status).where(sql`${t.deletedAt} is null`),
    index('orders_station').on(t.stationId, t.id, t.status).where(sql`${t.deletedAt} is null`),
    index('orders_powerbank').on(t.powerbankId, t.id),
    index('orders_asked_powerbank').on(t.askedPowerbankId).where(sql`${t.askedPowerbankId} is not null`),
    index('orders_status').on(t.status, t.id).where(sql`${t.deletedAt} is null`),
    index('orders_command').on(t.commandId),
    index('orders_loans')
      .on(sql`coalesce(${t.borrowedAt}, ${t.createdAt})`)
      .where(sql`${t.status} = 'borrow' and ${t.deletedAt} is null`),
    index('orders_points_due')
      .on(t.completedAt)
      .where(sql`${t.status} = 'return' and ${t.pointsAt} is null and ${t.deletedAt} is null`),
    check('orders_status_known', oneOf(t.status, orderStatuses)),
    check(
      'orders_completed',
      sql`(${t.completedAt} is not null) = (${t.status} in ('return', 'force_eject', 'cancelled'))`,
    ),
  ],
)

export const powerbankErrorReports = pgTable(
  'powerbank_error_reports',
  {
    id: id(),
    orderId: ref().references(() => orders.id),
    powerbankId: ref()
      .notNull()
      .references(() => powerbanks.id),
    stationId: ref().references(() => stations.id),
    userId: ref()
      .notNull()
      .references(() => users.id),
    errorType: text().notNull(),
    additionalNotes: text(),
    createdAt: createdAt(),
  },
  (t) => [index('powerbank_error_reports_bank').on(t.powerbankId, t.id)],
)

export const userFavorites = pgTable(
  'user_favorites',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    nik: text(),
    createdAt: createdAt(),
  },
  (t) => [unique('user_favorites_once').on(t.userId, t.stationId), index('user_favorites_user').on(t.userId, t.id)],
)

export const userImports = pgTable(
  'user_imports',
  {
    id: id(),
    requestedBy: ref()
      .notNull()
      .references(() => users.id),
    fileName: text().notNull(),
    status: text({ enum: importStatuses }).notNull().default('running'),
    totalRows: integer().notNull(),
    /** Of the valid rows. */
    validRows: integer().notNull(),
    processedRows: integer().notNull().default(0),
    createdUsers: integer().notNull().default(0),
    existingUsers: integer().notNull().default(0),
    /** The first of what is wrong with rows, as the surface says it. */
    errors: jsonb().$type<object[]>().notNull().default([]),
    /** Why it stopped. */
    failure: text(),
    createdAt: createdAt(),
    /** The last sign of life: a running import that gives none is over. */
    seenAt: createdAt(),
    finishedAt: at(),
  },
  (t) => [
    index('user_imports_by').on(t.requestedBy, t.id),
    check('user_imports_status', oneOf(t.status, importStatuses)),
    check('user_imports_finished', sql`(${t.finishedAt} is null) = (${t.status} = 'running')`),
  ],
)
