import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { apiRules, apiSettings } from '../api/config.ts'
import { BadSettings, checkSettings, databaseRule, databaseSettings, type Environment } from '../db/platform/config.ts'
import { gatewayRules, gatewaySettings } from '../gateway/config.ts'
import { cert, key } from './gateway/localhost.ts'
import { tempDataDir } from './postgres.ts'

const main = join(import.meta.dirname, '..')
const everything = z.object({ ...databaseSettings, ...apiSettings.shape, ...gatewaySettings })
const rules = [databaseRule('JWT_SECRET', 'KEYS_SECRET'), ...apiRules, ...gatewayRules]

const folder = tempDataDir()
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const [certFile, keyFile, noPem] = [file('cert.pem', cert), file('key.pem', key), file('no.pem', 'hello')]
const strangersKey = file(
  'stranger.pem',
  `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`,
)
const tls = { CABINET_TLS_PORT: '0', CABINET_TLS_CERT: certFile, CABINET_TLS_KEY: keyFile }

/** A value no setting of this name may have, or with what else it is wrong; null: any text is a good one. */
const wrong: Record<keyof typeof everything.shape, string | Environment | null> = {
  DATABASE_URL: 'postgres://me:hush@host:99999/x',
  DATA_DIR: join(noPem, 'data'),
  JWT_SECRET: 'hush',
  KEYS_SECRET: 'hush',
  PAYMENT_CARD_KEY: 'hush',
  HOST: '203.0.113.1',
  API_PORT: '70000',
  PUBLIC_URL: 'https://',
  TRUSTED_PROXIES: '10.0.0.0/8, 10.0.0.0/99',
  TOKEN_HOURS: '0',
  ACCESS_MINUTES: '1.5',
  REFRESH_DAYS: '366',
  REFRESH_GRACE_SECONDS: '301',
  TIME_ZONE: 'Moscow',
  PAYGO_REQUESTS_PER_MINUTE: '0',
  PAYGO_REFRESH_DAYS: '0',
  PAYGO_CARD_LUHN: 'maybe',
  PAYGO_CARD_EXPIRY: 'yes',
  PAYGO_OWNER_REFUNDS: '2',
  GETPRO_RENEWAL_HOURS: '3,24',
  GETPRO_ENDING_HOURS: '-1',
  LOYALTY_REQUESTS_PER_SECOND: '-1',
  LOYALTY_LOGINS_PER_MINUTE: 'many',
  LOYALTY_VERIFICATIONS_PER_MINUTE: '1e3',
  LOYALTY_POINTS_DAYS: '0',
  TELECOM_ICCID_STRICT: 'maybe',
  TELECOM_COUNTRY: 'Kyrgyzstan',
  LOYALTY_TIERS: '1000,500,2000',
  RETURN_CONFIRMATION_TIMEOUT_SECONDS: '61',
  BORROW_WAIT_SECONDS: '0',
  CABINET_PORT: ' 9066',
  LOGINS_PER_MINUTE: '0',
  REGISTRATIONS_PER_MINUTE: '0',
  PHONE_FAILURES: '0',
  PHONE_FAILURE_MINUTES: '0',
  METRICS_ON_API: 'maybe',
  LEDGER_VERIFY_HOUR: '24',
  STATION_SILENT_MINUTES: '-1',
  SMTP_URL: 'smtp:me:hush',
  SMTP_FROM: 'nobody',
  ONEC_WEBHOOK_TOKEN: 'hush',
  ONEC_WEBHOOK_TOKEN_PREVIOUS: 'hush',
  ONEC_TIME_ZONE: 'Moscow',
  BITRIX_AUTH_MODE: 'none',
  BITRIX_WEBHOOK_TOKEN: 'hush',
  BITRIX_WEBHOOK_TOKEN_PREVIOUS: 'hush',
  BITRIX_APPLICATION_TOKEN: 'hush',
  BITRIX_MEMBER_ID: null,
  BITRIX_WEBHOOK_URL: 'example.bitrix24.ru/rest/1/hush',
  PROVIDER_TIMEOUT_SECONDS: '61',
  PROVIDER_CALLS_MAX: '0',
  PAYMENTS_POLL_SECONDS: '0',
  WEBHOOK_BASE_URL: 'https://',
  PAYMENTS_RETURN_URL: 'https://',
  YOOKASSA_SHOP_ID: 'shop',
  YOOKASSA_SECRET_KEY: { YOOKASSA_SHOP_ID: '1' },
  YOOKASSA_API_URL: 'api.yookassa.ru',
  YOOKASSA_RECEIPTS: 'yes',
  YOOKASSA_VAT_CODE: '13',
  YOOKASSA_TAX_SYSTEM_CODE: '7',
  YOOKASSA_PAYMENT_MODE: 'later',
  YOOKASSA_PAYMENT_SUBJECT: 'Услуга',
  YOOKASSA_MEASURE: 'шт.',
  CRYPTOPAY_TOKEN: 'hush тише',
  CRYPTOPAY_API_URL: 'ftp://pay.crypt.bot',
  CRYPTOPAY_CURRENCY_TYPE: 'gold',
  CRYPTOPAY_ASSET: 'rub',
  FREEKASSA_MERCHANT_ID: { FREEKASSA_API_KEY: 'hush' },
  FREEKASSA_FIRST_SECRET: null,
  FREEKASSA_SECOND_SECRET: null,
  FREEKASSA_API_KEY: null,
  FREEKASSA_API_URL: 'https://',
  FREEKASSA_PAY_URL: 'pay.fk.money',
  FREEKASSA_PAYMENT_IP: 'localhost',
  FREEKASSA_PAYMENT_METHOD: 'card',
  TRIBUTE_API_KEY: 'hush тише',
  TRIBUTE_API_URL: '/api/v1',
  TELEGRAM_BOT_TOKEN: 'hush',
  TELEGRAM_API_URL: 'tg://api',
  PANEL_API_URL: 'panel',
  PANEL_API_KEY: { PANEL_API_URL: 'https://panel.example.org' },
  PANEL_VERSION: '4',
  PANEL_USER_TAG: 'getpro',
  PANEL_SQUADS: 'squad',
  PANEL_DEVICES_MAX: '0',
  WEBHOOK_MAX_BODY: '12',
  YOOKASSA_IP_CHECK: 'maybe',
  YOOKASSA_ALLOWED_IPS: '185.71.76.0/99',
  YOOKASSA_VERIFY_BY_API: {
    ...{ YOOKASSA_SHOP_ID: '1', YOOKASSA_SECRET_KEY: 'hush' },
    ...{ YOOKASSA_IP_CHECK: 'log', YOOKASSA_VERIFY_BY_API: 'false' },
  },
  FREEKASSA_SIGNATURE_SCHEME: 'any',
  FREEKASSA_HMAC_SECRET: null,
  FREEKASSA_IP_CHECK: 'yes',
  FREEKASSA_ALLOWED_IPS: 'freekassa.ru',
  FREEKASSA_NOTICE_METHOD: 'GET',
  TRIBUTE_SIGNATURE_ENCODING: 'hex64',
  STARS_WEBHOOK_SECRET: 'hush hush hush hush',
  STARS_WEBHOOK_SECRET_PREVIOUS: 'hush',
  PANEL_WEBHOOK_SECRET: 'hush',
  PANEL_WEBHOOK_SECRET_PREVIOUS: 'hush',
  PANEL_WEBHOOK_MAX_AGE: '-1',
  RATE_LIMIT_ENABLED: 'sometimes',
  RATE_LIMIT_REQUESTS: '0',
  RATE_LIMIT_WINDOW: '0',
  CABINET_TLS_PORT: { CABINET_TLS_PORT: '9443' },
  CABINET_TLS_CERT: { ...tls, CABINET_TLS_CERT: '/nowhere' },
  CABINET_TLS_KEY: { ...tls, CABINET_TLS_KEY: strangersKey },
  CABINET_ALLOW: '10.0.0.0/8 cellar',
  CABINET_REUSE_PORT: 'yes',
  METRICS_PORT: '-1',
  CABINET_CONNECTIONS: '0',
  CABINET_CONNECTIONS_PER_ADDRESS: '0',
  CABINET_LOGIN_SECONDS: '0',
  CABINET_FRAME_SECONDS: '0',
  CABINET_FRAMES_PER_SECOND: '0',
  CABINET_WRITE_BUFFER_BYTES: '1',
  MQTT_PORT: '99999',
  MQTT_WS_PORT: '99999',
  MQTT_TLS_PORT: { MQTT_TLS_PORT: '9443', CABINET_TLS_CERT: certFile },
  MQTT_URL: 'mqtt://me:h%ush@broker',
  MQTT_USERNAME: null,
  MQTT_PASSWORD: null,
  MQTT_SHARE_GROUP: 'a/b',
  MQTT_CLIENT_ID: 'node 1',
  MQTT_PUBLIC_HOST: 'mqtt://broker',
  MQTT_PUBLIC_PORT: '0',
  MQTT_PACKET_BYTES: '1',
  MQTT_PACKETS_PER_SECOND: '0',
  MQTT_BYTES_PER_SECOND: '1',
  CABINET_HTTP_PORT: '99999',
  CABINET_TAKING_SECONDS: '9',
  CABINET_GOOD_READINGS: '0',
  CABINET_LOOK_SECONDS: '59',
  CABINET_LOOK_LENT_SECONDS: '29',
  CABINET_SEEN_SECONDS: '61',
  TERMINAL_PORT: '99999',
  TERMINAL_TLS_PORT: { TERMINAL_TLS_PORT: '9443' },
  TERMINAL_PLAIN: 'yes',
  TERMINAL_HEARTBEAT_SECONDS: '4',
  ACQUIRER_SECONDS: '41',
  ACQUIRER_LATE_SECONDS: '0',
}

