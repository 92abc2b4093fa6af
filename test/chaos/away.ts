import { setTimeout as pause } from 'node:timers/promises'
import { serverBase } from './bases.ts'
import { type Probe, probing } from './probe.ts'
import { type Absence, type Server, startServer } from './test-database.ts'
import { bustle, comeToRest, lendSome } from './traffic.ts'
import { standing } from './verify.ts'
import { newWorld, type World } from './world.ts'

const CABINETS = 6
const BANKS_EACH = 5
const PEOPLE = 8
const AWAY_SECONDS = 10
/** Of traffic, before and after. */
const AROUND_SECONDS = 3
/** Somebody who finds the database away hears so within this. That a frozen one is away nobody can know so soon. */
const REFUSED_MS_MAX = 5_000
/** From the database's return until everything works again. */
const RESUMED_SECONDS_MAX = 20
const LOOK_EVERY_MS = 50

/** What came of one outage. */
export interface AwayReport {
  how: Absence
  /** What was asked while it was away. */
  probes: Probe[]
  /** Banks that were put into cabinets meanwhile. */
  returns: number
  /** Milliseconds from the database's return until the first answer, acknowledged return and loan; null: never. */
  answeredMs: number | null
  acknowledgedMs: number | null
  lentMs: number | null
  /** How the orders stand at the end. */
  orders: string
  /** Broken promises. */
  wrongs: string[]
}

/** When it was away, in Unix milliseconds; `backAt`: when it began to come back. */
interface Outage {
  how: Absence
  awayAt: number
  backAt: number
}

/** The database leaves for ten seconds in the middle of traffic, and comes back. */
export async function runAway(how: Absence, seed: number): Promise<AwayReport> {
  const server = await startServer()
  try {
    const base = await serverBase(server, null)
    const look = () => false
    const world = await newWorld({ seed, base, look, cabinets: CABINETS, banksEach: BANKS_EACH, people: PEOPLE })
    try {
      return await live(world, server, how)
    } finally {
      await world.close()
    }
  } finally {
    await server.close()
  }
}

async function live(world: World, server: Server, how: Absence): Promise<AwayReport> {
  const held = await lendSome(world)
  const traffic = bustle(world)
  const probe = probing(world)
  await pause(AROUND_SECONDS * 1000)
  await server.leave(how)
  const awayAt = Date.now()
  // Whatever the house can say, people who have a bank put it back.
  for (const bankId of held) {
    world.physical.giveBack(bankId)
    await pause((AWAY_SECONDS * 1000) / held.length)
  }
  const outage = { how, awayAt, backAt: Date.now() }
  await server.comeBack()
  const resumed = await resumption(world, probe.answers, Date.now())
  await pause(AROUND_SECONDS * 1000)
  const asking = traffic.stop()
  await probe.stop()
  const wrongs = [...unkept(world, probe.answers, outage, resumed), ...(await comeToRest(world, asking))]
  return {
    how,
    probes: during(probe.answers, outage),
    returns: returnsOf(world, outage).length,
    ...resumed,
    orders: await standing(world),
    wrongs,
  }
}

type Resumed = Pick<AwayReport, 'answeredMs' | 'acknowledgedMs' | 'lentMs'>

/** Waits until the API answers, a return is acknowledged and a bank is lent again, whichever comes last. */
async function resumption(world: World, answers: readonly Probe[], servesAt: number): Promise<Resumed> {
  const deadline = performance.now() + RESUMED_SECONDS_MAX * 1000
  const first = (times: (number | null)[]) => {
    const after = times.filter((time) => time !== null && time >= servesAt) as number[]
    return after.length === 0 ? null : Math.min(...after) - servesAt
  }
  for (;;) {
    const resumed = {
      answeredMs: first(answers.map(({ status, answeredAt }) => (status === 200 ? answeredAt : null))),
      acknowledgedMs: first(world.physical.acts.map(({ acknowledgedAt }) => acknowledgedAt)),
      lentMs: first(world.asks.map(({ answer, answeredAt }) => (answer?.status === 200 ? answeredAt : null))),
    }
    if (!Object.values(resumed).includes(null) || performance.now() > deadline) return resumed
    await pause(LOOK_EVERY_MS)
  }
}

const during = (answers: readonly Probe[], { awayAt, backAt }: Outage) =>
  answers.filter(({ askedAt }) => askedAt >= awayAt && askedAt < backAt)

const returnsOf = ({ physical }: World, { awayAt, backAt }: Outage) =>
  physical.acts.filter(({ act, at }) => act === 'inserted' && at >= awayAt && at < backAt)

/** What was promised for the outage itself. */
function unkept(world: World, answers: readonly Probe[], outage: Outage, resumed: Resumed): string[] {
  const returns = returnsOf(world, outage)
  const early = returns.filter(({ acknowledgedAt }) => acknowledgedAt !== null && acknowledgedAt < outage.backAt)
  const asked = during(answers, outage)
  const isFrozen = outage.how === 'frozen'
  // Asked of a frozen database, and answered when it went on: that is an answer, too.
  const bad = asked.filter((one) => !one.isInFormat || (one.status !== 503 && !(isFrozen && one.status === 200)))
  const slow = isFrozen ? [] : asked.filter(({ askedAt, answeredAt }) => answeredAt - askedAt > REFUSED_MS_MAX)
  return [
    ...(returns.length === 0 || asked.length === 0 ? ['nobody tried anything while it was away'] : []),
    ...early.map((act) => `a return was acknowledged without a database: ${JSON.stringify(act)}`),
    ...bad.map((one) => `an answer out of format: ${JSON.stringify(one)}`),
    ...slow.map((one) => `an answer that took too long: ${JSON.stringify(one)}`),
    ...Object.entries(resumed).flatMap(([what, ms]) => (ms === null ? [`${what}: it did not resume by itself`] : [])),
  ]
}
