import { MalformedBody } from '../errors.ts'
import { mask } from './card.ts'
import { definitionOf, isAnswer, mtiText } from './dialect.ts'
import { type Field, formatOf } from './fields.ts'
import { beginsMti, type Carrier, open, tpduMark } from './frame.ts'
import type { Layout } from './layout.ts'
import { ringOf } from './mac.ts'
import { type Message, noMac, present, rawOf, read, split } from './message.ts'

/** One field of a message in words. */
interface ExplainedField {
  number: number
  name: string
  format: string
  /** Cards are masked, other secrets only counted; what its format cannot be is shown as it is, in hex. */
  value: string
}

/** One message in words. */
interface ExplainedMessage {
  mti: string
  name: string
  from: 'device' | 'server'
  tpdu: string | null
  /** Null: no key to judge it by. */
  macOk: boolean | null
  body: Record<string, string>
  fields: ExplainedField[]
}

/** How the bytes came: a payload begins with an MTI, a frame has one, or a TPDU, behind its length. */
export function carrierOf(bytes: Buffer): Carrier {
  const isFramed = bytes[2] === tpduMark || beginsMti(bytes[2])
  return beginsMti(bytes[0]) && !(isFramed && bytes.readUInt16BE(0) + 2 <= bytes.length) ? 'mqtt' : 'tcp'
}

/** True for a payload of MQTT: an MTI that has a definition, and a place for every byte behind it. */
export function isMessage(bytes: Buffer): boolean {
  if (bytes.length < 2 || !beginsMti(bytes[0]) || definitionOf(bytes.readUInt16BE()) === undefined) return false
  try {
    const { fault } = split(bytes)
    return fault === null || fault === noMac
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    return false
  }
}

/** A secret as it may be shown. */
function hidden({ kind }: Field, text: string): string {
  if (kind !== 'n' && kind !== 'z') return `(${text.length} characters, not shown)`
  const [number = '', ...behind] = text.split('D')
  const shown = mask(number.length, (from, to) => number.slice(from, to))
  return behind.length === 0 ? shown : `${shown}D${'*'.repeat(behind.join('D').length)}`
}

function shownValue(message: Message, field: Field): string {
  try {
    const text = read(message, field) ?? ''
    return field.isSecret ? hidden(field, text) : text
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    const bytes = rawOf(message, field)!
    return field.isSecret ? `(${bytes.length} bytes, not shown)` : `0x${bytes.toString('hex').toUpperCase()}`
  }
}

/**
 * A frame or payload, field by field; its values need not be what the message must have. A bad MAC is told, not refused.
 * @throws MalformedBody not one message
 */
export function explainMessage(bytes: Buffer, key?: string): ExplainedMessage {
  const { tpdu, message: inside } = open(bytes, carrierOf(bytes))
  const message = split(inside)
  if (message.fault && message.fault !== noMac) throw new MalformedBody(message.fault)
  const definition = definitionOf(message.mti)
  const isFromHost = isAnswer(message.mti) === (definition?.initiator !== 'host')
  const layout: Layout = { ...definition?.up, ...definition?.down }
  const names = new Map(Object.entries(layout).map(([name, { field }]) => [field.number, name]))
  const fields = present(message).map((field) => ({
    number: field.number,
    name: field.title,
    format: formatOf(field),
    value: shownValue(message, field),
  }))
  return {
    mti: mtiText(message.mti),
    name: `${definition?.name ?? 'unknown'}${isAnswer(message.mti) ? ' answer' : ''}`,
    from: isFromHost ? 'server' : 'device',
    tpdu: tpdu ? tpdu.toString('hex').toUpperCase() : null,
    macOk: message.hasMac ? (key === undefined ? null : ringOf([key]).accepts(inside)) : false,
    body: Object.fromEntries(
      fields.flatMap(({ number, value }) => (names.has(number) ? [[names.get(number)!, value]] : [])),
    ),
    fields,
  }
}
