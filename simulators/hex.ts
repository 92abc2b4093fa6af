/** How bytes are pasted: out of serial consoles, hex dumps, packet viewers and source code. */

/** A JSON text begins so; a C array has numbers behind its brace. */
const json = /^\s*\{\s*["}]/

/** True where a C array has begun and its end is not there yet: more lines belong to it. */
export const isOpenArray = (text: string): boolean => text.includes('{') && !text.includes('}') && !json.test(text)

/** The values of a C initializer, in C's own spelling: `0x1F` is hexadecimal, `31` decimal. */
function arrayBytes(text: string): Buffer {
  const values = text.split(/[\s,]+/).filter((value) => value !== '')
  if (!values.every((value) => /^(?:0x[0-9a-f]{1,2}|0|[1-9]\d{0,2})$/i.test(value) && Number(value) <= 255))
    throw new RangeError('not an array of bytes')
  return Buffer.from(values.map(Number))
}

/**
 * The bytes of one line, or of one C array: hex with or without `0x`, `\x`, blanks, commas, semicolons, dashes and colons,
 * quoted as a serial console prints it (`CSBOX:"…"`, docs/protocol.md 2.2), or JSON as it is.
 * @throws RangeError neither of these
 */
export function bytesOf(text: string): Buffer {
  if (json.test(text)) return Buffer.from(text.trim())
  const array = /\{([^{}]*)\}\s*;?\s*$/.exec(text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, ''))
  if (array) return arrayBytes(array[1]!)
  const quoted = /^\s*CSBOX(?:GET)?:"([^"]*)"/i.exec(text)
  const digits = (quoted?.[1] ?? text)
    .replace(/(?<![0-9a-f])0x([0-9a-f])(?![0-9a-f])/gi, '0$1')
    .replace(/0x|\\x|[\s:;,"'-]/gi, '')
  const stranger = /[^0-9a-f]/i.exec(digits)
  if (stranger)
    throw new RangeError(
      `not hex: "${digits.slice(stranger.index, stranger.index + 8)}" behind ${stranger.index} digits`,
    )
  if (digits.length % 2 > 0) throw new RangeError(`not hex: ${digits.length} digits, an odd number`)
  return Buffer.from(digits, 'hex')
}
