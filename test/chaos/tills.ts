import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { sign } from '../../api/token.ts'
import * as identity from '../../db/identity/identity.ts'
import * as terminals from '../../db/paygo/terminals.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { dialer } from '../../simulators/dial.ts'
import { card } from '../../simulators/terminal/cards.ts'
import type { Terminal } from '../../simulators/terminal/simulated-terminal.ts'
import { terminal } from '../../simulators/terminal/terminal-tcp.ts'
import { serverBase } from './bases.ts'
import { type Dice, dice } from './dice.ts'
import { REST_SECONDS_MAX, STEP_SECONDS_MAX } from './limits.ts'
import { settles } from './rest.ts'
import { type RunningServer, startWholeServer } from './server.ts'
import { type Step, type Trap, trap } from './steps.ts'
import { tap } from './tap.ts'
import type { Server } from './test-database.ts'
import { tillSteps } from './till-steps.ts'
import { tillWrongs } from './till-verify.ts'
import { httpWire, terminalWire } from './wires.ts'

const TERMINALS = 3
const DOWN_MS_MAX = 400
const NTH_MAX = 3
/** A step comes less often than one of a borrow: a completion needs a hold that is still there. */
const MEET_SECONDS_MAX = 2 * STEP_SECONDS_MAX
/** Whoever was to go on with an act is dead, or on a slow machine was not answered in time, and need not be waited for. */
const TRAVEL_MS = 5_000
/** Between two things that somebody does at a terminal. */
const PAUSE_MS_MAX = 60
const secrets = {
  JWT_SECRET: 'a secret of the chaos runs, long enough for HS256',
  KEYS_SECRET: 'another secret of the chaos runs, long enough',
}
/** The acquirer is given up soon, so that silence is part of a run. */
const settings = { ...secrets, ACQUIRER_SECONDS: '1', ACQUIRER_LATE_SECONDS: '2' }
/** By their last digits the acquirer approves most, declines some, answers twice, or is silent. */
const amounts = [10_000, 12_300, 15_001, 9_990, 20_000, 10_005, 10_051, 10_070, 10_068]

/** What came of one run. */
export interface TillReport {
  seed: number
  step: Step
  isHit: boolean
  /** How the transactions stand at the end. */
  transactions: string
  restSeconds: number
  wrongs: string[]
}

const blank = (seed: number): TillReport => ({
  ...{ seed, step: tillSteps[seed % tillSteps.length]!, isHit: false, transactions: '', restSeconds: 0, wrongs: [] },
})

/** A till: a simulated terminal, its row, and what was asked to be given back of it. */
export interface TillAt {
  id: number
  machine: Terminal
}

/** A refund that was asked for until it was answered for good. */
export interface RefundAsk {
  transactionId: number
  key: string
  amountMinor: number
  status: number
}

async function furnish(db: Db, port: number): Promise<{ tills: TillAt[]; token: string }> {
  const made = await db.transaction(async (tx) => {
    const rows = []
    for (let n = 0; n < TERMINALS; n++) {
      const key = randomBytes(32).toString('hex')
      const about = { name: 'Касса', location: 'Зал', address: 'Москва', methods: ['nfc'] as const }
      const serial = `CHAOS00${n}`
      rows.push({ key, ...(await terminals.create(tx, null, { serial, key, ...about }, secrets.KEYS_SECRET)) })
    }
    const id = await identity.createWithRoles(tx, {
      ...{ phone: '+79000000001', fullName: 'Иван Иванов', passwordHash: null },
      roles: [{ surface: 'paygo', role: 'admin' }],
    })
    const session = await identity.login(tx, id, { surface: 'paygo', hours: 24, ip: null, userAgent: null })
    return { rows, id, session }
  })
  const { id, session } = made
  const about = { surface: 'paygo', expiresAt: session.expiresAt }
  const token = await sign({ userId: id, sessionId: session.sessionId }, about, secrets.JWT_SECRET)
  const tills = made.rows.map(({ id, key, terminalCode }) => ({
    id,
    machine: terminal(dialer(false), {
      ...{ terminalCode, key, host: { host: '127.0.0.1', port }, redialSeconds: 0.05, bootSeconds: 0.05 },
      ...{ repeatSeconds: 1, answerSeconds: 5 },
    }),
  }))
  return { tills, token }
}

const isIdle = async ({ machine }: TillAt, isOver: () => boolean) => {
  while (!isOver() && (machine.waiting > 0 || !machine.online)) await pause(10)
}

/** People at one terminal, until it is enough: they buy, leave deposits, take back, and now and then it settles. */
async function bustle(till: TillAt, chance: Dice, isOver: () => boolean): Promise<void> {
  const { machine } = till
  const payment = () => ({ amountMinor: chance.pick(amounts), card: card('visa', 'nfc') })
  const acts: (() => void)[] = [
    () => machine.buy(payment()),
    () => machine.buy(payment()),
    () => machine.authorise(payment()),
    () => machine.complete(),
    () => machine.advise(payment()),
    () => machine.reverse(),
    () => machine.total(),
  ]
  while (!isOver()) {
    try {
      chance.pick(acts)()
    } catch (error) {
      // Nothing to complete or to take back just now.
      if (!(error instanceof RangeError)) throw error
    }
    await isIdle(till, isOver)
    await pause(chance.whole(0, PAUSE_MS_MAX))
  }
}

