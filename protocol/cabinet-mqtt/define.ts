import type { When } from '../any-device.ts'
import type { Command, Report } from '../cabinet.ts'
import type { Body, Layout } from '../field.ts'
import type { Members, Words } from './json.ts'

/** What the cabinet runs. Old firmware knows other questions and says less (docs/protocol.md 5.4, 5.5). */
export type Firmware = 'current' | 'old'

/** How a simulated cabinet is made. */
export interface Make {
  firmware: Firmware
  /** Holes on a control board. */
  holesPerBoard: number
  /** Bytes of a whole 0x40 frame: 13 and 14 are old firmware's. */
  returnFrameBytes: 13 | 14 | 15
}

/** A JSON command, server to cabinet, answered by the A8 frame `answer` names, if any (5.4). */
export interface Request<K extends Command['kind'], M extends Members> {
  cmd: string
  /** One or two sentences for the generated documentation. */
  doc: string
  /** Our word, or null where the platform has none for it. */
  kind: K | null
  members: M
  /** The command byte of the answer. */
  answer: number | null
  /** 0 where hearing it twice would do it twice (5.2). */
  qos: 0 | 1
  /** Our command in its words. */
  from?(command: Extract<Command, { kind: K }>, when?: When): Words<NoInfer<M>>
  /** The cabinet's half: its words as our command. */
  asks?(words: Words<NoInfer<M>>): Command
  examples: { json: string; words: Words<NoInfer<M>> }[]
}

/** An A8 frame, cabinet to server: the answer to a JSON command, or said unasked (5.5). */
export interface Uplink<K extends Report['kind'], U extends Layout> {
  code: number
  name: string
  doc: string
  /** Our words for what it says; empty where the platform has none. */
  kinds: readonly K[]
  /** A part of it would be a lie, so one that is shorter than it says is refused. */
  isWholeOnly?: true
  up: U
  /** @throws MalformedBody a body of the right shape that says nothing we can use */
  means(body: Body<NoInfer<U>>, firmware: Firmware): Report
  /** The cabinet's half: a report of one of `kinds` as a body. */
  says?(report: Extract<Report, { kind: K }>, make: Make): Body<NoInfer<U>>
  /** Bodies as whole hex frames. */
  examples: { frame: string; body: Body<NoInfer<U>> }[]
}

/** NoInfer: the types come from `members` alone. */
export const request = <K extends Command['kind'], M extends Members>(definition: Request<K, M>) => definition
/** What a request says that is its name and nothing else. */
export const bare = (cmd: string) => ({
  cmd,
  members: {},
  examples: [{ json: `{"cmd":"${cmd}"}`, words: {} }],
})
/** See `request`. */
export const uplink = <K extends Report['kind'], U extends Layout>(definition: Uplink<K, U>) => definition

// `any`: a list holds definitions of every shape. Safe because words and bodies are only ever handed back to the
// definition that decoded them, and commands and reports to the one their kind chose.
/** Any `request`. */
export type AnyRequest = Request<any, any>
/** Any `uplink`. */
export type AnyUplink = Uplink<any, any>
