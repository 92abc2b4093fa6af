import { setTimeout as pause } from 'node:timers/promises'
import { type Base, embeddedBase, serverBase } from './bases.ts'
import { STEP_SECONDS_MAX } from './limits.ts'
import type { Plan, Target } from './plan.ts'
import { type Step, type Trap, trap } from './steps.ts'
import type { Server } from './test-database.ts'
import { borrowAgain, comeToRest, lendSome, traffic } from './traffic.ts'
import { forgotten, standing, underWay } from './verify.ts'
import { newWorld, type World } from './world.ts'

const CABINETS = 4
const BANKS_EACH = 4
const PEOPLE = 6
const DOWN_MS_MAX = 600

/** What came of a plan. */
export interface Report {
  plan: Plan
  /** The steps at which it was killed. */
  hit: Step[]
  /** Orders and returns that were under way when it was killed. */
  caught: number
  /** From the last start of the house until every order had ended and every bank was back. */
  restSeconds: number
  /** How the orders stand at the end. */
  orders: string
  /** Broken promises. */
  wrongs: string[]
  /** The last words of the house, where a promise was broken. */
  lines: string[]
}

/** A report of nothing yet. */
export const blank = (plan: Plan): Report => ({
  plan,
  hit: [],
  caught: 0,
  restSeconds: 0,
  orders: '',
  wrongs: [],
  lines: [],
})

/** A world with a trap in its wires. */
interface Stage {
  plan: Plan
  base: Base
  world: World
  report: Report
  trapped: Trap | null
}

/** Lives through one plan. */
export async function run(server: Server, plan: Plan): Promise<Report> {
  const stage = await stageOf(server, plan)
  const { world, report } = stage
  const asking: Promise<unknown>[] = []
  const also = (...clients: Promise<unknown>[]) => {
    for (const client of clients)
      asking.push(client.catch((error: Error) => report.wrongs.push(`a client failed: ${error.message}`)))
  }
  const raise = async () => {
    await world.raise()
    also(borrowAgain(world))
  }
  try {
    const lent = await lendSome(world)
    await killAt(stage, plan.first, async () => also(...traffic(world, lent)))
    await pause(world.dice.whole(0, DOWN_MS_MAX))
    if (plan.second) await killAt(stage, plan.second, raise)
    await raise()
    const startedAt = performance.now()
    report.wrongs.push(...(await comeToRest(world, Promise.all(asking))), ...complaints(world))
    report.restSeconds = (performance.now() - startedAt) / 1000
    report.orders = await standing(world)
    if (!report.hit.includes(plan.first.step)) report.wrongs.push(`"${plan.first.step.name}" was never met`)
    if (report.wrongs.length > 0) report.lines = told(world)
  } finally {
    await world.close()
  }
  return report
}

async function stageOf(server: Server, plan: Plan): Promise<Stage> {
  const trapOf: Pick<Stage, 'trapped'> = { trapped: null }
  const look: Trap['look'] = (sighting) => trapOf.trapped?.look(sighting) ?? false
  const base = plan.database === 'own server' ? await serverBase(server, look) : embeddedBase()
  const options = { seed: plan.seed, base, look, cabinets: CABINETS, banksEach: BANKS_EACH, people: PEOPLE }
  return Object.assign(trapOf, { plan, base, world: await newWorld(options), report: blank(plan) })
}

/** Sets a trap, sets off what must lead into it, and returns when the house is dead and its rows were looked at. */
async function killAt(stage: Stage, { step, nth }: Target, setOff: () => Promise<unknown>): Promise<void> {
  const { plan, base, world, report } = stage
  const kill = () => {
    world.kill()
    if (plan.database === 'power cut') base.cut()
  }
  const set = trap(step, nth, kill)
  stage.trapped = set
  await setOff()
  await Promise.race([set.sprung, pause(STEP_SECONDS_MAX * 1000, undefined, { ref: false })])
  stage.trapped = null
  if (set.isSprung()) report.hit.push(step)
  else kill()
  await world.house.gone
  report.wrongs.push(...complaints(world))
  // After a power cut there is no database to ask.
  if (plan.database === 'power cut') return
  report.caught += await underWay(world)
  report.wrongs.push(...(await forgotten(world)))
}

/** On a busy machine a database may take too long to answer; the house says so, and everybody asks again. */
const strained = new Set(['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'DatabaseBusyError'])

/** Errors the house had to tell, though its database was always there. */
const complaints = ({ house }: World) =>
  house.lines.flatMap(({ level, error, ...line }) => {
    const { code = '', name = '' } = (error ?? {}) as { code?: string; name?: string }
    const isFault = level === 'error' && !strained.has(code) && !strained.has(name)
    return isFault ? [`the house complained: ${JSON.stringify({ ...line, error })}`] : []
  })

/** What the house said of itself; requests and answers are seen better from outside. */
const told = ({ house }: World) =>
  house.lines.filter(({ event }) => event !== 'request.answered').map((line) => JSON.stringify(line))
