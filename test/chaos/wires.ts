import type { Framer } from '../../protocol/any-device.ts'
import { newFramer as cabinetFramer } from '../../protocol/cabinet-tcp/index.ts'
import { newFramer as terminalFramer } from '../../protocol/terminal-iso8583/index.ts'
import { type Message, messages, parameters, textAt } from './postgres-wire.ts'
import type { Filters } from './tap.ts'

/** Something that is just passing on one of the house's three wires. */
export interface Sighting {
  wire: 'database' | 'cabinet' | 'terminal' | 'http'
  way: 'from the house' | 'to the house'
  /** In words: a statement with its values, a frame's code or MTI, a request line. */
  what: string
}

/** Looks at what passes. True: it goes no further, and nothing after it does. */
export type Look = (sighting: Sighting) => boolean

const nothing = Buffer.alloc(0)

/** A direction whose pieces are looked at one by one; from the first that is held on, nothing passes. */
function limiter<T>(cut: (chunk: Buffer) => Iterable<T>, bytes: (piece: T) => Buffer, isHeld: (piece: T) => boolean) {
  let isShut = false
  return (chunk: Buffer): Buffer => {
    const passed: Buffer[] = []
    for (const piece of cut(chunk)) {
      isShut ||= isHeld(piece)
      if (!isShut) passed.push(bytes(piece))
    }
    return isShut && passed.length === 0 ? nothing : Buffer.concat(passed)
  }
}

const itself = (bytes: Buffer) => bytes
const hex2 = (value: number) => `0x${value.toString(16).padStart(2, '0')}`

/** Frames of a device that dials the house, known by what names them. */
function deviceWire(wire: Sighting['wire'], newFramer: () => Framer, name: (frame: Buffer) => string) {
  const side = (way: Sighting['way'], look: Look) => {
    const framer = newFramer()
    return limiter<Buffer>(
      (chunk) => framer.push(chunk),
      itself,
      (frame) => look({ wire, way, what: name(frame) }),
    )
  }
  return (look: Look): Filters => ({ there: side('to the house', look), back: side('from the house', look) })
}

/** Known by their code (docs/protocol.md 3). */
export const cabinetWire = deviceWire('cabinet', cabinetFramer, (frame) => hex2(frame[2]!))
/** Known by their MTI, behind the length (docs/protocol.md 7.2). */
export const terminalWire = deviceWire('terminal', terminalFramer, (frame) => frame.toString('hex', 2, 4))

const lineOf = (chunk: Buffer) => /^[^\r\n]*/.exec(chunk.toString('latin1'))![0]

/** Requests of people, and their answers with the request they answer: one at a time on each connection. */
export function httpWire(look: Look): Filters {
  let request = ''
  const whole = (chunk: Buffer) => [chunk]
  return {
    there: limiter(whole, itself, (chunk) => {
      const line = lineOf(chunk)
      if (!/^[A-Z]+ \//.test(line)) return false
      request = line
      return look({ wire: 'http', way: 'to the house', what: line })
    }),
    back: limiter(whole, itself, (chunk) => {
      const line = lineOf(chunk)
      return line.startsWith('HTTP/') && look({ wire: 'http', way: 'from the house', what: `${line} to ${request}` })
    }),
  }
}

/**
 * Statements of the house and their replies, told with all the transaction has done when it is the commit. A
 * reply is seen at its first message, before the house knows anything of it.
 */
export function databaseWire(look: Look): Filters {
  const prepared = new Map<string, string>()
  let bound = ''
  let executed = ''
  let transaction = ''
  /** What each reply to come will answer; the first is to the greeting. */
  const asked = ['greeting']
  let isReplying = false

  const does = (statement: string) => {
    executed = statement === 'commit' ? `commit\n${transaction}` : statement
    transaction = statement === 'begin' ? '' : `${transaction}\n${statement}`
    return look({ wire: 'database', way: 'from the house', what: executed })
  }
  const says = ({ type, body }: Message): boolean => {
    if (type === 'P') prepared.set(textAt(body, 0), textAt(body, textAt(body, 0).length + 1))
    if (type === 'B') bound = boundText(body, prepared)
    const isHeld = type === 'E' ? does(bound) : type === 'Q' ? does(textAt(body, 0)) : false
    if (type === 'S' || type === 'Q') asked.push(executed)
    return isHeld
  }
  const hears = ({ type }: Message): boolean => {
    // Bells and notices come whenever they like, and answer nothing.
    if (type === 'A' || type === 'N') return false
    const isHeld = !isReplying && look({ wire: 'database', way: 'to the house', what: asked[0] ?? '' })
    isReplying = type !== 'Z'
    if (type === 'Z') asked.shift()
    return isHeld
  }
  const bytes = (message: Message) => message.bytes
  return { there: limiter(messages(true), bytes, says), back: limiter(messages(false), bytes, hears) }
}

/** A prepared statement with its values. */
function boundText(body: Buffer, prepared: Map<string, string>): string {
  const portal = textAt(body, 0)
  const name = textAt(body, portal.length + 1)
  return `${prepared.get(name) ?? ''}\n${parameters(body, portal.length + name.length + 2).join('\n')}`
}
