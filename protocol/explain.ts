import { requestOf, uplinkOf } from './cabinet-mqtt/dialect.ts'
import * as a8 from './cabinet-mqtt/frame.ts'
import { decodeMembers, parseCommand } from './cabinet-mqtt/json.ts'
import { A, B, type Dialect } from './cabinet-tcp/dialect.ts'
import { checksumOf, type Frame, open, tokenOf, tokenText } from './cabinet-tcp/frame.ts'
import { tokenDefaultA } from './cabinet-tcp/frame-token.ts'
import { MalformedBody } from './errors.ts'
import { decodeBody } from './field.ts'
import { beginsMti, lengthMax } from './terminal-iso8583/frame.ts'
import { explainMessage, isMessage } from './terminal-iso8583/index.ts'

/** Which end of the wire said it. */
type From = 'device' | 'server'

/** What a frame may be spoken in. */
export type Tongue = 'A' | 'B' | 'mqtt' | 'iso8583'

/** What is known about a frame; what is not given is found out. */
export interface Hints {
  dialect?: Tongue | undefined
  from?: From | undefined
  /** TCP-B's secret or a terminal's key in hex; without it `tokenOk` is null. */
  key?: string | undefined
}

/** One frame in words. `also` lists other dialects and directions whose layout the same bytes fit. */
export interface Explained {
  command: string
  name: string
  dialect: Tongue
  from: From
  /** TCP only, and so is the token. */
  vsn?: number
  token?: string
  /** ISO 8583 only: its routing header, null where it has none, and every field in order. */
  tpdu?: string | null
  fields?: object[]
  /** Null where there is none: a JSON command, a terminal. */
  checksumOk: boolean | null
  /** A terminal's is its MAC. Null where nobody can tell: no key, or a dialect whose token means nothing (TCP-A) or that has none (MQTT). */
  tokenOk: boolean | null
  /** MQTT: what is wrong with it and is no reason not to hear it. */
  warnings?: string[]
  body: Record<string, unknown>
  also: { dialect: Tongue; from: From }[]
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

/** How well a reading agrees with what is only custom: tokens, version numbers, named codes (docs/protocol.md 2.4, 2.5). */
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

const brace = 0x7b

/** True where a whole MQTT payload is meant, which is never cut: no TCP frame begins as one does, its length would be beyond the bound. */
export const isMqtt = (bytes: Buffer, { dialect }: Hints): boolean =>
  dialect === 'mqtt' || (dialect === undefined && (bytes[0] === a8.head || bytes[0] === brace))

/**
 * True where a terminal is meant: no cabinet has a command that begins an MTI, and what is a message to its last byte is no
 * cabinet's. With a TPDU it must be said so.
 */
export const isTerminal = (bytes: Buffer, { dialect }: Hints): boolean =>
  dialect === 'iso8583' ||
  (dialect === undefined && ((beginsMti(bytes[2]) && bytes.readUInt16BE() <= lengthMax) || isMessage(bytes)))

function explainTerminal(bytes: Buffer, { from, key }: Hints): Explained {
  const { mti, macOk, ...said } = explainMessage(bytes, key)
  if (from && from !== said.from) throw new MalformedBody(`${mti} is not said by the ${from}`)
  return { command: mti, dialect: 'iso8583', checksumOk: null, tokenOk: macOk, ...said, also: [] }
}

function explainMqtt(bytes: Buffer, { from }: Hints): Explained {
  if (bytes[0] === brace) {
    if (from === 'device') throw new MalformedBody('cabinets say no JSON')
    const said = parseCommand(bytes)
    const { cmd, members } = requestOf(said.get('cmd')!)
    const body = decodeMembers(members, said)
    const known = { dialect: 'mqtt', from: 'server', checksumOk: null, tokenOk: null } as const
    return { command: cmd, name: cmd, ...known, body, also: [] }
  }
  const { code, data, checkOk, warnings } = a8.open(bytes)
  const { name, up, kinds } = uplinkOf(code)
  const isEcho = kinds.includes('heartbeat')
  if (from === 'server' && !isEcho) throw new MalformedBody('of frames the server says heartbeats only')
  return {
    command: hexCode(code),
    name,
    dialect: 'mqtt',
    from: from ?? 'device',
    checksumOk: checkOk,
    tokenOk: null,
    warnings,
    body: decodeBody(up, data),
    // An echo is the same bytes.
    also: isEcho && from === undefined ? [{ dialect: 'mqtt', from: 'server' }] : [],
  }
}

const hexCode = (code: number) => `0x${code.toString(16).toUpperCase()}`

/**
 * Any whole frame or MQTT payload in words, for the CLI, the console and logs. A bad checksum is told, not refused.
 * @throws MalformedBody not one frame, or no dialect and direction (of those the hints leave) can read it
 */
export function explain(bytes: Buffer, hints: Hints = {}): Explained {
  if (isMqtt(bytes, hints)) return explainMqtt(bytes, hints)
  if (isTerminal(bytes, hints)) return explainTerminal(bytes, hints)
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
    command: hexCode(frame.code),
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
