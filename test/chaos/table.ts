import type { AwayReport } from './away.ts'
import type { Report } from './kill.ts'
import { doubtSteps, lookSteps, type Step, steps } from './steps.ts'

const seconds = (value: number) => `${value.toFixed(1)} s`

/** One run in one line, and what was wrong with it below. */
export function line({ plan, hit, caught, orders, restSeconds, wrongs, lines }: Report): string {
  const { seed, database } = plan
  const where = hit.map(({ name }) => name).join(' | then ')
  const verdict = wrongs.length === 0 ? 'ok' : `${wrongs.length} BROKEN`
  const told = [where, database, `${caught} under way`, orders, `at rest after ${seconds(restSeconds)}`].join('; ')
  const more = wrongs.length === 0 ? [] : [...wrongs, ...lines.map((text) => `  ${text}`)]
  return [`${verdict}  seed ${seed}: ${told}`, ...more.map((text) => `    ${text}`)].join('\n')
}

/** How often each step was hit, and what all runs came to. */
export function summary(reports: readonly Report[]): string {
  const width = 40
  const hits = reports.flatMap(({ hit }) => hit)
  const row = ({ name, of }: Step) => {
    const count = hits.filter((step) => step.name === name).length
    return `${of.padEnd(7)} ${name.padEnd(width)} ${String(count).padStart(5)}`
  }
  const rests = reports.map(({ restSeconds }) => restSeconds).sort((a, b) => a - b)
  const kinds = Object.entries(Object.groupBy(reports, ({ plan }) => plan.database))
  const unmet = reports.filter(({ plan, hit }) => plan.second && hit.length < 2).length
  const broken = reports.filter(({ wrongs }) => wrongs.length > 0)
  return [
    `of      ${'killed here'.padEnd(width)} times`,
    ...[...steps, ...lookSteps, ...doubtSteps].map(row),
    '',
    `${reports.length} runs (${kinds.map(([kind, list]) => `${list!.length} ${kind}`).join(', ')}), ${hits.length} kills at a known step, ${unmet} second ones elsewhere`,
    `${sum(reports, ({ caught }) => caught)} orders and returns under way when the house was killed`,
    `at rest after ${seconds(rests[rests.length >> 1] ?? 0)} (median), ${seconds(rests.at(-1) ?? 0)} (slowest)`,
    broken.length === 0
      ? 'no return lost, no second eject, every order has ended'
      : `BROKEN PROMISES in ${broken.length} runs, seeds ${broken.map(({ plan }) => plan.seed).join(', ')}`,
  ].join('\n')
}

const sum = <T>(list: readonly T[], of: (one: T) => number) => list.reduce((total, one) => total + of(one), 0)

const milliseconds = (value: number | null) => (value === null ? 'never' : `${Math.round(value)} ms`)

/** One outage, what it cost, and what was wrong below. */
export function awayLine(report: AwayReport): string {
  const { how, probes, returns, answeredMs, acknowledgedMs, lentMs, orders, wrongs } = report
  const statuses = Object.entries(Object.groupBy(probes, ({ status }) => status))
  const slowest = Math.max(0, ...probes.map(({ askedAt, answeredAt }) => answeredAt - askedAt))
  return [
    `${wrongs.length === 0 ? 'ok' : `${wrongs.length} BROKEN`}  database ${how} for 10 s; orders at the end: ${orders}`,
    `    meanwhile ${returns} returns, none acknowledged; requests: ${statuses.map(([status, list]) => `${list!.length} × ${status}`).join(', ')}, slowest ${milliseconds(slowest)}`,
    `    after it served again: first answer ${milliseconds(answeredMs)}, first return acknowledged ${milliseconds(acknowledgedMs)}, first loan ${milliseconds(lentMs)}`,
    ...wrongs.map((text) => `    ${text}`),
  ].join('\n')
}
