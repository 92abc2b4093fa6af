import type { Command, Presented, Report, ResponseCode, Saying, Verdict } from '../terminal.ts'
import type { Fingerprint } from './card.ts'
import { type Body, de, type Layout, matching, may } from './layout.ts'

type Kind = Saying<unknown>['kind']

/** A whole exchange as messages under the key of the documentation, MTI to MAC, in hex. */
type Example =
  | { says: Saying<Presented>; up: string; verdict: Verdict; down: string }
  | { command: Command; down: string; says: Saying<Presented>; up: string }

/** One pair of messages: what is asked, and what is answered with an MTI that is 0x10 higher. */
interface Definition<K extends Kind, U extends Layout, D extends Layout> {
  /** Of the question as it is first asked; asked again it is one higher. */
  mti: number
  /** The standard's own words. */
  name: string
  /** One or two sentences for the generated documentation. */
  doc: string
  /** Our words for what the terminal says. */
  kinds: readonly K[]
  /** Terminal to host. */
  up: U
  /** Host to terminal; of an answer what it does not merely repeat. */
  down: D
  /** What the terminal said, in our words, or the code that refuses it. */
  means(body: Body<NoInfer<U>>, fingerprint: Fingerprint): Exclude<Report, { kind: 'unacceptable' }> | ResponseCode
  /** The terminal's half: its words as a body. */
  says(report: Extract<Saying<Presented>, { kind: K }>, terminalCode: string): Body<NoInfer<U>>
  examples: readonly Example[]
}

/** The terminal asks, the host answers. */
export interface Asked<K extends Kind, U extends Layout, D extends Layout> extends Definition<K, U, D> {
  /** The fields of the question that its answer repeats where it has them. */
  echo: readonly number[]
}

/** The host tells, the terminal answers. */
export interface Told<K extends Kind, U extends Layout, D extends Layout> extends Definition<K, U, D> {
  from(command: Command, sentAt: string, terminalCode: string): Body<NoInfer<D>>
  /** The terminal's half: a command in our words. @throws MalformedBody none of ours */
  asks(body: Body<NoInfer<D>>): Command
}

/** NoInfer: the types come from `up` and `down` alone. */
export const request = <K extends Kind, U extends Layout, D extends Layout>(asked: Asked<K, U, D>) => ({
  ...asked,
  initiator: 'terminal' as const,
})

/** See `request`. */
export const command = <K extends Kind, U extends Layout, D extends Layout>(told: Told<K, U, D>) => ({
  ...told,
  initiator: 'host' as const,
})

// `any`: a list holds definitions of every layout. Safe because a body is only ever handed back to the definition whose own
// layout decoded it.
/** Any `request`. */
export type AnyRequest = Asked<any, any, any> & { initiator: 'terminal' }
/** Any `command`. */
export type AnyTold = Told<any, any, any> & { initiator: 'host' }

const day = '(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01])'
const time = '(?:[01]\\d|2[0-3])[0-5]\\d[0-5]\\d'
/** hhmmss. */
export const clock = (number: number) => matching(number, new RegExp(`^${time}$`))
/** MMDD. */
export const calendar = (number: number) => matching(number, new RegExp(`^${day}$`))
/** A terminal's code, and nothing that looks like one. */
const code = /^[A-Z0-9]{8}$/

/** What every message has. */
export const spoken = {
  sentAt: matching(7, new RegExp(`^${day}${time}$`)),
  stan: de(11),
  terminalCode: matching(41, code),
}

/** What every answer has besides what it repeats. */
export const outcome = { code: de(39) }

/** What answers about money may have besides. */
export const receipt = { ...outcome, rrn: may(de(37)), approval: may(de(38)) }
