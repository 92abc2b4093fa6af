/** Fleets, whatever wire they speak: what they are told, what they count, and several as one. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

export interface FleetSettings {
  cabinets: number
  /** The nth cabinet, from 0 on; over MQTT its id is an IMEI. */
  who(index: number): { boxId: string; key?: string | undefined }
  slots: number
  banks: number
  host: string
  /** Over MQTT that of the bootstrap. */
  port: number
  loginsPerSecond: number
  heartbeatSeconds: number
  /** Over TCP: from the end of a link without an accepted login to the next dial; 5 unless told, as of one cabinet. */
  redialSeconds?: number
}

/** Counted since the start. */
export interface FleetCounts {
  logins: number
  refusals: number
  heartbeats: number
  answered: number
  commands: number
  unreadable: number
  /** Links that ended without our doing, and dials that failed, by reason. */
  failures: Record<string, number>
}

/** Microseconds; `now` is heartbeats since it was last reset. */
export interface FleetLatency {
  login: RecordableHistogram
  heartbeat: RecordableHistogram
  now: RecordableHistogram
}

/** Nothing measured yet. */
export const fleetLatency = (): FleetLatency => ({
  login: createHistogram(),
  heartbeat: createHistogram(),
  now: createHistogram(),
})

/** What a fleet knows of itself. */
export interface Tally extends FleetCounts {
  cabinets: number
  online: number
  latency: FleetLatency
  stopping: boolean
  /** Resolved when all are logged in at the same time. */
  everybody: PromiseWithResolvers<void>
}

const noCounts = (): FleetCounts => ({
  logins: 0,
  refusals: 0,
  heartbeats: 0,
  answered: 0,
  commands: 0,
  unreadable: 0,
  failures: {},
})

/** A fleet before its first dial. */
export const newTally = (cabinets: number, latency: FleetLatency): Tally => ({
  ...noCounts(),
  cabinets,
  online: 0,
  latency,
  stopping: false,
  everybody: Promise.withResolvers<void>(),
})

const micros = (since: number) => Math.max(1, Math.round((performance.now() - since) * 1000))

/** One more is online. @param since when it dialled, in performance.now() milliseconds */
export function countLogin(tally: Tally, since: number): void {
  tally.latency.login.record(micros(since))
  tally.logins++
  tally.online++
  if (tally.online === tally.cabinets) tally.everybody.resolve()
}

/** A heartbeat was answered. @param since when it was said */
export function countAnswer(tally: Tally, since: number): void {
  tally.answered++
  for (const histogram of [tally.latency.heartbeat, tally.latency.now]) histogram.record(micros(since))
}

/** A link ended without our doing. */
export function countFailure({ failures }: FleetCounts, reason: string, times = 1): void {
  failures[reason] = (failures[reason] ?? 0) + times
}

/** A fleet under way. */
export interface RunningFleet {
  readonly online: number
  readonly counts: FleetCounts
  readonly latency: FleetLatency
  /** Resolves when all are logged in at the same time. */
  readonly everybody: Promise<void>
  /** Sends no more, hears what is still on its way for at most two seconds, hangs up. */
  stop(): Promise<void>
}

/** A fleet as its owner holds it. */
export const running = (tally: Tally, stop: () => Promise<void>): RunningFleet => ({
  get online() {
    return tally.online
  },
  counts: tally,
  latency: tally.latency,
  everybody: tally.everybody.promise,
  stop,
})

function sumOf(fleets: readonly RunningFleet[]): FleetCounts {
  const sum = noCounts()
  for (const { counts } of fleets) {
    for (const name of ['logins', 'refusals', 'heartbeats', 'answered', 'commands', 'unreadable'] as const)
      sum[name] += counts[name]
    for (const [reason, count] of Object.entries(counts.failures)) countFailure(sum, reason, count)
  }
  return sum
}

/** Fleets as one; they share their latencies. @throws RangeError none */
export function together(fleets: readonly RunningFleet[]): RunningFleet {
  const [first] = fleets
  if (!first) throw new RangeError('a fleet of no cabinets')
  return {
    get online() {
      return fleets.reduce((sum, { online }) => sum + online, 0)
    },
    get counts() {
      return sumOf(fleets)
    },
    latency: first.latency,
    everybody: Promise.all(fleets.map(({ everybody }) => everybody)).then(() => {}),
    stop: async () => void (await Promise.all(fleets.map((fleet) => fleet.stop()))),
  }
}
