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

/** Writes a value; a refusal says whose it is: `slot: 300 is no u8`. @throws RangeError the wire cannot carry it */
export function named<T>(name: string, write: () => T): T {
  try {
    return write()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new RangeError(`${name}: ${error.message}`, { cause: error })
  }
}
