import type { Framer } from './any-device.ts'
import { BrokenStream } from './errors.ts'

const nothing = Buffer.alloc(0)
const lengthBytes = 2

/** What a stream's length field may say, and whether what waits for its end may be a secret. */
interface Bounds {
  min: number
  max: number
  /** The waiting part of a frame is overwritten where it was copied from, once it has been copied. */
  isSecret?: true
}

/** Cuts a stream of frames that begin with a big-endian length of two bytes, which does not count itself. */
export function lengthFramer({ min, max, isSecret }: Bounds): Framer {
  let rest: Buffer = nothing
  return {
    *push(chunk) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      if (isSecret && rest.length > 0) for (const copied of [rest, chunk]) copied.fill(0)
      rest = nothing
      let at = 0
      while (bytes.length - at >= lengthBytes) {
        const length = (bytes[at]! << 8) | bytes[at + 1]!
        if (length < min || length > max) throw new BrokenStream(`a length of ${length}`)
        const end = at + lengthBytes + length
        if (end > bytes.length) break
        yield bytes.subarray(at, end)
        at = end
      }
      // A copy: a view would keep the whole chunk alive for the sake of a few bytes.
      rest = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at))
      if (isSecret) bytes.fill(0, at)
    },
    rest: () => rest,
  }
}
