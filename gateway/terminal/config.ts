import { z } from 'zod'
import { type AcquirerSettings, acquirerSettings } from '../../db/paygo/acquirer-settings.ts'
import { heartbeatSettings } from '../../db/paygo/terminal-settings.ts'
import { port } from '../../db/platform/config.ts'
import { type Tls, type TlsSettings, tlsOf } from '../tls-files.ts'

/** What the gateway may be told about payment terminals. */
export const terminalSettings = {
  TERMINAL_PORT: port().default(9067).describe('TCP port of payment terminals'),
  TERMINAL_TLS_PORT: port().optional().describe('the same over TLS, with CABINET_TLS_CERT and _KEY; unset: none'),
  TERMINAL_PLAIN: z
    .enum(['private', 'allow'], 'must be private or allow')
    .default('private')
    .describe('who may come without TLS, over TCP and MQTT: private: loopback and private addresses; allow: everybody'),
  ...heartbeatSettings,
  ...acquirerSettings,
}

type TerminalSettings = z.output<z.ZodObject<typeof terminalSettings>>

/** Everything the gateway needs to know of payment terminals. */
export interface TerminalConfig {
  port: number
  tls: Tls | null
  /** Without TLS from anywhere. */
  isPlainAllowed: boolean
  heartbeatSeconds: number
  acquirer: AcquirerSettings
  /** Cards are fingerprinted under it: 64 hex digits. */
  cardKey: string
}

/** @throws BadSettings */
export const terminalConfig = (settings: TerminalSettings & TlsSettings, cardKey: Buffer): TerminalConfig => ({
  port: settings.TERMINAL_PORT,
  tls: tlsOf(settings, 'TERMINAL_TLS_PORT'),
  isPlainAllowed: settings.TERMINAL_PLAIN === 'allow',
  heartbeatSeconds: settings.TERMINAL_HEARTBEAT_SECONDS,
  acquirer: { ACQUIRER_SECONDS: settings.ACQUIRER_SECONDS, ACQUIRER_LATE_SECONDS: settings.ACQUIRER_LATE_SECONDS },
  cardKey: cardKey.toString('hex'),
})
