import type { Acknowledgement, BankId, Command, Report } from '../../protocol/cabinet.ts'

/** Older entries are forgotten: a cabinet may run for weeks. */
const entriesMax = 5_000

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

/** `number` counts from 0 and never repeats; `at` is Unix milliseconds. */
export type Entry = Happening & { number: number; at: number }

/** The short name of what happened: the kind of a report, command or acknowledgement, the act, or the event itself. */
export function kindOf(entry: Happening): string {
  if (entry.event === 'said') return entry.report.kind
  if (entry.event === 'heard') return entry.words.kind === 'acknowledged' ? entry.words.report : entry.words.kind
  if (entry.event === 'told') return entry.command
  if (entry.event === 'asked') return entry.question
  return entry.event === 'did' ? entry.act : entry.event
}

/** All that happened to a cabinet, to be asserted afterwards or awaited. */
export interface Journal {
  readonly entries: readonly Entry[]
  /** The number the next entry will have. */
  readonly now: number
  add(happening: Happening): void
  /**
   * The first entry that matches, from `since` on (default: from now on), waited for if need be.
   * @throws whatever reason `signal` is aborted with
   */
  next(match: (entry: Entry) => boolean, options?: { since?: number; signal?: AbortSignal }): Promise<Entry>
  /** Calls for every entry to come, until the returned function is called. */
  watch(observer: (entry: Entry) => void): () => void
}

/** An empty journal. */
export function journal(): Journal {
  const entries: Entry[] = []
  const observers = new Set<(entry: Entry) => void>()
  let now = 0
  const watch: Journal['watch'] = (observer) => {
    observers.add(observer)
    return () => void observers.delete(observer)
  }
  return {
    entries,
    get now() {
      return now
    },
    add(happening) {
      const entry = { ...happening, number: now++, at: Date.now() }
      entries.push(entry)
      if (entries.length > entriesMax) entries.shift()
      for (const observer of [...observers]) observer(entry)
    },
    watch,
    next(match, { since = now, signal } = {}) {
      const found = entries.find((entry) => entry.number >= since && match(entry))
      if (found) return Promise.resolve(found)
      return new Promise((resolve, reject) => {
        const leave = watch((entry) => {
          if (!match(entry)) return
          leave()
          resolve(entry)
        })
        const giveUp = () => {
          leave()
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', giveUp, { once: true })
      })
    },
  }
}

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
