import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { BadSettings, flag, port, whole } from '../db/config.ts'

const list = (text: string) => text.split(/[\s,]+/).filter(Boolean)

/** What the gateway may be told by the environment. */
export const gatewaySettings = {
  HOST: z.string().default('0.0.0.0').describe('address to listen on'),
  CABINET_PORT: port().default(9066).describe('TCP port of the cabinets, dialects A and B'),
  CABINET_TLS_PORT: port().optional().describe('the same over TLS, for cabinets behind a TLS tunnel; unset: none'),
  CABINET_TLS_CERT: z.string().optional().describe('certificate chain of the TLS port, a PEM file'),
  CABINET_TLS_KEY: z.string().optional().describe('its private key, a PEM file'),
  CABINET_ALLOW: z.string().optional().describe('networks cabinets may dial from, as 10.20.0.0/16,…; unset: any'),
  CABINET_REUSE_PORT: flag().default(false).describe('true: several gateway processes share the port'),
  METRICS_PORT: port().default(9090).describe('port of /metrics and /health'),
  CABINET_CONNECTIONS: whole(1, 1_000_000).default(50_000).describe('connections at most'),
  CABINET_CONNECTIONS_PER_ADDRESS: whole(1, 1_000_000)
    .default(20_000)
    .describe('connections of one address at most; a carrier may put a whole fleet behind one'),
  CABINET_LOGIN_SECONDS: whole(1, 3_600).default(15).describe('a connection that has not said its login is closed'),
  CABINET_FRAME_SECONDS: whole(1, 3_600).default(5).describe('a frame begun and not finished closes its connection'),
  CABINET_FRAMES_PER_SECOND: whole(1, 1_000_000)
    .default(50_000)
    .describe('frames of one connection read in a second; the rest waits. Real cabinets say a few a minute'),
  CABINET_WRITE_BUFFER_BYTES: whole(1_024, 1 << 30)
    .default(262_144)
    .describe('bytes waiting for a cabinet that does not read; beyond, it is dropped'),
  CABINET_SEEN_SECONDS: whole(1, 60).default(5).describe('how often the times of the last sign of life are written'),
}

/** The same, read. */
export type GatewaySettings = z.output<z.ZodObject<typeof gatewaySettings>>

/** Bounds of what one device, and all of them, may ask of a node. */
export interface Limits {
  connectionsMax: number
  connectionsPerAddressMax: number
  loginDeadlineMs: number
  partialFrameDeadlineMs: number
  /** Without any frame for this many of its own heartbeats a cabinet is gone (cabinet-protocol 4). */
  silentHeartbeats: number
  /** A connection that was told to end, and has not, is cut after this. */
  endDeadlineMs: number
  framesPerSecondMax: number
  /** Frames waiting for the database; beyond, reading pauses. */
  framesWaitingMax: number
  /** Unreadable frames in a row that end a connection. */
  malformedInARowMax: number
  writeBufferBytesMax: number
  /** Logins and reports at work in the database at once; below the pool, so that commands never queue behind them. */
  reportsAtOnceMax: number
  /** Strangers written down in a minute, so that invented box ids cannot fill the disk. */
  quarantinePerMinuteMax: number
  /** Log lines strangers may cause between two ticks; the others are only counted. */
  strangerLinesPerTickMax: number
  /** A session's keys and its right to exist are looked up again at its first frame after this. */
  identifyAgainMs: number
  /** An unreadable frame may mean new keys; for its sake they are looked up at most this often. */
  identifyAgainMsMin: number
  seenIntervalMs: number
  /** How often deadlines are looked at and due commands expired. */
  tickMs: number
}

/** Everything `startGateway` needs to know. */
export interface GatewayConfig {
  host: string
  cabinetPort: number
  tls: { port: number; cert: Buffer; key: Buffer } | null
  allow: string[]
  reusePort: boolean
  metricsPort: number
  /** Opens the station keys at rest. */
  keysSecret: string
  limits: Limits
}

const fixed = {
  silentHeartbeats: 4,
  endDeadlineMs: 5_000,
  framesWaitingMax: 32,
  malformedInARowMax: 5,
  reportsAtOnceMax: 6,
  quarantinePerMinuteMax: 600,
  strangerLinesPerTickMax: 10,
  identifyAgainMs: 600_000,
  identifyAgainMsMin: 5_000,
  tickMs: 1_000,
}

/**
 * The gateway's configuration out of its settings; reads the TLS files.
 * @throws BadSettings
 */
export function gatewayConfig(settings: GatewaySettings, keysSecret: string): GatewayConfig {
  return {
    host: settings.HOST,
    cabinetPort: settings.CABINET_PORT,
    tls: tlsOf(settings),
    allow: list(settings.CABINET_ALLOW ?? ''),
    reusePort: settings.CABINET_REUSE_PORT,
    metricsPort: settings.METRICS_PORT,
    keysSecret,
    limits: {
      ...fixed,
      connectionsMax: settings.CABINET_CONNECTIONS,
      connectionsPerAddressMax: settings.CABINET_CONNECTIONS_PER_ADDRESS,
      loginDeadlineMs: settings.CABINET_LOGIN_SECONDS * 1000,
      partialFrameDeadlineMs: settings.CABINET_FRAME_SECONDS * 1000,
      framesPerSecondMax: settings.CABINET_FRAMES_PER_SECOND,
      writeBufferBytesMax: settings.CABINET_WRITE_BUFFER_BYTES,
      seenIntervalMs: settings.CABINET_SEEN_SECONDS * 1000,
    },
  }
}

function tlsOf(settings: GatewaySettings): GatewayConfig['tls'] {
  const { CABINET_TLS_PORT: tlsPort, CABINET_TLS_CERT: cert, CABINET_TLS_KEY: key } = settings
  if (tlsPort === undefined) return null
  if (!cert || !key) throw new BadSettings(['CABINET_TLS_PORT needs CABINET_TLS_CERT and CABINET_TLS_KEY'])
  const read = (name: string, path: string) => {
    try {
      return readFileSync(path)
    } catch (cause) {
      throw new BadSettings([`${name} cannot be read: ${(cause as NodeJS.ErrnoException).code}`])
    }
  }
  return { port: tlsPort, cert: read('CABINET_TLS_CERT', cert), key: read('CABINET_TLS_KEY', key) }
}
