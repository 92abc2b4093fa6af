import { Counter, Histogram, Registry } from 'prom-client'
import type { DeviceKind } from '../db/devices/words.ts'
import { gauge, processGauges } from '../db/platform/process-metrics.ts'
import type { Counts, Tally } from './counts.ts'

/** What the registry asks when it is scraped. */
interface Sources {
  counts: Counts
  connected(kind: DeviceKind): number
  connections(transport: 'tcp' | 'mqtt'): number
  reportsWaiting(): number
  isDatabaseThere(): boolean
}

/** A node's numbers for Prometheus. */
export interface Metrics {
  registry: Registry
  /** A command was answered. */
  observe(kind: string, seconds: number): void
  /** A report was worked: by what it came to, and how long it took to its commit. */
  worked(device: DeviceKind, report: string, outcome: string, seconds: number): void
  close(): void
}

/** What stands between a report and its acknowledgement. */
const commitBuckets = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]
/** A query takes 0.04–2 s, a movement 0.5–1.2 s (docs/protocol.md 3). */
const latencyBuckets = [0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 15, 30]

type Of<Kind> = { [Name in keyof Counts]: Counts[Name] extends Kind ? Name : never }[keyof Counts]

/** Plain counts: name, help, and which. */
const counters: readonly [string, string, Of<number>][] = [
  ['voltbay_cabinet_connections_total', 'Connections accepted', 'accepted'],
  ['voltbay_cabinet_logins_total', 'Logins accepted', 'logins'],
  ['voltbay_cabinet_logins_repeated_total', 'Logins that were byte for byte an earlier one', 'loginsRepeated'],
  ['voltbay_cabinet_frames_malformed_total', 'Whole frames that could not be taken', 'malformed'],
  ['voltbay_cabinet_streams_broken_total', 'Streams out of step', 'brokenStreams'],
  ['voltbay_cabinet_report_failures_total', 'Reports our side could not store', 'failures'],
]

/** Counts by a label: name, help, the label, and which, each with what else is said of it. */
const tallies: readonly [string, string, string, ...[Of<Tally>, Record<string, string>][]][] = [
  [
    'voltbay_cabinet_frames_total',
    'Frames by kind, direction and who began',
    'kind',
    ['heard', { direction: 'in', what: 'report' }],
    ['acknowledged', { direction: 'out', what: 'acknowledgement' }],
    ['told', { direction: 'out', what: 'command' }],
  ],
  ['voltbay_cabinet_connections_refused_total', 'Connections turned away', 'reason', ['turnedAway', {}]],
  ['voltbay_cabinet_logins_refused_total', 'Logins not let in', 'reason', ['loginsRefused', {}]],
  ['voltbay_cabinet_connections_ended_total', 'Connections ended', 'reason', ['ended', {}]],
  ['voltbay_mqtt_publishes_total', 'Publishes of devices, by what became of them', 'outcome', ['publishes', {}]],
  [
    'voltbay_device_commands_unanswered_total',
    'Commands whose time was over without an answer, by command',
    'kind',
    ['unanswered', {}],
  ],
  ['voltbay_cabinet_calls_total', 'HTTP calls of cabinets, by call and answer', 'call', ['calls', {}]],
]

/** Reads the plain counts when scraped. */
function countersOf(registry: Registry, counts: Counts) {
  for (const [name, help, which] of counters)
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(counts[which])
      },
    })
  for (const [name, help, label, ...sources] of tallies)
    new Counter({
      name,
      help,
      labelNames: [label, ...Object.keys(sources[0]![1])],
      registers: [registry],
      collect() {
        this.reset()
        for (const [which, said] of sources)
          for (const [key, number] of Object.entries(counts[which])) this.inc({ ...said, [label]: key }, number)
      },
    })
}

/** The registry of one node. */
export function metrics({ counts, connected, connections, reportsWaiting, isDatabaseThere }: Sources): Metrics {
  const registry = new Registry()
  gauge(registry, 'voltbay_cabinets_connected', 'Cabinets logged in on this node', () => connected('cabinet'))
  gauge(registry, 'voltbay_terminals_connected', 'Terminals signed on at this node', () => connected('terminal'))
  const open = (transport: 'tcp' | 'mqtt') => () => connections(transport)
  gauge(registry, 'voltbay_cabinet_connections', 'Open connections, logged in or not', open('tcp'))
  gauge(registry, 'voltbay_mqtt_connections', 'Open connections to the broker, logged in or not', open('mqtt'))
  gauge(registry, 'voltbay_cabinet_reports_waiting', 'Logins and reports waiting for the database', reportsWaiting)
  gauge(registry, 'voltbay_database_up', '1 while the database answers', () => Number(isDatabaseThere()))
  countersOf(registry, counts)
  const latency = new Histogram({
    name: 'voltbay_cabinet_command_seconds',
    help: 'From the bytes of a command to the commit of its answer',
    labelNames: ['kind'],
    buckets: latencyBuckets,
    registers: [registry],
  })
  const commits = new Histogram({
    name: 'voltbay_device_report_seconds',
    help: 'From a report to the commit that its acknowledgement follows, by what it came to; heartbeats need none',
    labelNames: ['device', 'report', 'outcome'],
    buckets: commitBuckets,
    registers: [registry],
  })
  const close = processGauges(registry)
  return {
    registry,
    observe: (kind, seconds) => latency.observe({ kind }, seconds),
    worked: (device, report, outcome, seconds) => commits.observe({ device, report, outcome }, seconds),
    close,
  }
}
