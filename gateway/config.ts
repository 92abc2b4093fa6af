import { z } from 'zod'
import { address, flag, hostRule, port, type Rule, readBy, whole } from '../db/platform/config.ts'
import { type Rules, usualRules } from '../db/powerbank/decide/snapshot.ts'
import type { BrokerAccess } from './mqtt-cluster/broker-client.ts'
import { networks } from './networks.ts'
import { type TerminalConfig, terminalConfig, terminalSettings } from './terminal/config.ts'
import { pairMistakes, type Tls, tlsOf, tlsPorts } from './tls-files.ts'

const list = (text: string) => text.split(/[\s,]+/).filter(Boolean)

/** What the gateway may be told by the environment. */
export const gatewaySettings = {
  HOST: z.string().default('0.0.0.0').describe('address to listen on'),
  CABINET_PORT: port().default(9066).describe('TCP port of the cabinets, dialects A and B'),
  CABINET_TLS_PORT: port().optional().describe('the same over TLS, for cabinets behind a TLS tunnel; unset: none'),
  CABINET_TLS_CERT: z.string().optional().describe('certificate chain of the TLS port, a PEM file'),
  CABINET_TLS_KEY: z.string().optional().describe('its private key, a PEM file'),
  CABINET_ALLOW: readBy((text) => networks(list(text)))
    .optional()
    .describe('networks cabinets may dial from, as 10.20.0.0/16,…; unset: any'),
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
  MQTT_PORT: port().default(1883).describe('port of the embedded broker, for cabinets that speak MQTT'),
  MQTT_WS_PORT: port().default(8083).describe('the same over WebSocket'),
  MQTT_TLS_PORT: port().optional().describe('the same over TLS, with CABINET_TLS_CERT and _KEY; unset: none'),
  MQTT_URL: address(['mqtt', 'mqtts', 'ws', 'wss'], 'mqtts://broker:8883')
    .optional()
    .describe('a broker of your own (MQTT 5), as mqtts://broker:8883: no broker is embedded then'),
  MQTT_USERNAME: z.string().optional().describe('how we show ourselves to it; or in the URL'),
  MQTT_PASSWORD: z.string().optional().describe('the password with it'),
  MQTT_SHARE_GROUP: z
    .string()
    .regex(/^[^/+#\s]+$/, 'must be a word without / + and #')
    .default('voltbay')
    .describe('gateway nodes of one group split what this broker brings'),
  MQTT_CLIENT_ID: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, 'must have 1 to 64 letters, digits, or . : - _')
    .optional()
    .describe('one per node, kept from start to start: the broker then keeps what a node that died had in hand'),
  MQTT_PUBLIC_HOST: z
    .string()
    .regex(/^[\w.:-]+$/, 'must be a host name or an address, without a port')
    .optional()
    .describe("the broker's host as cabinets are told it; unset: of MQTT_URL, PUBLIC_URL, HOST, or as they call us"),
  MQTT_PUBLIC_PORT: whole(1, 65_535)
    .optional()
    .describe('its port as cabinets are told it; unset: of MQTT_URL, or MQTT_PORT'),
  MQTT_PACKET_BYTES: whole(1_024, 1 << 20)
    .default(66_560)
    .describe('one MQTT packet at most; a longer one closes its connection'),
  MQTT_PACKETS_PER_SECOND: whole(1, 1_000_000)
    .default(1_000)
    .describe('packets of one connection read in a second; the rest waits. Real cabinets say a few a minute'),
  MQTT_BYTES_PER_SECOND: whole(1_024, 1 << 30)
    .default(262_144)
    .describe('bytes of one connection read in a second; the rest waits'),
  CABINET_HTTP_PORT: port().default(9068).describe('port where MQTT cabinets ask for the broker, over HTTP'),
  CABINET_TAKING_SECONDS: whole(10, 3_600)
    .default(usualRules.takingSeconds)
    .describe('how long a borrower may take to pull out a bank that was unlocked'),
  CABINET_GOOD_READINGS: whole(1, 1_000)
    .default(usualRules.goodReadings)
    .describe('readings without a fault, one after the other, that put a faulty bank back in service'),
  CABINET_LOOK_SECONDS: whole(60, 86_400)
    .default(usualRules.lookSeconds)
    .describe('every cabinet is asked for its slots at least so often'),
  CABINET_LOOK_LENT_SECONDS: whole(30, 86_400)
    .default(usualRules.lookLentSeconds)
    .describe('the same while it has open orders'),
  CABINET_SEEN_SECONDS: whole(1, 60).default(5).describe('how often the times of the last sign of life are written'),
  ...terminalSettings,
}

/** The same, read. */
type GatewaySettings = z.output<z.ZodObject<typeof gatewaySettings>>
/** Told by the API's settings, where both run in one process. */
interface Public {
  PUBLIC_URL?: string | undefined
}

/** Bounds of what one device, and all of them, may ask of a node. */
export interface Limits {
  connectionsMax: number
  connectionsPerAddressMax: number
  loginDeadlineMs: number
  partialFrameDeadlineMs: number
  /** Without any frame for this many of its own heartbeats a cabinet is gone (docs/protocol.md 4). */
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
  /** Unauthorised devices written down in a minute, so that invented box ids cannot fill the disk. */
  quarantinePerMinuteMax: number
  /** Log lines unauthorised devices may cause between two ticks; the others are only counted. */
  unauthorisedLinesPerTickMax: number
  /** A session's keys and its right to exist are looked up again at its first frame after this. */
  identifyAgainMs: number
  /** An unreadable frame may mean new keys; for its sake they are looked up at most this often. */
  identifyAgainMsMin: number
  seenIntervalMs: number
  /** After being away from a foreign broker for longer, nobody knows what it kept for us. */
  brokerAwayMsMax: number
  /** How often deadlines are looked at and due commands expired. */
  tickMs: number
}

/** The embedded broker. */
export interface MqttConfig {
  port: number
  wsPort: number
  tls: Tls | null
  /** Where cabinets ask for the broker. */
  httpPort: number
  /** What they are told; null: the name by which they call us, the port we listen on. */
  publicHost: string | null
  publicPort: number | null
  packetBytesMax: number
  packetsPerSecondMax: number
  bytesPerSecondMax: number
  /** Without any message for so long a cabinet is gone (docs/protocol.md 5.6). */
  silentMs: number
  /** Topics and filters that are open to clients without a name: for tests of the protocol itself, never a setting. */
  openNamespace?: (topic: string) => boolean
}

/** Everything `startGateway` needs to know. */
export interface GatewayConfig {
  host: string
  cabinetPort: number
  tls: Tls | null
  allow: string[]
  reusePort: boolean
  metricsPort: number
  /** Null: no broker here. */
  mqtt: MqttConfig | null
  /** A broker of somebody else, instead of ours. */
  broker?: BrokerAccess | null
  /** Payment terminals; null: none are listened for. */
  terminal?: TerminalConfig | null
  /** Opens the station keys at rest. */
  keysSecret: string
  limits: Limits
  rules: Rules
}

const fixed = {
  silentHeartbeats: 4,
  endDeadlineMs: 5_000,
  framesWaitingMax: 32,
  malformedInARowMax: 5,
  reportsAtOnceMax: 6,
  quarantinePerMinuteMax: 600,
  unauthorisedLinesPerTickMax: 10,
  identifyAgainMs: 600_000,
  identifyAgainMsMin: 5_000,
  brokerAwayMsMax: 60_000,
  tickMs: 1_000,
}

const mqttPortDefault = 1883
/** Two heartbeats and a little (docs/protocol.md 5.6: offline after 20 to 25 minutes). */
const mqttSilentMs = 1_215_000

/**
 * The gateway's configuration out of its settings; reads the TLS files.
 * @throws BadSettings
 */
export function gatewayConfig(
  settings: GatewaySettings & Public,
  secrets: Pick<GatewayConfig, 'keysSecret'> & { cardKey: Buffer },
): GatewayConfig {
  const { keysSecret, cardKey } = secrets
  return {
    host: settings.HOST,
    cabinetPort: settings.CABINET_PORT,
    tls: tlsOf(settings, 'CABINET_TLS_PORT'),
    allow: list(settings.CABINET_ALLOW ?? ''),
    reusePort: settings.CABINET_REUSE_PORT,
    metricsPort: settings.METRICS_PORT,
    mqtt: mqttOf(settings),
    broker: brokerOf(settings),
    terminal: terminalConfig(settings, cardKey),
    keysSecret,
    rules: {
      takingSeconds: settings.CABINET_TAKING_SECONDS,
      goodReadings: settings.CABINET_GOOD_READINGS,
      lookSeconds: settings.CABINET_LOOK_SECONDS,
      lookLentSeconds: settings.CABINET_LOOK_LENT_SECONDS,
    },
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

function brokerOf(settings: GatewaySettings): BrokerAccess | null {
  if (settings.MQTT_URL === undefined) return null
  const url = new URL(settings.MQTT_URL)
  const username = settings.MQTT_USERNAME ?? (decodeURIComponent(url.username) || null)
  const password = settings.MQTT_PASSWORD ?? (decodeURIComponent(url.password) || null)
  url.username = ''
  url.password = ''
  const { MQTT_CLIENT_ID: clientId = null, MQTT_SHARE_GROUP: shareGroup } = settings
  return { url: url.href, username, password, clientId, shareGroup }
}

/** Addresses to listen on, which nobody can dial. */
const anywhere = new Set(['0.0.0.0', '::'])

function mqttOf(settings: GatewaySettings & Public): MqttConfig {
  const { HOST, PUBLIC_URL, MQTT_PUBLIC_HOST } = settings
  const own = anywhere.has(HOST) ? null : HOST
  const theirs = settings.MQTT_URL === undefined ? null : new URL(settings.MQTT_URL)
  return {
    port: settings.MQTT_PORT,
    wsPort: settings.MQTT_WS_PORT,
    tls: tlsOf(settings, 'MQTT_TLS_PORT'),
    httpPort: settings.CABINET_HTTP_PORT,
    publicHost: MQTT_PUBLIC_HOST ?? theirs?.hostname ?? (PUBLIC_URL ? new URL(PUBLIC_URL).hostname : own),
    publicPort: settings.MQTT_PUBLIC_PORT ?? (theirs && Number(theirs.port || mqttPortDefault)),
    packetBytesMax: settings.MQTT_PACKET_BYTES,
    packetsPerSecondMax: settings.MQTT_PACKETS_PER_SECOND,
    bytesPerSecondMax: settings.MQTT_BYTES_PER_SECOND,
    silentMs: mqttSilentMs,
  }
}

/** What is wrong between the gateway's settings. */
export const gatewayRules: Rule<GatewaySettings>[] = [
  hostRule,
  ({ CABINET_TLS_CERT, CABINET_TLS_KEY, ...settings }) => {
    const asked = tlsPorts.find((name) => settings[name] !== undefined)
    return asked === undefined ? [] : pairMistakes(asked, CABINET_TLS_CERT, CABINET_TLS_KEY)
  },
]
