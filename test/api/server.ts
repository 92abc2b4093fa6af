import { Registry } from 'prom-client'
import { afterAll } from 'vitest'
import type { ApiConfig } from '../../api/config.ts'
import type { AppContext } from '../../api/context.ts'
import { live } from '../../api/live.ts'
import { deskOf } from '../../api/providers/desk.ts'
import { paymentApis } from '../../api/providers/payment-apis.ts'
import { providersOf } from '../../api/providers/webhook-events.ts'
import { api } from '../../api/surfaces.ts'
import { sign } from '../../api/token.ts'
import { answers } from '../../db/devices/answer-listener.ts'
import * as identity from '../../db/identity/identity.ts'
import { simulatedAcquirer } from '../../db/paygo/simulated-acquirer.ts'
import { cardKey } from '../../db/platform/config.ts'
import type { Log } from '../../db/platform/log.ts'
import { testDb } from '../postgres.ts'

/** What 1C and Bitrix24 send as `X-Webhook-Token`. */
export const webhookToken = 'hook-token-0123456789abcdef'

/** Settings of a test: no limit in the way unless a test asks for it. */
export const config: ApiConfig = {
  host: '127.0.0.1',
  port: 0,
  publicUrl: null,
  jwtSecret: 'a secret of the tests, long enough for HS256',
  keysSecret: 'another secret of the tests, long enough',
  cardKey: cardKey('another secret of the tests, long enough', {}),
  trustedProxies: [],
  tokenHours: 24,
  accessMinutes: 30,
  refreshDays: 30,
  refreshGraceSeconds: 30,
  timeZone: 'Europe/Moscow',
  paygo: {
    requestsPerMinute: 100_000,
    refreshDays: 7,
    isLuhnChecked: false,
    isExpiryChecked: false,
    ownersRefund: true,
    heartbeatSeconds: 60,
  },
  getpro: { renewalHours: [24, 12, 3, 0], endingHours: 48 },
  acquirer: { ACQUIRER_SECONDS: 1, ACQUIRER_LATE_SECONDS: 2 },
  loyalty: {
    requestsPerSecond: 100_000,
    loginsPerMinute: 100_000,
    verificationsPerMinute: 100_000,
    rules: { silverMinor: 100_000, goldMinor: 500_000, platinumMinor: 1_500_000, pointsDays: null },
  },
  telecom: { isIccidStrict: false, country: 'KG' },
  providers: {
    timeZone: 'Europe/Moscow',
    onec: { tokens: [webhookToken], timeZone: 'Europe/Moscow' },
    bitrix: { mode: 'header', tokens: [webhookToken] },
    payments: {
      timeoutSeconds: 2,
      pollSeconds: 30,
      webhookBaseUrl: null,
      returnUrl: null,
      ...{ yookassa: null, cryptopay: null, freekassa: null, tribute: null, telegram: null, panel: null },
    },
    notices: {
      bodyBytesMax: 262_144,
      limit: null,
      ...{ yookassa: null, cryptopay: null, freekassa: null, tribute: null, stars: null, panel: null },
    },
  },
  returnConfirmationTimeoutSeconds: 1,
  borrowWaitSeconds: 1,
  cabinetPort: 9066,
  loginsPerMinute: 10_000,
  registrationsPerMinute: 10_000,
  phoneFailuresMax: 10_000,
  phoneFailureMinutes: 5,
  hasMetrics: true,
  ledgerVerifyHour: 3,
  silentMinutes: 0,
  smtp: null,
}

export interface Answer {
  status: number
  body: any
  headers: Headers
}

let phones = 79_000_000_000

/** What an API stands on in a test: this file's own database, and the log in an array. */
async function groundOf(change: Partial<ApiConfig>) {
  const { db, url } = await testDb()
  const lines: { event: string; about: Record<string, unknown> }[] = []
  const log: Log = (event, about = {}) => void lines.push({ event, about })
  const settings = { ...config, ...change }
  const apis = paymentApis(settings.providers.payments)
  const stage: AppContext = {
    db,
    providers: providersOf(settings, apis),
    desk: deskOf({ db, log }, settings, apis),
    answers: await answers(db),
    live: live(db, log),
    acquirer: simulatedAcquirer(db, { limitMs: 300, lateMs: 600 }),
    config: settings,
    log,
    metrics: new Registry(),
  }
  afterAll(async () => {
    await stage.live.close()
    await stage.answers.close()
  })
  return { db, url, stage, lines }
}

/** The whole API over this file's own database: call it, and make people to call it as. */
export async function startApiServer(change: Partial<ApiConfig> = {}) {
  const { db, url, stage, lines } = await groundOf(change)
  const { request, fetch } = api(stage)

  /** One request; `body` goes as JSON, or as it is when it is a text or a form. */
  async function call(method: string, path: string, given: { token?: string; body?: unknown; headers?: object } = {}) {
    const { token, body, headers } = given
    const isForm = body instanceof FormData
    const response = await request(path, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' || isForm ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json')
    const answer: Answer = {
      status: response.status,
      body: isJson ? JSON.parse(text) : text,
      headers: response.headers,
    }
    return answer
  }

  /** An active account with one power-bank role, and a token for it. */
  async function person(role = 'user', orgUnitId: number | null = null) {
    const phone = `+${++phones}`
    const email = `p${phones}@example.com`
    const { id, session } = await db.transaction(async (tx) => {
      const roles = [{ surface: 'powerbank' as const, role, orgUnitId }]
      const id = await identity.createWithRoles(tx, {
        phone,
        email,
        fullName: 'Иван Иванов',
        passwordHash: null,
        roles,
      })
      const about = { surface: 'powerbank' as const, hours: 24, ip: null, userAgent: null }
      return { id, session: await identity.login(tx, id, about) }
    })
    const about = { surface: 'powerbank', expiresAt: session.expiresAt }
    const token = await sign({ userId: id, sessionId: session.sessionId }, about, stage.config.jwtSecret)
    return { id, phone, email, token, sessionId: session.sessionId }
  }

  /** A group, or a subgroup of `parentId`. */
  async function unit(name: string, parentId: number | null = null): Promise<number> {
    const [row] = await db.sql<{ id: number }[]>`
      insert into org_units (unit_type, name, parent_id)
      values (${parentId === null ? 'group' : 'subgroup'}, ${name}, ${parentId}) returning id`
    return row!.id
  }

  return { db, url, stage, lines, request, fetch, call, person, unit }
}
