import { type Frame, tokenOf } from './frame.ts'

/** How a conversation signs and believes (docs/protocol.md 2.4). */
export interface Tokens {
  /** True when the frame's token is one this conversation accepts. */
  accepts(frame: Frame): boolean
  /** The token of a payload we are about to send. */
  sign(payload: Uint8Array): number
}

/** What TCP-A says as long as the cabinet has said nothing else. */
export const tokenDefaultA = 0x11223344

/** TCP-A: no source computes the token or checks it. What we last heard is what we say. */
export function echoed(first: number = tokenDefaultA): Tokens {
  let last = first
  return {
    accepts(frame) {
      last = frame.token
      return true
    },
    sign: () => last,
  }
}

/**
 * TCP-B: every frame carries the token of its payload under the cabinet's secret key, and the key that verified the last
 * frame signs what we send, so that a key change needs no agreement about the moment. Without keys nothing is accepted.
 * @param keys ASCII, newest first
 */
export function keyed(keys: readonly string[]): Tokens {
  const none = new Uint8Array(0)
  // The token of an empty payload is constant for a key: heartbeats and queries cost no MD5.
  const ring = keys.map((text) => {
    // Not a Buffer: one from the pool would keep kilobytes of other bytes alive as long as the cabinet is connected.
    const bytes = new TextEncoder().encode(text)
    return { bytes, ofNothing: tokenOf(none, bytes) }
  })
  const token = (key: (typeof ring)[number], payload: Uint8Array) =>
    payload.length === 0 ? key.ofNothing : tokenOf(payload, key.bytes)
  let current = ring[0]
  return {
    accepts(frame) {
      // Integers of 32 bits compare in constant time, wherever they differ.
      const found = ring.find((key) => token(key, frame.payload) === frame.token)
      if (found) current = found
      return found !== undefined
    },
    sign(payload) {
      if (!current) throw new RangeError('TCP-B cannot speak without a key')
      return token(current, payload)
    },
  }
}
