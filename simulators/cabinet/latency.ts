import type { Command } from '../../protocol/cabinet.ts'
import type { Family } from './box.ts'

/** From–to. */
export type Range = readonly [number, number]

/** How long things take. */
export interface Latency {
  ejectMilliseconds: Range
  forceEjectMilliseconds: Range
  queryMilliseconds: Range
}

/** As captured (docs/protocol.md 0x64, 0x65, 0x80). */
const realTcp: Latency = {
  ejectMilliseconds: [710, 1130],
  forceEjectMilliseconds: [550, 650],
  queryMilliseconds: [30, 60],
}

/** Over MQTT a cabinet checks itself for 3 s after a pop-up; a server waits 15 s for it and 10 s for a check (5.4). */
const realMqtt: Latency = {
  ejectMilliseconds: [2000, 4000],
  forceEjectMilliseconds: [1500, 3500],
  queryMilliseconds: [200, 900],
}

/** What real cabinets take. */
export const realLatency: Record<Family, Latency> = { tcp: realTcp, mqtt: realMqtt }

/** Nothing takes time. */
export const noLatency: Latency = {
  ejectMilliseconds: [0, 0],
  forceEjectMilliseconds: [0, 0],
  queryMilliseconds: [0, 0],
}

/** Some number of a range, another each time. */
export const between = ([least, most]: Range): number => least + (most - least) * Math.random()

/** How long a command takes this time. */
export function latencyOf(latency: Latency, kind: Command['kind']): number {
  if (kind === 'eject') return between(latency.ejectMilliseconds)
  return between(kind === 'force_eject' ? latency.forceEjectMilliseconds : latency.queryMilliseconds)
}
