import type { Entropy, Verdict } from './any-device.ts'
import type { Acknowledgement, Command, LoginExtras, Report } from './cabinet.ts'
import type { Body, Layout } from './field.ts'

interface Definition<U extends Layout, D extends Layout> {
  /** The command byte: the same both ways. */
  code: number
  /** The specification's own name. */
  name: string
  /** One or two sentences for the generated documentation. */
  doc: string
  /** Device to server. */
  up: U
  /** Server to device. */
  down: D
  /** What the device said, in our words. @throws MalformedBody a body of the right shape that says nothing we can use */
  means(body: Body<NoInfer<U>>): Report
  examples: ({ up: string; body: Body<NoInfer<U>> } | { down: string; body: Body<NoInfer<D>> })[]
}

/** The server asks, the device answers: `down` is the request, `up` the answer. */
export interface Told<K extends Command['kind'], U extends Layout, D extends Layout> extends Definition<U, D> {
  kind: K
  /** Our command as a request. */
  from(command: Extract<Command, { kind: K }>): Body<NoInfer<D>>
  /** The device's half: a request as our command. */
  asks(body: Body<NoInfer<D>>): Extract<Command, { kind: K }>
  /** The device's half: an answer in our words as a body. */
  says(report: Extract<Report, { kind: K }>): Body<NoInfer<U>>
}

/** The device speaks first, the server acknowledges: `up` is the report, `down` the acknowledgement. */
export interface Said<K extends Report['kind'], U extends Layout, D extends Layout> extends Definition<U, D> {
  kind: K
  /** The acknowledgement, or null where the wire has none for this verdict. */
  ack(body: Body<NoInfer<U>>, verdict: Verdict, entropy: Entropy): Body<NoInfer<D>> | null
  /** The device's half: a report in our words as a body. */
  says(report: Extract<Report, { kind: K }>, login: LoginExtras): Body<NoInfer<U>>
  /** The device's half: what the server acknowledged. */
  heard(body: Body<NoInfer<D>>): Acknowledgement
}

/** NoInfer: the types come from `up` and `down` alone, so that one dialect can spread and override the other's. */
export const command = <K extends Command['kind'], U extends Layout, D extends Layout>(told: Told<K, U, D>) => ({
  ...told,
  initiator: 'server' as const,
})

/** What a command says that is its name and nothing else. */
export const bare = <K extends Command['kind']>(kind: K) => ({
  kind,
  down: {},
  from: () => ({}),
  asks: () => ({ kind }),
})

/** See `command`. */
export const report = <K extends Report['kind'], U extends Layout, D extends Layout>(said: Said<K, U, D>) => ({
  ...said,
  initiator: 'device' as const,
})

// `any`: a list holds definitions of every layout. Safe because a body is only ever handed back to the definition
// whose own layout decoded it.
/** Any `command`. */
export type AnyCommand = Told<any, any, any> & { initiator: 'server' }
/** Any `report`. */
export type AnyReport = Said<any, any, any> & { initiator: 'device' }
/** Any entry of a dialect's list. */
export type AnyDefinition = AnyCommand | AnyReport
