import { BrokenStream } from '../../protocol/errors.ts'

/** Bytes of a packet's length, at most (MQTT 3.1.1 2.2.3). */
const lengthBytesMax = 4
const payloadBits = 0x7f
const moreBit = 0x80

/** Follows the packets of one connection, in front of the broker, which would collect one of 256 MB before it looks. */
export interface Meter {
  /**
   * @param packetBytesMax what one packet may have at this moment
   * @returns how many packets began in this chunk
   * @throws BrokenStream a packet that is longer, or a length that is none
   */
  push(chunk: Buffer, packetBytesMax: number): number
  /** True where the next byte begins a packet. */
  isBetween(): boolean
}

/** A meter at the beginning of a connection. Keeps three numbers. */
export function meter(): Meter {
  /** Bytes of the length read so far; -1 between packets. */
  let lengthBytes = -1
  let length = 0
  /** Bytes still to come of the packet under way. */
  let left = 0
  return {
    isBetween: () => left === 0 && lengthBytes < 0,
    push(chunk, packetBytesMax) {
      let packets = 0
      for (let at = 0; at < chunk.length; ) {
        if (left > 0) {
          const here = Math.min(left, chunk.length - at)
          left -= here
          at += here
        } else if (lengthBytes < 0) {
          packets += 1
          lengthBytes = 0
          length = 0
          at += 1
        } else {
          const byte = chunk[at]!
          length += (byte & payloadBits) * 2 ** (7 * lengthBytes)
          lengthBytes += 1
          at += 1
          const isMore = (byte & moreBit) !== 0
          if (isMore && lengthBytes === lengthBytesMax) throw new BrokenStream('a length of more than four bytes')
          if (length > packetBytesMax) throw new BrokenStream(`a packet of ${length} bytes`)
          if (!isMore) {
            lengthBytes = -1
            left = length
          }
        }
      }
      return packets
    },
  }
}
