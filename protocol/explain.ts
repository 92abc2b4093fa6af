import type { Dialect } from './cabinet-tcp/dialect.ts'
import { A, B } from './cabinet-tcp/dialect.ts'
import type { Frame } from './cabinet-tcp/frame.ts'
import { checksumOf, open, tokenOf, tokenText } from './cabinet-tcp/frame.ts'
import { tokenDefaultA } from './cabinet-tcp/token.ts'
import { MalformedBody } from './errors.ts'
import { decodeBody } from './field.ts'

/** Which end of the wire said it. */
export type From = 'device' | 'server'

/** What is known about a frame; what is not given is found out. */
export interface Hints {
  dialect?: 'A' | 'B'
  from?: From
  /** TCP-B's secret; without it `tokenOk` is null. */
  key?: string
}

/** One frame in words. `also` lists other dialects and directions whose layout the same bytes fit. */
export interface Explained {
  command: string
  name: string
  dialect: 'A' | 'B'
  from: From
  vsn: number
  token: string
  checksumOk: boolean
  /** Null where nobody can tell: no key, or a dialect whose token means nothing (TCP-A). */
  tokenOk: boolean | null
  body: Record<string, unknown>
  also: { dialect: 'A' | 'B'; from: From }[]
}

interface Reading {
  dialect: Dialect
  from: From
  name: string
  body: Record<string, unknown>
}

function read(frame: Frame, dialect: Dialect, from: From): Reading {
  const definition = dialect.byCode(frame.code)
  const body = decodeBody(from === 'device' ? definition.up : definition.down, frame.payload)
  return { dialect, from, name: definition.name, body }
}

// A code nobody has named is a sign that this is the wrong layout.
const strange = (body: Record<string, unknown>) =>
  Object.values(body).some((value) => typeof value === 'string' && /^code\d+$/.test(value))

/** How well a reading agrees with what is only custom: tokens, version numbers, named codes (cabinet-protocol 2.4, 2.5). */
function likelihood(frame: Frame, reading: Reading, signed: boolean): number {
  const { dialect, from, body } = reading
  let points = strange(body) ? 0 : 2
  if (signed) points += dialect.letter === 'B' ? 8 : 0
  else if (frame.token === tokenDefaultA) points += dialect.letter === 'A' ? 4 : 0
  else if (frame.vsn === 2) points += dialect.letter === 'B' ? 4 : 0
  // Commands carry 1, and so do TCP-A cabinets.
  if (frame.vsn > 1 && from === 'device') points += 1
  return points
}

/**
 * Any whole frame in words, for the CLI, the console and logs. A bad checksum is told, not refused.
 * @throws MalformedBody not one frame, or no dialect and direction (of those the hints leave) can read it
 */
export function explain(bytes: Buffer, hints: Hints = {}): Explained {
  const frame = open(bytes)
  const dialects = [B, A].filter(({ letter }) => !hints.dialect || hints.dialect === letter)
  const sides = (['device', 'server'] as const).filter((from) => !hints.from || hints.from === from)
  const readings: Reading[] = []
  let refusal: unknown
  for (const dialect of dialects)
    for (const from of sides)
      try {
        readings.push(read(frame, dialect, from))
      } catch (error) {
        refusal ??= error
      }
  const signed = hints.key !== undefined && tokenOf(frame.payload, Buffer.from(hints.key)) === frame.token
  const ranked = readings
    .map((reading) => ({ ...reading, points: likelihood(frame, reading, signed) }))
    .sort((one, other) => other.points - one.points)
  const [best, ...others] = ranked
  if (!best) throw refusal ?? new MalformedBody('no layout fits')
  return {
    command: `0x${frame.code.toString(16).toUpperCase()}`,
    name: best.name,
    dialect: best.dialect.letter,
    from: best.from,
    vsn: frame.vsn,
    token: tokenText(frame.token),
    checksumOk: checksumOf(frame.payload) === frame.checksum,
    tokenOk: hints.key === undefined || best.dialect === A ? null : signed,
    body: best.body,
    also: others.map(({ dialect, from }) => ({ dialect: dialect.letter, from })),
  }
}
