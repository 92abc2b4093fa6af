import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { createHistogram } from 'node:perf_hooks'
import { sign } from '../../api/token.ts'
import * as identity from '../../db/identity/identity.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { register, settled } from './cabinets.ts'
import type { FleetChild } from './fleet-child.ts'
import { spread } from './pairs.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { milliseconds, type Row, thousands } from './table.ts'

const cabinets = 1_000
const p99MsMax = 25
const runs = 5
const nanosecondsPerMillisecond = 1e6
const path = '/api/query-voice-volume'

/** An administrator's token, as a login would give it. */
async function token(db: Db, jwtSecret: string): Promise<string> {
  const { id, session } = await db.transaction(async (tx) => {
    const id = await identity.createWithRoles(tx, {
      phone: '+79000000000',
      email: 'bench@example.org',
      fullName: 'Bench',
      passwordHash: null,
      roles: [{ surface: 'powerbank', role: 'service_admin', orgUnitId: null }],
    })
    return { id, session: await identity.login(tx, id, { surface: 'powerbank', hours: 24, ip: null, userAgent: null }) }
  })
  return sign(
    { userId: id, sessionId: session.sessionId },
    { surface: 'powerbank', expiresAt: session.expiresAt },
    jwtSecret,
  )
}

interface Target {
  apiPort: number
  token: string
  firstId: number
}

/** One command over a kept connection; rejects unless the cabinet's answer comes back. */
function ask(agent: Agent, { apiPort, token }: Target, stationId: number): Promise<void> {
  const body = JSON.stringify({ station_id: stationId })
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': body.length,
  }
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host: '127.0.0.1', port: apiPort, method: 'POST', path, headers }, (answer) => {
      answer.resume()
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${path}: HTTP ${answer.statusCode}`)),
      )
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

/** So many clients, each with one command under way to a cabinet of its own, for so long. Milliseconds. */
async function run(target: Target, clients: number, ms: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const latency = createHistogram()
  const from = performance.now()
  let turn = 0
  const client = async () => {
    while (performance.now() - from < ms) {
      const asked = performance.now()
      // A stride that visits every cabinet before any comes again.
      await ask(agent, target, target.firstId + ((turn++ * 7) % cabinets))
      latency.record(Math.round((performance.now() - asked) * nanosecondsPerMillisecond))
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  agent.destroy()
  const at = (percent: number) => latency.percentile(percent) / nanosecondsPerMillisecond
  return { p50: at(50), p99: at(99), perSecond: (latency.count * 1_000) / (performance.now() - from) }
}

/**
 * From the HTTP request to the answer of a simulated cabinet and back: a transaction, the bell, the bytes, the cabinet,
 * another transaction, the bell, the response. API and gateway are one process, as `npm start` has them.
 */
export async function command(bench: Bench): Promise<Row[]> {
  const { quick, start, progress } = bench
  const [keysSecret, jwtSecret] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')]
  const { db, url } = await bench.database()
  const { firstId } = await register(db, cabinets, keysSecret)
  const house = start<HouseChild>('server-child.ts', { isUnderTest: true })
  const fleet = start<FleetChild>('fleet-child.ts')
  const { cabinetPort, apiPort } = await house.ask('open', { url, keysSecret, jwtSecret, hasApi: true })
  const target = { apiPort, token: await token(db, jwtSecret), firstId }
  await fleet.ask('login', { port: cabinetPort, count: cabinets, banks: 0 })
  await settled(db)

  const rows: Row[] = []
  for (const clients of [1, 8]) {
    progress(`  ${clients} at a time`)
    const figures: Awaited<ReturnType<typeof run>>[] = []
    for (let n = 0; n <= (quick ? 2 : runs); n++) figures.push(await run(target, clients, quick ? 1_000 : 5_000))
    const [p50, p99, rate] = (['p50', 'p99', 'perSecond'] as const).map((name) =>
      spread(figures.slice(1).map((figure) => figure[name])),
    )
    rows.push({
      what: `command round trip, ${cabinets.toLocaleString('en')} cabinets, ${clients} at a time: p99`,
      ours: `${milliseconds(p99!.median)} (p50 ${milliseconds(p50!.median)}, ${thousands(rate!.median)}/s)`,
      goal: `≤ ${p99MsMax} ms`,
      met: p99!.median <= p99MsMax,
    })
  }
  await fleet.end()
  await house.end()
  return rows
}