async function mistakes(env: Environment): Promise<string[]> {
  try {
    await checkSettings(everything, rules, { DATA_DIR: folder, ...env })
    return []
  } catch (error) {
    if (error instanceof BadSettings) return error.mistakes
    throw error
  }
}

const environmentOf = (name: string, value: string | Environment) =>
  typeof value === 'string' ? { [name]: value } : value
const cases = Object.entries(wrong).flatMap(([name, value]) =>
  value === null ? [] : [[name, environmentOf(name, value)] as const],
)

test.each(cases)('a wrong %s is told by its name, without a secret', async (name, env) => {
  const [line, ...more] = await mistakes(env)
  expect(more).toEqual([])
  expect(line).toMatch(new RegExp(`^${name} \\w`))
  expect(line).not.toMatch(/hush|Invalid/)
})

test.each([
  [{ SMTP_URL: 'smtp://mail.example.org' }, 'SMTP_FROM is required when SMTP_URL is set'],
  [{ SMTP_URL: 'smtp://mail.example.org', SMTP_FROM: 'nobody' }, 'SMTP_FROM must look like'],
  [
    { BITRIX_AUTH_MODE: 'application_token', BITRIX_APPLICATION_TOKEN: 'x'.repeat(16) },
    'BITRIX_MEMBER_ID is required when BITRIX_APPLICATION_TOKEN is set',
  ],
  [{ ...tls, CABINET_TLS_CERT: noPem }, 'CABINET_TLS_CERT holds no certificate in PEM'],
  [{ ...tls, CABINET_TLS_KEY: noPem }, 'CABINET_TLS_KEY holds no private key without a password in PEM'],
  [{ ...tls, CABINET_TLS_KEY: strangersKey }, 'CABINET_TLS_KEY is not the key of CABINET_TLS_CERT'],
  [{ DATA_DIR: noPem }, 'DATA_DIR cannot be used: ENOTDIR'],
] as const)('%j: %s', async (env, line) => {
  expect(await mistakes(env)).toEqual([expect.stringContaining(line)])
})

