import { hash } from 'node:crypto'
import { macBytes, messageBytesMax } from './message.ts'

const blockBytes = 64
const digestBytes = 32
const scratch = Buffer.alloc(blockBytes + messageBytesMax)
const outer = Buffer.alloc(blockBytes + digestBytes)

/** HMAC-SHA256 (RFC 2104) under one key. What was hashed is not left behind in memory. */
type Hmac = (bytes: Uint8Array) => string

/**
 * By two one-shot hashes, which take a third of `createHmac`'s time.
 * @param key 32 bytes as 64 hex digits
 * @param as a string of 32 bytes, or hex
 * @throws RangeError another key
 */
export function hmacOf(key: string, as: 'binary' | 'hex'): Hmac {
  if (!/^[0-9a-f]{64}$/i.test(key)) throw new RangeError('a key is 64 hex digits')
  const bytes = Buffer.alloc(blockBytes)
  bytes.write(key, 'hex')
  // Not from the pool: what is kept for a whole connection would keep kilobytes of other bytes alive.
  const [inside, outside] = [0x36, 0x5c].map((pad) => Uint8Array.from(bytes, (byte) => byte ^ pad)) as [
    Uint8Array,
    Uint8Array,
  ]
  return (said) => {
    const end = blockBytes + said.length
    scratch.set(inside)
    scratch.set(said, blockBytes)
    const first = hash('sha256', scratch.subarray(0, end), 'binary')
    scratch.fill(0, blockBytes, end)
    outer.set(outside)
    outer.write(first, blockBytes, 'latin1')
    return hash('sha256', outer, as)
  }
}

/** Constant time, wherever they differ. */
function isEqual(mac: string, bytes: Buffer, at: number): boolean {
  let difference = 0
  for (let n = 0; n < macBytes; n++) difference |= mac.charCodeAt(n) ^ bytes[at + n]!
  return difference === 0
}

/** Makes the MAC of what precedes it. */
export type Sign = (bytes: Buffer) => string

/** How a conversation signs and believes. */
export interface Ring {
  /** True when the last eight bytes are the MAC of what precedes them. The key that made it signs from now on. */
  accepts(message: Buffer): boolean
  sign: Sign
  /** Signs with the key in use, whichever is used from now on. */
  current(): Sign
}

/**
 * Two keys are good while a key changes, and an answer is signed with the key of what it answers.
 * @param keys 64 hex digits each, newest first @throws RangeError another key
 */
export function ringOf(keys: readonly string[]): Ring {
  const ring = keys.map((key) => hmacOf(key, 'binary'))
  let current = ring[0]
  const inUse = () => {
    if (!current) throw new RangeError('a terminal without a key cannot be spoken to')
    return current
  }
  return {
    accepts(message) {
      const end = message.length - macBytes
      const said = message.subarray(0, end)
      const found = ring.find((hmac) => isEqual(hmac(said), message, end))
      if (found) current = found
      return found !== undefined
    },
    sign: (bytes) => inUse()(bytes),
    current: inUse,
  }
}
