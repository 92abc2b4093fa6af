import type { Acknowledgement, BankId, Command, Report } from '../../protocol/cabinet.ts'
import * as journals from '../journal.ts'

/** What happened to the metal, whoever was told about it. */
export const acts = ['ejected', 'inserted', 'pulled', 'jammed', 'freed', 'restarted'] as const
type Act = (typeof acts)[number]

/** What an MQTT cabinet says over HTTP (docs/protocol.md 5.1, 5.5, 5.7). */
export type Question = 'bootstrap' | 'upload' | 'http_return'

export type Happening =
  | { event: 'connected' }
  | { event: 'closed'; reason: string }
  | { event: 'said'; report: Report; frame: Buffer }
  | { event: 'heard'; words: Command | Acknowledgement; frame: Buffer }
  | { event: 'unreadable'; reason: string; frame: Buffer }
  | { event: 'sent'; frame: Buffer }
  /** Told something that our words have none for. */
  | { event: 'told'; command: string; frame: Buffer }
  /** Said over HTTP, and what came of it. */
  | { event: 'asked'; question: Question; answer: string }
  | { event: 'did'; act: Act; slot?: number; bankId?: BankId }

/** What happened, and when. */
export type Entry = journals.Entry<Happening>

/** The short name of what happened: the kind of a report, command or acknowledgement, the act, or the event itself. */
export function kindOf(entry: Happening): string {
  if (entry.event === 'said') return entry.report.kind
  if (entry.event === 'heard') return entry.words.kind === 'acknowledged' ? entry.words.report : entry.words.kind
  if (entry.event === 'told') return entry.command
  if (entry.event === 'asked') return entry.question
  return entry.event === 'did' ? entry.act : entry.event
}

/** All that happened to a cabinet. */
export type Journal = journals.Journal<Happening>

/** An empty journal. */
export const journal = (): Journal => journals.journal<Happening>()

const secret = (name: string, value: unknown) => (name === 'password' ? '***' : value)

const secretKinds = ['set_apn', 'apn', 'setWifi']

/** An entry as a line of JSON for logs; what carries a password (0x73, 0x74, setWifi) keeps its bytes to itself. */
export function jsonLine(entry: Entry): string {
  const { number, at, event, ...about } = entry
  const kind = kindOf(entry)
  const frame = 'frame' in about ? about.frame.toString('hex').toUpperCase() : undefined
  const hex = secretKinds.includes(kind) ? undefined : frame
  return JSON.stringify(
    { at: new Date(at).toISOString(), event, kind: kind === event ? undefined : kind, ...about, frame: hex },
    secret,
  )
}
