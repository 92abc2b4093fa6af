import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { z } from 'zod'
import { apiConfig, apiRules, apiSettings } from './api/config.ts'
import { type DemoShop, demoShops } from './api/demo-shops.ts'
import { startApi } from './api/main.ts'
import { DEMO_PASSWORD, type Demo, demo } from './db/demo.ts'
import {
  cardKey,
  databaseRule,
  databaseSettings,
  describeSettings,
  readSettings,
  secret,
  startOrExit,
} from './db/platform/config.ts'
import { flagsOf } from './db/platform/flags.ts'
import { jsonLog, type Log } from './db/platform/log.ts'
import { endOnSignals } from './db/platform/signals.ts'
import { type Opened, open } from './db/postgres/open.ts'
import { gatewayConfig, gatewayRules, gatewaySettings } from './gateway/config.ts'
import { type Gateway, startGateway } from './gateway/main.ts'

const shape = z.object({ ...databaseSettings, ...apiSettings.shape, ...gatewaySettings })

/** For `npm run demo -- --help`. */
const demoUsage = `npm run demo: npm start, and beside it an organisation, its people, fifteen simulated cabinets (three of them over MQTT), and
customers who borrow through the API or pay at a kiosk, and bring back, terminals that sell, and subscribers who pay, renew and cancel at
simulated providers (those that the settings do not name). It is made once in a database and found again; the password of everybody
is ${DEMO_PASSWORD}. The line voltbay.ready names the accounts.

`

/** The address somebody on this machine would type. */
const here = (host: string) => (host === '0.0.0.0' || host === '::' ? 'localhost' : host)

/** The simulated fleet is a process of its own: it knows the house only through its doors (docs/decisions.md "Rooms and doors"). */
function startFleet(
  known: Demo,
  host: string,
  ports: Gateway['ports'],
  { apiUrl, shops }: { apiUrl: string; shops: DemoShop[] },
) {
  const fleet = spawn(process.execPath, [join(import.meta.dirname, 'simulators/main.ts'), 'demo'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const customers = known.accounts.filter(({ surface, role }) => surface === 'powerbank' && role === 'user')
  const life = {
    host,
    port: ports.cabinet,
    bootstrapPort: ports.calls,
    stations: known.stations.filter(({ dialect }) => dialect !== 'mqtt' || ports.calls !== null),
    api: { url: apiUrl, customers: customers.map(({ phone }) => phone), password: DEMO_PASSWORD },
    ...(shops.length > 0 && { shops, subscribers: known.subscribers }),
    ...(ports.terminal !== null && { tills: { port: ports.terminal, terminals: known.terminals } }),
  }
  // Keys and passwords go by standard input: a command line is for everybody to read. It ends when we do.
  fleet.stdin.write(`${JSON.stringify(life)}\n`)
  return fleet
}

/** The demo as it is announced: no key. */
const shown = ({ accounts, stations, terminals }: Demo) => ({
  ...{ password: DEMO_PASSWORD, accounts, stations: stations.length, terminals: terminals.length },
})

/** Both halves over one database, counting in one registry. */
async function startHalves(settings: z.output<typeof shape>, { db, embedded }: Opened, log: Log) {
  const keep = (name: string) => secret(name, settings.DATA_DIR, embedded)
  const [jwtSecret, keysSecret] = [keep('JWT_SECRET'), keep('KEYS_SECRET')]
  const secrets = { jwtSecret, keysSecret, cardKey: cardKey(keysSecret) }
  const gateway = await startGateway({ config: gatewayConfig(settings, secrets), db, log })
  // Where the cabinets really are, when the setting asked for any free port.
  const config = {
    ...apiConfig(settings, secrets),
    cabinetPort: gateway.ports.cabinet,
  }
  const api = await startApi({ config, db, log, metrics: gateway.registry })
  return { gateway, api, keysSecret }
}

async function main() {
  const flags = flagsOf('demo')
  if (flags.help) {
    process.stdout.write(
      `${flags.demo ? demoUsage : ''}Settings, from the environment or .env:\n${describeSettings(shape).join('\n')}\n`,
    )
    return
  }
  const given = await readSettings(shape, [databaseRule('JWT_SECRET', 'KEYS_SECRET'), ...apiRules, ...gatewayRules])
  const log = jsonLog()
  const ending = endOnSignals()
  const { settings, shops } = flags.demo ? await demoShops(given) : { settings: given, shops: [] }
  const opened = await open({ databaseUrl: settings.DATABASE_URL, dataDir: settings.DATA_DIR, log })
  const { gateway, api, keysSecret } = await startHalves(settings, opened, log).catch(async (error) => {
    await opened.stop()
    throw error
  })
  const host = here(settings.HOST)
  const url = `http://${host}:${api.port}`
  const known = flags.demo ? await demo(opened.db, keysSecret) : null
  const fleet = known && startFleet(known, host, gateway.ports, { apiUrl: url, shops })
  const ready = {
    event: 'voltbay.ready',
    api: `${url}/api`,
    docs: `${url}/api/docs`,
    metrics: `http://${host}:${gateway.ports.metrics}/metrics`,
    cabinets: `tcp://${host}:${gateway.ports.cabinet}`,
    ...(gateway.ports.terminal !== null && { terminals: `tcp://${host}:${gateway.ports.terminal}` }),
    ...(gateway.ports.mqtt !== null && { broker: `mqtt://${host}:${gateway.ports.mqtt}` }),
    ...(gateway.ports.mqttWs !== null && { brokerWebSocket: `ws://${host}:${gateway.ports.mqttWs}` }),
    ...(gateway.ports.calls !== null && { bootstrap: `http://${host}:${gateway.ports.calls}` }),
    database: opened.embedded ? `embedded in ${settings.DATA_DIR}` : 'DATABASE_URL',
    ...(known && { demo: shown(known) }),
    ms: Math.round(performance.now()),
  }
  process.stdout.write(`${JSON.stringify(ready)}\n`)
  ending.by(async (signal) => {
    log('voltbay.stopping', { signal })
    fleet?.kill()
    await api.close()
    await gateway.close()
    await opened.stop()
  })
}

await startOrExit(main)
