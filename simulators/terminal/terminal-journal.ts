import type { Command, Heard, Saying } from '../../protocol/terminal.ts'
import * as journals from '../journal.ts'
import type { CardName } from './cards.ts'

/** A card as it may be told. */
export interface ShownCard {
  name: CardName
  masked: string
}

/** What a terminal said, without its card. */
export type Said = Saying<ShownCard>

/** What an answer is about, in the word of its question. */
export type Answered = Said['kind']

/** What was done, whoever was told about it. */
export const acts = [
  'approved',
  'declined',
  'in_doubt',
  'reversed',
  'not_reversed',
  'completed',
  'advised',
  'settled',
  'differed',
  'unanswered',
  'restarted',
  'moved',
  'configured',
  'updated',
  'shown',
  'printed',
] as const
type Act = (typeof acts)[number]

/** Frames are hex in which no card can be read. */
export type Happening =
  | { event: 'connected' }
  | { event: 'closed'; reason: string }
  | { event: 'said'; report: Said; frame: string }
  | { event: 'heard'; words: Heard; about: Answered; frame: string }
  | { event: 'told'; words: Command; frame: string }
  /** The host does not let it in. */
  | { event: 'refused'; code: string }
  | { event: 'unreadable'; reason: string; frame: string }
  | { event: 'sent'; frame: string }
  | { event: 'did'; act: Act; stan?: string; amountMinor?: number; code?: string; text?: string }

export type Entry = journals.Entry<Happening>
export type Journal = journals.Journal<Happening>

/** An empty journal. */
export const journal = (): Journal => journals.journal<Happening>()

/** The short name of what happened: the kind of a message, the act, or the event itself. */
export function kindOf(entry: Happening): string {
  if (entry.event === 'said') return entry.report.kind
  if (entry.event === 'heard') return entry.about
  if (entry.event === 'told') return entry.words.kind
  return entry.event === 'did' ? entry.act : entry.event
}

const secret = (name: string, value: unknown) => (/password|secret|key|token/i.test(name) ? '***' : value)

/** An entry as a line of JSON for logs. What is configured may be a secret, so its bytes are not told. */
export function jsonLine(entry: Entry): string {
  const { number, at, event, ...about } = entry
  const kind = kindOf(entry)
  const frame = 'frame' in about && kind !== 'update_config' ? about.frame : undefined
  return JSON.stringify(
    { at: new Date(at).toISOString(), event, kind: kind === event ? undefined : kind, ...about, frame },
    secret,
  )
}
