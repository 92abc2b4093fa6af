import { ANSWER_SECONDS_MAX } from './limits.ts'
import type { World } from './world.ts'

const EVERY_MS = 200

/** One request of somebody who looks at his orders. Unix milliseconds. */
export interface Probe {
  askedAt: number
  answeredAt: number
  /** 0: there was no answer. */
  status: number
  /** It is what this surface says when all is well, or its way to say that it is not. */
  isInFormat: boolean
}

/** Asks again and again, however long the answers take. */
export function probing(world: World): { answers: readonly Probe[]; stop(): Promise<void> } {
  const answers: Probe[] = []
  const asking = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const one = ask(world).then((probe) => {
      answers.push(probe)
      asking.delete(one)
    })
    asking.add(one)
  }, EVERY_MS)
  return {
    answers,
    async stop() {
      clearInterval(timer)
      await Promise.all(asking)
    },
  }
}

async function ask({ url, people }: World): Promise<Probe> {
  const askedAt = Date.now()
  const probe = { askedAt, status: 0, isInFormat: false }
  try {
    const response = await fetch(`${url}/api/orders`, {
      headers: { authorization: `Bearer ${people[0]!.token}` },
      signal: AbortSignal.timeout(ANSWER_SECONDS_MAX * 1000),
    })
    probe.status = response.status
    const body = (await response.json()) as Record<string, unknown>
    const isWell = response.status === 200
    probe.isInFormat = isWell ? body.success === true : body.success === false && typeof body.error === 'string'
  } catch {
    // No answer at all, or none that can be read: the record says so.
  }
  return { ...probe, answeredAt: Date.now() }
}
