import { createHash, timingSafeEqual } from 'node:crypto'
import type { z } from 'zod'
import type { Outcome } from '../../db/messages/inbox.ts'
import { Refused } from '../../db/platform/refused.ts'
import type { Tx } from '../../db/postgres/connect.ts'

/** A webhook event in our words. */
export interface ReadEvent<W> {
  words: W
  /** What makes it the same webhook event for its sender. */
  dedupKey: string
  /** What it says, the same whenever it says the same. */
  content: string
  /** It tells how something is, not what happened once (db/messages/inbox.ts). */
  isState: boolean
  /** Its sender wants an answer at once; it is worked afterwards. */
  isLater: boolean
}

/** What an operator says a webhook event is about, where it names nothing that we know. */
export interface Match {
  kind: 'payment' | 'account'
  id: number
}

const only = (match: Match | undefined, kind: Match['kind']): number | undefined => {
  if (match === undefined || match.kind === kind) return match?.id
  throw new Refused('invalid', `it is matched by ${kind}, not by ${match.kind}`)
}

/** The payment that an operator named. @throws Refused invalid another thing was named */
export const paymentOf = (match: Match | undefined) => only(match, 'payment')
/** The account that an operator named. @throws Refused invalid another thing was named */
export const accountOf = (match: Match | undefined) => only(match, 'account')

/** One who tells us things over HTTP: what is theirs ends here (docs/decisions.md "Three translators, one middle"). */
export interface Provider<W = any> {
  name: '1c' | 'bitrix24' | 'yookassa' | 'cryptopay' | 'freekassa' | 'tribute' | 'stars' | 'panel'
  /** Whether whoever sent these bytes knows the secret, or is where only the provider is. In constant time. */
  isAuthentic(raw: Buffer, headers: Headers, address: string): boolean
  /** Whether that is where the provider is known to speak from; what is authentic is heard anyway, and it is written down. */
  isExpected?(address: string): boolean
  /** The bytes as they may be stored: secrets that travel in the body are masked. */
  keep(raw: Buffer, contentType: string | undefined): Buffer
  /**
   * Reads stored bytes. Pure.
   * @throws Unreadable
   */
  hear(raw: Buffer, headers: Record<string, string>): ReadEvent<W>
  /** An operator may say what a webhook event is about. */
  isMatched?: true
  /** Asks the outside for what the webhook event does not say; never within a transaction. */
  look?(words: W): Promise<W>
  /** Does what the webhook event asks for. `match`: what it is about, where an operator says so. */
  act(tx: Tx, words: W, match?: Match): Promise<Outcome>
}

/** Bytes that are no webhook event of this provider. `issues`: it is JSON, but not with the fields it must have. */
export class Unreadable extends Error {
  readonly issues: z.core.$ZodIssue[]
  /** What the issues are about. */
  readonly body: unknown
  constructor(why: string, issues: z.core.$ZodIssue[] = [], body: unknown = null) {
    super(why)
    this.name = 'Unreadable'
    this.issues = issues
    this.body = body
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** Whether `given` is one of the secrets, in a time that tells nothing about them. */
export function isOneOf(secrets: readonly string[], given: string | null): boolean {
  let found = false
  for (const secret of secrets) if (timingSafeEqual(digest(secret), digest(given ?? ''))) found = true
  return found && given !== null && given !== ''
}

const byteOrderMark = '\u{feff}'

/**
 * The text of a body, without the byte order mark that 1C may put in front (docs/providers.md 7).
 * @throws Unreadable
 */
export function textOf(raw: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw)
    return text.startsWith(byteOrderMark) ? text.slice(1) : text
  } catch {
    throw new Unreadable('the body is not UTF-8')
  }
}

/** A number of JSON as it was written: what it is exactly, a double may have forgotten. */
export interface Numeral {
  readonly numeral: string
}
const numerals = new WeakSet<object>()

export const isNumeral = (value: unknown): value is Numeral =>
  typeof value === 'object' && value !== null && numerals.has(value)

function numeral(text: string): Numeral {
  const made = { numeral: text }
  numerals.add(made)
  return made
}

type Reviver = (this: any, key: string, value: any, context: { source?: string }) => any
const keepNumbers: Reviver = (_key, value, { source }) => (typeof value === 'number' ? numeral(source!) : value)

/**
 * A JSON object whose numbers are `Numeral`s.
 * @throws Unreadable
 */
export function jsonOf(raw: Buffer): object {
  const text = textOf(raw)
  let body: unknown
  try {
    // TypeScript's library does not know the reviver's third argument yet.
    body = JSON.parse(text, keepNumbers as Parameters<typeof JSON.parse>[1])
  } catch {
    throw new Unreadable('the body is not JSON')
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body) && !isNumeral(body)) return body
  throw new Unreadable('the body is no JSON object')
}

const depthMax = 16

/**
 * One text for all ways to write the same value: keys in order, numbers as short as they go.
 * @throws Unreadable nested too deep
 */
export function canonical(value: unknown, depth = 0): string {
  if (depth > depthMax) throw new Unreadable('the body is nested too deep')
  if (isNumeral(value)) return String(Number(value.numeral))
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one, depth + 1)).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one, depth + 1)}`).join()}}`
}
