/**
 * A whole frame we cannot take: bad checksum or token, unknown code, or a body that does not fit its layout.
 * The stream is still in step: count it, keep its hex, go on. The message never quotes the bytes: they may hold a password.
 */
export class MalformedBody extends Error {
  override name = 'MalformedBody'
  /** What the wire says to it, where it says anything: a terminal hears A0 or 30 (docs/protocol.md 7.4). */
  answer?: Buffer
}

/** A length that cannot be true. There is no start mark, so no way back in step: close, the device dials again. */
export class BrokenStream extends Error {
  override name = 'BrokenStream'
}
