import { faultOf, type Seen } from './faults.ts'
import type { Mistake } from './rows.ts'
import { newWorld, step } from './world.ts'

/** Events of one life: about an hour of a small street. */
export const STEPS = 4_000

/** What came of a seed. `fault`: what went wrong first; null: nothing did. */
export interface Life {
  steps: number
  decisions: number
  fault: string | null
  lines: string[]
}

/** One life of a street. @param isLogged keep every line of it */
export function live(
  seed: number,
  { mistake = {}, steps = STEPS, isLogged = false }: { mistake?: Mistake; steps?: number; isLogged?: boolean } = {},
): Life {
  const world = newWorld(seed, mistake, isLogged)
  const seen: Seen = new Map()
  for (let n = 1; n <= steps; n++) {
    let fault: string | null
    try {
      step(world)
      fault = faultOf(world, seen)
    } catch (error) {
      fault = String(error)
    }
    if (fault) {
      const turns = [...world.house.orders.values()].map(({ id, turns }) => `order ${id}: ${turns.join('; ')}`)
      return {
        steps: n,
        decisions: world.house.decisions,
        fault: `${world.now.toFixed(1)} ${fault}`,
        lines: [...world.lines, ...turns],
      }
    }
  }
  return { steps, decisions: world.house.decisions, fault: null, lines: world.lines }
}

const perSecond = (steps: number, since: number) => Math.round((steps / (performance.now() - since)) * 1_000)

/** So many lives, told as they go. @returns how many went wrong */
export function liveMany(from: number, count: number, steps: number): number {
  const since = performance.now()
  let [done, decisions, wrong] = [0, 0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const life = live(seed, { steps })
    done += life.steps
    decisions += life.decisions
    if (life.fault) {
      wrong += 1
      process.stdout.write(`seed ${seed}: ${life.fault}\n  npm run metal -- --seed ${seed}\n`)
    }
    if (seed % 1_000 === 0) process.stderr.write(`${seed - from + 1} of ${count} lives, ${wrong} wrong\n`)
  }
  process.stdout.write(
    `${count} lives, ${done} events, ${decisions} decisions, ${perSecond(done, since)} events/s, ${wrong} wrong\n`,
  )
  return wrong
}
