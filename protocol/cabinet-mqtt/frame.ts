import { MalformedBody } from '../errors.ts'

/** Every frame begins with it (docs/protocol.md 5.3). */
export const head = 0xa8
/** Head, length, command and check byte. */
const frameBytesMin = 5
/** What the length field can say. */
export const frameBytesMax = 0xffff
const dataAt = 4

/** A frame's parts; `data` is a view of the same memory. */
export interface Frame {
  code: number
  data: Buffer
  /** What the length field says; the payload's own size is what counts. */
  lengthSaid: number
  lengthOk: boolean
  checkOk: boolean
  /** What is wrong with it and did not keep us from reading it: cabinets send stale lengths and check bytes (5.3). */
  warnings: string[]
}

/** The check byte of these bytes: what makes the sum of the whole frame 0 modulo 256 (5.3). */
function checkOf(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum += byte
  return -sum & 0xff
}

const hexOf = (byte: number) => `0x${byte.toString(16).toUpperCase().padStart(2, '0')}`

/**
 * The parts of one MQTT payload, which is one frame.
 * @throws MalformedBody no head, or too short or too long to be one
 */
export function open(bytes: Buffer): Frame {
  if (bytes.length < frameBytesMin || bytes.length > frameBytesMax || bytes[0] !== head)
    throw new MalformedBody(`not a frame: ${bytes.length} bytes`)
  const lengthSaid = bytes.readUInt16BE(1)
  const last = bytes.length - 1
  const check = checkOf(bytes.subarray(0, last))
  const lengthOk = lengthSaid === bytes.length
  const checkOk = check === bytes[last]
  const warnings: string[] = []
  if (!lengthOk) warnings.push(`the length field says ${lengthSaid} where there are ${bytes.length} bytes`)
  if (!checkOk) warnings.push(`the check byte is ${hexOf(bytes[last]!)} where ${hexOf(check)} is right`)
  return { code: bytes[3]!, data: bytes.subarray(dataAt, last), lengthSaid, lengthOk, checkOk, warnings }
}

/**
 * A frame ready to be published, its length and check byte computed.
 * @throws RangeError data beyond what a frame carries
 */
export function seal(code: number, data: Uint8Array | readonly number[]): Buffer {
  const length = frameBytesMin + data.length
  if (length > frameBytesMax) throw new RangeError(`${data.length} bytes do not fit in a frame`)
  const frame = Buffer.alloc(length)
  frame[0] = head
  frame.writeUInt16BE(length, 1)
  frame[3] = code
  frame.set(data, dataAt)
  frame[length - 1] = checkOf(frame)
  return frame
}
