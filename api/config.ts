import { z } from 'zod'
import type { PointRules } from '../db/loyalty/points.ts'
import { type AcquirerSettings, acquirerSettings } from '../db/paygo/acquirer-settings.ts'
import { heartbeatSettings } from '../db/paygo/terminal-settings.ts'
import {
  address,
  databaseSettings,
  flag,
  hostRule,
  port,
  type Rule,
  readBy,
  refuse,
  timeZone,
  whole,
} from '../db/platform/config.ts'
import { addressList } from './client-ip.ts'
import { type ProviderConfig, providerConfig, providerRules, providerSettings } from './providers/config.ts'
import type { Smtp } from './tasks/mailer.ts'

const minorPerPoint = 100

const list = (text: string) => text.split(/[\s,]+/).filter(Boolean)
const isRising = (text: string) => {
  const numbers = text.split(',').map(Number)
  return numbers.every((one, at) => at === 0 || one >= numbers[at - 1]!)
}

/** What the API may be told by the environment. */
export const apiSettings = z.object({
  ...databaseSettings,
  HOST: z.string().default('0.0.0.0').describe('address to listen on'),
  API_PORT: port().default(8000).describe('HTTP port of the API and its documentation'),
  PUBLIC_URL: address(['http', 'https'], 'https://voltbay.example.org')
    .optional()
    .describe(
      'what the API calls itself in links and in its description; unset: no server in the description, and in links (qr_code_url) the host the client called',
    ),
  TRUSTED_PROXIES: readBy((text) => addressList(list(text)))
    .optional()
    .describe('addresses and networks whose X-Forwarded-For is believed, as 127.0.0.1,10.0.0.0/8'),
  TOKEN_HOURS: whole(1, 8_760).default(24).describe('how long a login lasts'),
  ACCESS_MINUTES: whole(1, 1_440).default(30).describe('how long an access token lasts where there is a refresh token'),
  REFRESH_DAYS: whole(1, 365).default(30).describe('how long a refresh token lasts that nobody uses'),
  REFRESH_GRACE_SECONDS: whole(0, 300)
    .default(30)
    .describe('how long a refresh token that was just traded, by another tab, still gives the new ones'),
  TIME_ZONE: timeZone().default('Europe/Moscow').describe('whose days and clocks a client means that names no zone'),
  PAYGO_REQUESTS_PER_MINUTE: whole(1, 1_000_000).default(600).describe('requests of one address to the PayGo surface'),
  PAYGO_REFRESH_DAYS: whole(1, 365)
    .default(7)
    .describe('REFRESH_DAYS on the PayGo surface, for a login without remember_me'),
  PAYGO_CARD_LUHN: flag().default(false).describe('refuse card numbers whose check digit is wrong'),
  PAYGO_CARD_EXPIRY: flag().default(false).describe('refuse cards that have expired'),
  PAYGO_OWNER_REFUNDS: flag().default(true).describe('people may give back their own payments'),
  GETPRO_RENEWAL_HOURS: z
    .string()
    .regex(/^-?\d{1,3}(?:,-?\d{1,3}){0,9}$/, 'must look like 24,12,3,0')
    .refine((hours) => isRising(hours.split(',').reverse().join()), 'must fall')
    .default('24,12,3,0')
    .describe('hours before its end at which a subscription that renews by itself is charged; less than 0: after it'),
  GETPRO_ENDING_HOURS: whole(0, 720)
    .default(48)
    .describe('hours before the end of a subscription at which its owner is told; 0: not at all'),
  LOYALTY_REQUESTS_PER_SECOND: whole(1, 1_000_000)
    .default(10)
    .describe('requests of one address to the loyalty surface'),
  LOYALTY_LOGINS_PER_MINUTE: whole(1, 1_000_000)
    .default(5)
    .describe('registrations, logins and refreshes of one address on the loyalty surface'),
  LOYALTY_VERIFICATIONS_PER_MINUTE: whole(1, 1_000_000)
    .default(30)
    .describe('questions of one address about certificates, by code, without a login'),
  LOYALTY_POINTS_DAYS: whole(1, 36_500).optional().describe('how long points are good; unset: for ever'),
  LOYALTY_TIERS: z
    .string()
    .regex(/^\d{1,9},\d{1,9},\d{1,9}$/, 'must look like 1000,5000,15000')
    .refine(isRising, 'must rise: silver, gold, platinum')
    .default('1000,5000,15000')
    .describe('points ever earned that make a card silver, gold and platinum'),
  TELECOM_ICCID_STRICT: flag()
    .default(false)
    .describe('refuse numbers of SIM cards that do not begin with 89 or whose check digit is wrong'),
  TELECOM_COUNTRY: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be a country like KG')
    .default('KG')
    .describe('whose calendar of working days the terms of tickets are counted by, where working hours are set'),
  RETURN_CONFIRMATION_TIMEOUT_SECONDS: whole(1, 60)
    .default(10)
    .describe('how long POST /api/return/wait-confirmation waits for the power bank'),
  BORROW_WAIT_SECONDS: whole(1, 60).default(15).describe('how long a borrow request waits for the cabinet'),
  CABINET_PORT: port().default(9066).describe('what set-server-address tells a cabinet when nobody names a port'),
  LOGINS_PER_MINUTE: whole(1, 1_000_000).default(120).describe('logins of one address'),
  REGISTRATIONS_PER_MINUTE: whole(1, 1_000_000).default(120).describe('registrations of one address'),
  PHONE_FAILURES: whole(1, 1_000_000).default(10).describe('wrong passwords for one phone before it has to wait'),
  PHONE_FAILURE_MINUTES: whole(1, 1_440).default(5).describe('within how long, and how long it waits'),
  METRICS_ON_API: flag()
    .default(false)
    .describe('serve /metrics on API_PORT as well, for a process that has no METRICS_PORT; keep it from the outside'),
  LEDGER_VERIFY_HOUR: whole(0, 23).default(3).describe('from which hour (UTC) on the ledger is proved, once a day'),
  STATION_SILENT_MINUTES: whole(0, 43_200)
    .default(60)
    .describe('a station that is silent for longer opens a ticket in the CRM by itself; 0: none does'),
  SMTP_URL: address(['smtp', 'smtps'], 'smtp://user:password@host:587 or smtps://…:465')
    .optional()
    .describe('mail server for letters to users; unset: letters stay in the outbox table, and none goes out'),
  SMTP_FROM: z
    .string()
    .regex(/^(?:[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, 'must look like Voltbay <no-reply@example.org>')
    .optional()
    .describe('sender of the letters; required with SMTP_URL'),
  ...heartbeatSettings,
  ...acquirerSettings,
  ...providerSettings,
})

type ApiSettings = z.output<typeof apiSettings>

const senderMistakes = (given: Partial<ApiSettings>) =>
  given.SMTP_URL && !given.SMTP_FROM ? ['SMTP_FROM is required when SMTP_URL is set'] : []

/** What is wrong between the API's settings. */
export const apiRules: Rule<ApiSettings>[] = [hostRule, senderMistakes, ...providerRules]

/** The loyalty programme's settings (docs/contracts.md 3). */
interface LoyaltyConfig {
  /** Of one address (docs/contracts.md 3, "Rate Limiting"). */
  requestsPerSecond: number
  /** Registrations, logins and refreshes of one address. */
  loginsPerMinute: number
  /** Questions of one address about certificates without a login; pictures of codes that are none count too. */
  verificationsPerMinute: number
  rules: PointRules
}

/** The settings of subscriptions of 2GETPRO (docs/contracts.md 2). */
interface GetproConfig {
  /** Hours before its end at which a subscription that renews by itself is charged, falling. */
  renewalHours: readonly number[]
  /** Hours before the end at which its owner is told; 0: not at all. */
  endingHours: number
}

/** The PayGo surface's settings (docs/contracts.md 1). */
interface PaygoConfig {
  /** Of one address. */
  requestsPerMinute: number
  /** How long a refresh token lasts unused; with `remember_me`, `refreshDays` of the house. */
  refreshDays: number
  isLuhnChecked: boolean
  isExpiryChecked: boolean
  ownersRefund: boolean
  /** Of a terminal on its WebSocket. */
  heartbeatSeconds: number
}

/** The telecom CRM's settings (docs/contracts.md 5). */
interface TelecomConfig {
  /** Of a SIM card's number the first two digits and the last one count, too. */
  isIccidStrict: boolean
  /** ISO 3166: whose holidays count. */
  country: string
}

/** The API's settings, checked at start. */
export interface ApiConfig {
  host: string
  /** 0 takes a free port. */
  port: number
  /** What links and the API description name; null: relative. */
  publicUrl: string | null
  jwtSecret: string
  keysSecret: string
  /** Card numbers and biometric templates are fingerprinted under it. */
  cardKey: Buffer
  /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
  trustedProxies: readonly string[]
  /** How long a login lasts (docs/contracts.md C6). */
  tokenHours: number
  /** Where a surface has refresh tokens, its access tokens last so long, and a refresh token itself so long unused. */
  accessMinutes: number
  refreshDays: number
  /** How long a refresh token that was just traded still gives what it was traded for. */
  refreshGraceSeconds: number
  /** Of days and instants that name none. */
  timeZone: string
  paygo: PaygoConfig
  getpro: GetproConfig
  acquirer: AcquirerSettings
  loyalty: LoyaltyConfig
  telecom: TelecomConfig
  providers: ProviderConfig
  /** Of `POST /api/return/wait-confirmation`; never the client's choice (docs/contracts.md 4). */
  returnConfirmationTimeoutSeconds: number
  /** How long a borrow request waits for the cabinet (docs/contracts.md 4.5). */
  borrowWaitSeconds: number
  /** What `set-server-address` names when the client names no port. */
  cabinetPort: number
  loginsPerMinute: number
  registrationsPerMinute: number
  /** Wrong passwords for one phone within `phoneFailureMinutes`, before it has to wait. */
  phoneFailuresMax: number
  phoneFailureMinutes: number
  /** The API answers `/metrics` itself. */
  hasMetrics: boolean
  /** Of the day, in UTC, from which on the ledger is proved. */
  ledgerVerifyHour: number
  /** When a silent station opens a ticket; 0: never. */
  silentMinutes: number
  /** Null: letters are kept in the outbox and none goes out. */
  smtp: Smtp | null
}

function pointRules(tiers: string, pointsDays: number | undefined): PointRules {
  const [silverMinor = 0, goldMinor = 0, platinumMinor = 0] = tiers
    .split(',')
    .map((points) => Number(points) * minorPerPoint)
  return { silverMinor, goldMinor, platinumMinor, pointsDays: pointsDays ?? null }
}

const getproConfig = (given: Pick<ApiSettings, 'GETPRO_RENEWAL_HOURS' | 'GETPRO_ENDING_HOURS'>): GetproConfig => ({
  renewalHours: given.GETPRO_RENEWAL_HOURS.split(',').map(Number),
  endingHours: given.GETPRO_ENDING_HOURS,
})

/**
 * The API's configuration out of its settings.
 * @throws BadSettings
 */
export function apiConfig(
  settings: Omit<ApiSettings, keyof typeof databaseSettings>,
  secrets: Pick<ApiConfig, 'jwtSecret' | 'keysSecret' | 'cardKey'>,
): ApiConfig {
  const { SMTP_URL: smtpUrl, SMTP_FROM: smtpFrom } = settings
  refuse(senderMistakes(settings))
  return {
    ...secrets,
    host: settings.HOST,
    port: settings.API_PORT,
    publicUrl: settings.PUBLIC_URL?.replace(/\/$/, '') ?? null,
    trustedProxies: list(settings.TRUSTED_PROXIES ?? ''),
    tokenHours: settings.TOKEN_HOURS,
    accessMinutes: settings.ACCESS_MINUTES,
    refreshDays: settings.REFRESH_DAYS,
    refreshGraceSeconds: settings.REFRESH_GRACE_SECONDS,
    timeZone: settings.TIME_ZONE,
    paygo: {
      requestsPerMinute: settings.PAYGO_REQUESTS_PER_MINUTE,
      refreshDays: settings.PAYGO_REFRESH_DAYS,
      isLuhnChecked: settings.PAYGO_CARD_LUHN,
      isExpiryChecked: settings.PAYGO_CARD_EXPIRY,
      ownersRefund: settings.PAYGO_OWNER_REFUNDS,
      heartbeatSeconds: settings.TERMINAL_HEARTBEAT_SECONDS,
    },
    getpro: getproConfig(settings),
    acquirer: { ACQUIRER_SECONDS: settings.ACQUIRER_SECONDS, ACQUIRER_LATE_SECONDS: settings.ACQUIRER_LATE_SECONDS },
    telecom: { isIccidStrict: settings.TELECOM_ICCID_STRICT, country: settings.TELECOM_COUNTRY },
    loyalty: {
      requestsPerSecond: settings.LOYALTY_REQUESTS_PER_SECOND,
      loginsPerMinute: settings.LOYALTY_LOGINS_PER_MINUTE,
      verificationsPerMinute: settings.LOYALTY_VERIFICATIONS_PER_MINUTE,
      rules: pointRules(settings.LOYALTY_TIERS, settings.LOYALTY_POINTS_DAYS),
    },
    providers: providerConfig(settings),
    returnConfirmationTimeoutSeconds: settings.RETURN_CONFIRMATION_TIMEOUT_SECONDS,
    borrowWaitSeconds: settings.BORROW_WAIT_SECONDS,
    cabinetPort: settings.CABINET_PORT,
    loginsPerMinute: settings.LOGINS_PER_MINUTE,
    registrationsPerMinute: settings.REGISTRATIONS_PER_MINUTE,
    phoneFailuresMax: settings.PHONE_FAILURES,
    phoneFailureMinutes: settings.PHONE_FAILURE_MINUTES,
    hasMetrics: settings.METRICS_ON_API,
    ledgerVerifyHour: settings.LEDGER_VERIFY_HOUR,
    silentMinutes: settings.STATION_SILENT_MINUTES,
    smtp: smtpUrl && smtpFrom ? { url: smtpUrl, from: smtpFrom } : null,
  }
}
