import { createHmac } from 'node:crypto'

// A terminal by somebody who has read docs/protocol.md 7 and none of our code: nothing of it is imported here.

/** Format by number (7.3), of the fields that it speaks: digits, their length in front or not; else characters. */
const formats: Record<number, { digits?: number; isCounted?: true; characters?: number }> = {
  ...{ 2: { digits: 19, isCounted: true }, 3: { digits: 6 }, 4: { digits: 12 }, 7: { digits: 10 }, 11: { digits: 6 } },
  ...{ 12: { digits: 6 }, 13: { digits: 4 }, 14: { digits: 4 }, 22: { digits: 3 }, 25: { digits: 2 } },
  ...{ 37: { characters: 12 }, 38: { characters: 6 }, 39: { characters: 2 }, 41: { characters: 8 } },
  ...{ 42: { characters: 15 }, 49: { digits: 3 }, 70: { digits: 3 }, 90: { digits: 42 } },
}
const macBytes = 8

const even = (digits: string) => (digits.length % 2 === 0 ? digits : `0${digits}`)

function written(number: number, value: string): Buffer {
  const { digits, isCounted, characters } = formats[number]!
  if (characters) return Buffer.from(value.padEnd(characters), 'latin1')
  const packed = Buffer.from(even(isCounted ? value : value.padStart(digits!, '0')), 'hex')
  return isCounted ? Buffer.concat([Buffer.from(even(String(value.length)), 'hex'), packed]) : packed
}

const macOf = (key: string, said: Buffer) =>
  createHmac('sha256', Buffer.from(key, 'hex')).update(said).digest().subarray(0, macBytes)

/** A frame: length, the TPDU if there is one, the message with its MAC (7.1, 7.2, 7.4). */
export function frameOf(key: string, mti: string, fields: Record<number, string>, tpdu = ''): Buffer {
  const numbers = Object.keys(fields)
    .map(Number)
    .sort((one, other) => one - other)
  const isLong = numbers.at(-1)! > 64
  const bitmap = Buffer.alloc(isLong ? 16 : 8)
  for (const number of [...numbers, isLong ? 128 : 64, ...(isLong ? [1] : [])])
    bitmap[(number - 1) >> 3]! |= 0x80 >> ((number - 1) % 8)
  const said = Buffer.concat([
    ...[Buffer.from(mti, 'hex'), bitmap],
    ...numbers.map((number) => written(number, fields[number]!)),
  ])
  const body = Buffer.concat([Buffer.from(tpdu, 'hex'), said, macOf(key, said)])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([length, body])
}

/** What a frame says: its MTI as 0, its fields, and whether its MAC is right. */
export function readFrame(key: string, frame: Buffer): { isSigned: boolean; fields: Record<number, string> } {
  const message = frame.subarray(frame[2] === 0x60 ? 7 : 2)
  const fields: Record<number, string> = { 0: message.toString('hex', 0, 2) }
  const bits = message[2]! & 0x80 ? 128 : 64
  let at = 2 + bits / 8
  for (let number = 2; number < bits; number++) {
    if (number === 64 || !(message[2 + ((number - 1) >> 3)]! & (0x80 >> ((number - 1) % 8)))) continue
    const { digits = 0, characters } = formats[number]!
    const end = at + (characters ?? (digits + 1) >> 1)
    const text = characters ? message.toString('latin1', at, end).trimEnd() : message.toString('hex', at, end)
    fields[number] = characters ? text : text.slice(-digits)
    at = end
  }
  const isSigned = macOf(key, message.subarray(0, -macBytes)).equals(message.subarray(-macBytes))
  return { isSigned, fields }
}
