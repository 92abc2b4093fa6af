import { existsSync } from 'node:fs'

/** Where a server on this machine listens by the documents, and the setting that moves it there (`.env.example`). */
const ports = {
  A: { setting: 'CABINET_PORT', standard: 9066 },
  B: { setting: 'CABINET_PORT', standard: 9066 },
  mqtt: { setting: 'CABINET_HTTP_PORT', standard: 9068 },
  broker: { setting: 'MQTT_PORT', standard: 1883 },
  terminal: { setting: 'TERMINAL_PORT', standard: 9067 },
} as const

/** Whom a simulator dials: a cabinet by its dialect, `mqtt` at its bootstrap, a broker, a terminal its host. */
export type Door = keyof typeof ports

/**
 * The port that the settings of a server here name, from the environment or `.env`, else that of the documents.
 * A server that takes any free one (0) is known to nobody.
 */
export function serverPort(door: Door): string {
  const { setting, standard } = ports[door]
  if (existsSync('.env')) process.loadEnvFile('.env')
  const given = process.env[setting]
  return given && given !== '0' ? given : `${standard}`
}
