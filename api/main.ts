import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type HttpBindings, serve } from '@hono/node-server'
import { Registry } from 'prom-client'
import { answers } from '../db/devices/answer-listener.ts'
import { acquirerOf } from '../db/paygo/acquirer-settings.ts'
import { startSweeper } from '../db/paygo/sweeper.ts'
import { cardKey, databaseRule, describeSettings, readSettings, secret, startOrExit } from '../db/platform/config.ts'
import { flagsOf } from '../db/platform/flags.ts'
import { jsonLog, type Log } from '../db/platform/log.ts'
import { processGauges } from '../db/platform/process-metrics.ts'
import { endOnSignals } from '../db/platform/signals.ts'
import type { Db } from '../db/postgres/connect.ts'
import { open } from '../db/postgres/open.ts'
import { countRows } from './census.ts'
import { type ApiConfig, apiConfig, apiRules, apiSettings } from './config.ts'
import type { AppContext } from './context.ts'
import { prover } from './ledger-check.ts'
import { live } from './live.ts'
import { chargeSavedMethod, deskOf } from './providers/desk.ts'
import { type PaymentApis, paymentApis } from './providers/payment-apis.ts'
import { providersOf } from './providers/webhook-events.ts'
import { startSchedule } from './schedule.ts'
import { sockets as socketsOf } from './sockets.ts'
import { api } from './surfaces.ts'
import { biller } from './tasks/billing.ts'
import { startInbox } from './tasks/inbox.ts'
import { startKiosk } from './tasks/kiosk.ts'
import { startMail } from './tasks/mail.ts'
import { startPanel } from './tasks/panel.ts'
import { startPayments } from './tasks/payments.ts'
import { renewer } from './tasks/renewals.ts'
import { silentStations } from './tasks/silent-stations.ts'
import { startTelegram } from './tasks/telegram.ts'

const connectionsMax = 20_000
/** In milliseconds and bytes. */
const httpLimits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
}
/** Longer than any answer that waits for a cabinet. */
const closeTimeoutMs = 20_000
const idleLookMs = 20

export interface ApiOptions {
  config: ApiConfig
  db: Db
  log: Log
  /** Given by a process that counts more than the API. */
  metrics?: Registry
}

/** Whoever is heard and asked: one of each in a process, for the calls that are open are counted in them. */
function providersAt({ config, db, log }: ApiOptions) {
  const apis = paymentApis(config.providers.payments)
  return { apis, providers: providersOf(config, apis), desk: deskOf({ db, log }, config, apis) }
}

/** The work that is done unasked. */
async function startTasks({
  config,
  db,
  log,
  metrics,
  acquirer,
  providers,
  desk,
  apis,
}: AppContext & { apis: PaymentApis }) {
  const { timeZone } = config

  return [
    await startMail({ db, log, smtp: config.smtp, timeZone }),
    await startInbox({ db, log, providers }),
    await startPayments(desk),
    startSweeper({ db, acquirer, failed: (error) => log('settlement.failed', { error }) }),
    await startKiosk({ db, log, acquirer }),
    ...(apis.panel ? [await startPanel({ db, log, panel: apis.panel, ...config.providers.payments.panel! })] : []),
    await startTelegram({ db, log, telegram: apis.telegram, timeZone }),
    startSchedule({ db, log, rules: config.loyalty.rules }, [
      prover({ db, log, metrics, hour: config.ledgerVerifyHour }),
      renewer({ db, log, charge: (renewal) => chargeSavedMethod(desk, renewal), timeZone, ...config.getpro }),
      biller({ db, log, zone: config.timeZone }),
      silentStations({ db, log, minutes: config.silentMinutes }),
    ]),
  ]
}

/** Starts the HTTP half of the house, with the work it does unasked: letters and the clock. Rejects with the system's error when the port is taken. */
export async function startApi(options: ApiOptions): Promise<{ port: number; close(): Promise<void> }> {
  const { config, db, log, metrics = new Registry() } = options
  const waiters = await answers(db)
  const streams = live(db, log)
  const acquirer = acquirerOf(db, config.acquirer, (error) => log('acquirer.unheard', { error }))
  const { apis, providers, desk } = providersAt(options)
  countRows({ db, log, metrics })
  const ground = { config, db, log, metrics, answers: waiters, live: streams, acquirer, providers, desk }
  const { fetch, sockets: routes } = api(ground)
  const sockets = socketsOf(ground, routes)
  const server = serve({
    // node:http's server gives node:http's bindings, not those of HTTP/2.
    fetch: (request, bindings) => fetch(request, bindings as HttpBindings),
    hostname: config.host,
    port: config.port,
    // What else asks for an upgrade (h2c) is answered as if it had not.
    serverOptions: { ...httpLimits, shouldUpgradeCallback: sockets.isAsked },
    // Without http2 options it is node:http's server.
  }) as Server
  server.maxConnections = connectionsMax
  server.on('upgrade', sockets.upgrade)
  try {
    await new Promise<void>((listening, failed) => server.once('listening', listening).once('error', failed))
  } catch (error) {
    await Promise.all([waiters.close(), streams.close(), sockets.close()])
    throw error
  }
  const tasks = await startTasks({ ...ground, apis })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      // First, for they would keep their connections.
      await Promise.all([sockets.close(), streams.close()])
      const closed = new Promise((done) => server.close(done))
      // A connection whose request is answered while we close falls idle, and would be kept alive.
      const idle = setInterval(() => server.closeIdleConnections(), idleLookMs)
      const impatience = setTimeout(() => server.closeAllConnections(), closeTimeoutMs)
      await closed
      clearInterval(idle)
      clearTimeout(impatience)
      await Promise.all([...tasks.map((task) => task.close()), waiters.close()])
    },
  }
}

/** `npm run api`: this half alone, over the database the settings name. */
async function main() {
  if (flagsOf().help) {
    process.stdout.write(`Settings of the API:\n${describeSettings(apiSettings).join('\n')}\n`)
    return
  }
  const {
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
    ...settings
  } = await readSettings(apiSettings, [databaseRule('JWT_SECRET', 'KEYS_SECRET'), ...apiRules])
  const log = jsonLog()
  const ending = endOnSignals()
  const { db, embedded, stop } = await open({ databaseUrl, dataDir, log })
  const start = () => {
    const keep = (name: string) => secret(name, dataDir, embedded)
    const keysSecret = keep('KEYS_SECRET')
    const secrets = { jwtSecret: keep('JWT_SECRET'), keysSecret, cardKey: cardKey(keysSecret) }
    const config = apiConfig(settings, secrets)
    const metrics = new Registry()
    processGauges(metrics)
    return startApi({ config, db, log, metrics })
  }
  // Inside a promise's chain, so that a mistake in a secret also stops the database that was started for us.
  const running = await Promise.resolve()
    .then(start)
    .catch(async (error) => {
      await stop()
      throw error
    })
  log('api.ready', { port: running.port })
  ending.by(async (signal) => {
    log('api.stopping', { signal })
    await running.close()
    await stop()
  })
}

if (import.meta.main) await startOrExit(main)
