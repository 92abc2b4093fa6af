import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id } from '../postgres/columns.ts'

/**
 * What a device shows to the broker. The bootstrap has no secret (cabinet-protocol 5.1), so what it hands out is random,
 * one device's own, and an operator's to revoke. A new one ends the one before when it is first used.
 */
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
    /** `current` or `old`: which of the vendor's bootstraps it spoke (cabinet-protocol 5.1). */
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