/** Somebody gives back what was bought, each once, asking under its key until the answer is final. */
async function giveBack(db: Db, ask: (about: RefundAsk) => Promise<number>, asks: RefundAsk[], isOver: () => boolean) {
  while (!isOver()) {
    const known = asks.map(({ transactionId }) => transactionId)
    const [bought] = await db.sql<{ id: number }[]>`
      select id from transactions where kind = 'purchase' and status = 'completed' and id % 3 = 0
        and id <> all(${known}::bigint[]) order by id limit 1`
    if (!bought) {
      await pause(PAUSE_MS_MAX)
      continue
    }
    const about = { transactionId: bought.id, key: `chaos-${bought.id}`, amountMinor: 1_000, status: 0 }
    asks.push(about)
    while (about.status === 0) {
      about.status = await ask(about)
      if (about.status === 0) await pause(PAUSE_MS_MAX)
    }
  }
}

const asker =
  (url: string, token: string) =>
  async ({ transactionId, key, amountMinor }: RefundAsk): Promise<number> => {
    try {
      const { status } = await fetch(`${url}/api/v1/transactions/txn${transactionId}/refund`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ amount: amountMinor / 100 }),
        signal: AbortSignal.timeout(STEP_SECONDS_MAX * 1000),
      })
      return status >= 500 ? 0 : status
    } catch {
      // The house is away, or was killed while it answered: the same key finds the same refund.
      return 0
    }
  }

/** Leases end early while something is waited for. An act that somebody still works at is done once all the same. */
async function timeTravel<T>(db: Db, waited: Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    // A database under load is asked again.
    db.sql`update acquirer_acts set due_at = now() where due_at > now()`.catch(() => {})
  }, TRAVEL_MS)
  return await waited.finally(() => clearInterval(timer))
}

/** A house that is killed at a step of its terminals' money, started again, and looked at when it is at rest. */
export async function runTills(server: Server, seed: number): Promise<TillReport> {
  const report = blank(seed)
  const { step } = report
  const chance = dice(seed)
  let trapped: Trap | null = null
  const look: Trap['look'] = (sighting) => trapped?.look(sighting) ?? false
  const base = await serverBase(server, look)
  const doors = { http: await tap(() => httpWire(look)), terminal: await tap(() => terminalWire(look)) }
  const lead = (house: RunningServer | null) => {
    doors.http.lead(house?.apiPort ?? null)
    doors.terminal.lead(house?.terminalPort ?? null)
  }
  const raise = async () => {
    const house = await startWholeServer({ ...settings, ...base.settings }, base.cwd)
    lead(house)
    return house
  }
  let house = await raise()
  const kill = () => {
    lead(null)
    house.kill()
  }
  const db = base.db()
  const { tills, token } = await furnish(db, doors.terminal.port)
  const asks: RefundAsk[] = []
  let isOver = false
  try {
    await Promise.all(tills.map(({ machine }) => machine.signedOn))
    trapped = trap(step, chance.whole(1, NTH_MAX), kill)
    const people = Promise.all([
      ...tills.map((till, n) => bustle(till, dice(seed * TERMINALS + n), () => isOver)),
      giveBack(db, asker(`http://127.0.0.1:${doors.http.port}`, token), asks, () => isOver),
    ])
    await Promise.race([trapped.sprung, people, pause(MEET_SECONDS_MAX * 1000, undefined, { ref: false })])
    report.isHit = trapped.isSprung()
    if (!report.isHit) report.wrongs.push(`"${step.name}" was never met`)
    kill()
    await house.gone
    trapped = null
    await pause(chance.whole(0, DOWN_MS_MAX))
    house = await raise()
    const startedAt = performance.now()
    isOver = true
    await people
    const rest = (about: { isOver: boolean }) =>
      timeTravel(
        db,
        settles(db, REST_SECONDS_MAX, () => tillWrongs(db, tills, asks, about)),
      )
    report.wrongs.push(...(await rest({ isOver: false })))
    for (const { machine } of tills) machine.total()
    report.wrongs.push(...(await rest({ isOver: true })))
    report.restSeconds = (performance.now() - startedAt) / 1000
    report.transactions = await standing(db)
  } finally {
    isOver = true
    await Promise.all(tills.map(({ machine }) => machine.close()))
    kill()
    await house.gone
    await Promise.all([doors.http.close(), doors.terminal.close()])
    await base.close()
  }
  return report
}

async function standing(db: Db): Promise<string> {
  const rows = await db.sql<{ status: string; count: number }[]>`
    select status, count(*) from transactions group by status order by status`
  return rows.map(({ status, count }) => `${count} ${status}`).join(', ')
}

/** One that could not be made. */
export const tillsFailed = (seed: number, error: Error): TillReport => ({
  ...blank(seed),
  wrongs: [error.stack ?? error.message],
})

/** One run in one line, and what was wrong with it below. */
export const tillLine = ({ seed, step, transactions, restSeconds, wrongs }: TillReport): string =>
  [
    `${wrongs.length === 0 ? 'ok' : `${wrongs.length} BROKEN`}  seed ${seed}: ${step.name}; ${transactions}; at rest after ${restSeconds.toFixed(1)} s`,
    ...wrongs.map((text) => `    ${text}`),
  ].join('\n')
