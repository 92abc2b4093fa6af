import { MalformedBody } from '../errors.ts'
import { lengthFramer } from '../framer.ts'
import { messageBytesMax } from './message.ts'

/** What the length may say (docs/protocol.md 7.1). It excludes itself and includes a TPDU. */
const lengthMin = 20
/** The most that it may say. */
export const lengthMax = messageBytesMax
const lengthBytes = 2
const tpduBytes = 5
/** A TPDU begins with it. */
export const tpduMark = 0x60

/** How messages travel: over TCP in frames; over MQTT one is a payload, with nothing around it. */
export type Carrier = 'tcp' | 'mqtt'

/** Cuts a TCP stream into frames. What it has copied of a card is overwritten. */
export const newFramer = () => lengthFramer({ min: lengthMin, max: lengthMax, isSecret: true })

/** One frame: its routing header, null where it has none, and the message as a view of the same memory. */
export interface Frame {
  tpdu: Buffer | null
  message: Buffer
}

/** An MTI begins with the version, 0, and a class that is not. */
export const beginsMti = (byte: number | undefined) => byte !== undefined && byte > 0 && byte < 0x10

/**
 * The parts of what arrived. A frame has a TPDU when its first byte is 0x60 and its sixth begins an MTI: frame by frame.
 * @throws MalformedBody not exactly one frame
 */
export function open(bytes: Buffer, carrier: Carrier): Frame {
  if (carrier === 'mqtt') return { tpdu: null, message: bytes }
  const said = bytes.length >= lengthBytes ? bytes.readUInt16BE(0) : -1
  if (said + lengthBytes !== bytes.length || said < lengthMin || said > lengthMax)
    throw new MalformedBody(`not one frame: ${bytes.length} bytes`)
  const hasTpdu = bytes[lengthBytes] === tpduMark && beginsMti(bytes[lengthBytes + tpduBytes])
  const from = lengthBytes + (hasTpdu ? tpduBytes : 0)
  return { tpdu: hasTpdu ? bytes.subarray(lengthBytes, from) : null, message: bytes.subarray(from) }
}

/** A TPDU on its way back: its two addresses change places. */
export const swapped = (tpdu: Buffer): Buffer => Buffer.of(tpduMark, tpdu[3]!, tpdu[4]!, tpdu[1]!, tpdu[2]!)

/** Room for a length and the TPDU in front of a message; nothing over MQTT. */
export function headOf(tpdu: Uint8Array | null, carrier: Carrier): Uint8Array {
  if (carrier === 'mqtt') return new Uint8Array(0)
  const head = new Uint8Array(lengthBytes + (tpdu?.length ?? 0))
  if (tpdu) head.set(tpdu, lengthBytes)
  return head
}

/** Writes the length in front of a frame that has a head; a payload of MQTT has none. @throws RangeError too long */
export function sealed(frame: Buffer, carrier: Carrier): Buffer {
  if (carrier === 'mqtt') return frame
  if (frame.length - lengthBytes > lengthMax) throw new RangeError(`${frame.length} bytes do not fit in a frame`)
  frame.writeUInt16BE(frame.length - lengthBytes)
  return frame
}