test('a shared database wants both secrets, and what is wrong by itself is told once', async () => {
  const DATABASE_URL = 'postgres://me:p%40ss@one:5432,two:5433/voltbay?sslmode=require'
  expect(await mistakes({ DATABASE_URL, DATA_DIR: noPem, KEYS_SECRET: 'short' })).toEqual([
    'KEYS_SECRET must have at least 32 characters',
    'JWT_SECRET is required when DATABASE_URL is set',
  ])
})

test('good settings are none of these', async () => {
  const good = {
    ...tls,
    MQTT_TLS_PORT: '0',
    HOST: 'localhost',
    MQTT_URL: 'mqtts://me:p%40ss@broker:8883',
    DATA_DIR: '',
  }
  expect(await mistakes(good)).toEqual([])
})

/** How a command ends that starts in an empty directory; what it leaves there is for the test to look at. */
async function run(program: string, env: Environment) {
  const cwd = tempDataDir()
  const options = { cwd, env: { PATH: process.env.PATH, DATA_DIR: 'data', ...env } }
  const ended = promisify(execFile)(process.execPath, [join(main, program)], options)
  const { code, stdout, stderr } = await ended.catch((error) => error)
  return { code, stdout, lines: String(stderr).trimEnd().split('\n'), isDataMade: existsSync(join(cwd, 'data')) }
}

vi.setConfig({ testTimeout: 60_000 })

test.each([
  ['main.ts', everything],
  ['gateway/main.ts', z.object({ ...databaseSettings, ...gatewaySettings })],
  ['api/main.ts', apiSettings],
])('%s tells all mistakes at once, and makes nothing', async (program, { shape }) => {
  const env = Object.fromEntries(Object.entries(wrong).filter(([, value]) => typeof value === 'string'))
  const { code, stdout, lines, isDataMade } = await run(program, { ...env, ...tls, CABINET_TLS_CERT: noPem })
  const wanted = Object.keys(shape).filter((name) => name in env || name === 'CABINET_TLS_CERT')
  expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual(wanted.sort())
  expect({ code, stdout, isDataMade }).toEqual({ code: 1, stdout: '', isDataMade: false })
})

test('a taken port is one clear line', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void squatter.close())
  await new Promise((listening) => squatter.once('listening', listening))
  const { port } = squatter.address() as { port: number }
  const ports = ['API', 'CABINET', 'METRICS', 'MQTT', 'MQTT_WS', 'CABINET_HTTP'].map((name) => [`${name}_PORT`, '0'])
  const env = { HOST: '127.0.0.1', ...Object.fromEntries(ports), API_PORT: `${port}` }
  const { code, stdout, lines } = await run('main.ts', env)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(lines.filter((line) => !line.startsWith('{'))).toEqual([
    expect.stringContaining(`EADDRINUSE: address already`),
  ])
})
