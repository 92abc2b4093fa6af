/** One message of PostgreSQL's protocol 3.0. The first of a client has no type. */
export interface Message {
  type: string
  body: Buffer
  /** All of it, as it is on the wire. */
  bytes: Buffer
}

const lengthBytes = 4

/** Cuts one direction into whole messages; what has not come whole waits for the next chunk. */
export function messages(isClient: boolean): (chunk: Buffer) => Message[] {
  let rest: Buffer = Buffer.alloc(0)
  let isGreeting = isClient
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const found: Message[] = []
    for (;;) {
      const typeBytes = isGreeting ? 0 : 1
      const end =
        rest.length < typeBytes + lengthBytes ? Number.POSITIVE_INFINITY : typeBytes + rest.readUInt32BE(typeBytes)
      if (rest.length < end) return found
      const type = isGreeting ? '' : String.fromCharCode(rest[0]!)
      found.push({ type, body: rest.subarray(typeBytes + lengthBytes, end), bytes: rest.subarray(0, end) })
      rest = rest.subarray(end)
      isGreeting = false
    }
  }
}

/** The text that begins there and ends with a zero byte; one character is one byte. */
export const textAt = (body: Buffer, at: number): string => body.toString('latin1', at, body.indexOf(0, at))

/** The values of a Bind, from its list of formats on. */
export function parameters(body: Buffer, at: number): string[] {
  const formats = body.readInt16BE(at)
  let next = at + 2 + formats * 2
  const values: string[] = []
  const count = body.readInt16BE(next)
  next += 2
  for (let value = 0; value < count; value++) {
    const length = body.readInt32BE(next)
    next += lengthBytes
    // -1 is null.
    values.push(length < 0 ? 'null' : body.toString('utf8', next, next + length))
    next += Math.max(0, length)
  }
  return values
}
