import { hash } from 'node:crypto'
import type { Framer } from '../any-device.ts'
import { MalformedBody } from '../errors.ts'
import { lengthFramer } from '../framer.ts'

/** PacketLen counts what follows it: command, VSN, checksum, token and payload (docs/protocol.md 2.1). */
export const packetLengthMin = 7
/** The largest legal frame is a login of some 860 bytes; beyond this bound it is not a cabinet (2.2). */
export const packetLengthMax = 4096
/** Length field, command, VSN, checksum and token. */
export const headerBytes = 9
/** What a frame may carry at most. */
const payloadBytesMax = packetLengthMax - packetLengthMin

/** A frame's header, and its payload as a view of the same memory. `token` is a big-endian u32. */
export interface Frame {
  code: number
  vsn: number
  checksum: number
  token: number
  payload: Buffer
}

const nothing = Buffer.alloc(0)

/** Cuts a TCP stream into frames (section 2.2): a PacketLen outside 7–4096 breaks it. */
export const newFramer = (): Framer => lengthFramer({ min: packetLengthMin, max: packetLengthMax })

/**
 * The parts of one whole frame.
 * @throws MalformedBody the bytes are not exactly one frame
 */
export function open(frame: Buffer): Frame {
  const whole = frame.length >= headerBytes && frame.readUInt16BE(0) + 2 === frame.length
  if (!whole || frame.length > packetLengthMax + 2) throw new MalformedBody(`not one frame: ${frame.length} bytes`)
  return {
    code: frame[2]!,
    vsn: frame[3]!,
    checksum: frame[4]!,
    token: frame.readUInt32BE(5),
    // A view costs more than all the rest of a heartbeat, and most frames are heartbeats.
    payload: frame.length === headerBytes ? nothing : frame.subarray(headerBytes),
  }
}

/**
 * A frame ready to be written; the checksum is computed (2.3).
 * @throws RangeError a payload beyond what a frame carries
 */
export function seal(code: number, vsn: number, token: number, payload: Uint8Array | readonly number[]): Buffer {
  if (payload.length > payloadBytesMax) throw new RangeError(`${payload.length} bytes do not fit in a frame`)
  const frame = Buffer.allocUnsafe(headerBytes + payload.length)
  frame.writeUInt16BE(packetLengthMin + payload.length, 0)
  frame[2] = code
  frame[3] = vsn
  frame[4] = checksumOf(payload)
  frame.writeUInt32BE(token, 5)
  frame.set(payload, headerBytes)
  return frame
}

/** XOR of the payload, 0 when empty (2.3). */
export function checksumOf(payload: Uint8Array | readonly number[]): number {
  let sum = 0
  for (let at = 0; at < payload.length; at++) sum ^= payload[at]!
  return sum
}

const scratch = Buffer.allocUnsafe(payloadBytesMax + 256)

/** TCP-B's token: bytes 15, 11, 7, 3 of MD5(payload ‖ key), as a big-endian u32 (2.4). */
export function tokenOf(payload: Uint8Array, key: Uint8Array): number {
  let bytes = scratch
  const length = payload.length + key.length
  if (length > scratch.length) bytes = Buffer.allocUnsafe(length)
  bytes.set(payload, 0)
  bytes.set(key, payload.length)
  // As a string of bytes: half the time of a Buffer for 16 of them.
  const digest = hash('md5', bytes.subarray(0, length), 'binary')
  const byte = (at: number) => digest.charCodeAt(at)
  return ((byte(15) << 24) | (byte(11) << 16) | (byte(7) << 8) | byte(3)) >>> 0
}

/** A token as people and the vectors write it: eight upper-case hex digits. */
export function tokenText(token: number): string {
  return token.toString(16).toUpperCase().padStart(8, '0')
}
