/** Numbers by name. */
export type Tally = Record<string, number>

/** What a node counts. Plain numbers: prom-client's labelled counters cost more than a heartbeat. */
export interface Counts {
  accepted: number
  /** Connections closed before a word was said, by limit. */
  turnedAway: Tally
  logins: number
  /** Logins that were not let in, by reason. */
  loginsRefused: Tally
  /** Logins with the very bytes of an earlier one. */
  loginsRepeated: number
  /** Reports heard, by kind. */
  heard: Tally
  /** Acknowledgements and commands written, by kind. */
  acknowledged: Tally
  told: Tally
  /** Commands whose time was over, by kind. */
  unanswered: Tally
  malformed: number
  brokenStreams: number
  /** Connections ended, by reason. */
  ended: Tally
  /** Reports our side could not store. */
  failures: number
  /** What devices published to the broker, by what became of it: `acknowledged`, `poisoned`, `refused`, `failed`, `retained`. */
  publishes: Tally
  /** HTTP calls of cabinets, by call and answer: `connect_200`. */
  calls: Tally
}

export const newCounts = (): Counts => ({
  accepted: 0,
  turnedAway: {},
  logins: 0,
  loginsRefused: {},
  loginsRepeated: 0,
  heard: {},
  acknowledged: {},
  told: {},
  unanswered: {},
  malformed: 0,
  brokenStreams: 0,
  ended: {},
  failures: 0,
  publishes: {},
  calls: {},
})

export function count(tally: Tally, name: string): void {
  tally[name] = (tally[name] ?? 0) + 1
}
