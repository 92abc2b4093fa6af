import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { fieldAt } from '../../protocol/terminal-iso8583/fields.ts'
import { newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { join, partOf, present, rawOf, read, split } from '../../protocol/terminal-iso8583/message.ts'
import { hexOf } from './terminal-stage.ts'

interface Vector {
  name: string
  hex: string
  decoded: Record<string, unknown> & { mti?: string; fields_present?: number[]; length?: number }
}

const vectors: Vector[] = JSON.parse(readFileSync(new URL('../vectors/terminal-iso8583.json', import.meta.url), 'utf8'))
const named = (part: string) => vectors.filter(({ name }) => name.includes(part))

test('every public vector is used', () => {
  expect([named('bcd-08'), named('ascii'), named('frame-len')].flat()).toHaveLength(vectors.length)
})

/** The tutorial's has a length that counts hex digits, a TPDU and two bytes of its author's in front of the message. */
const inFront = 2 + 5 + 2

test.each(named('bcd-08'))('$name is its fields, and goes out byte for byte', ({ name, hex, decoded }) => {
  const bytes = Buffer.from(hex, 'hex').subarray(name.endsWith('tpdu') ? inFront : 0)
  const message = split(bytes)
  // None of them is signed: that they have no MAC is all that is wrong with them.
  expect(message).toMatchObject({ fault: 'no MAC' })
  const fields = present(message)
  expect(fields.map(({ number }) => number)).toEqual(decoded.fields_present!.filter((number) => number !== 1))
  for (const field of fields) {
    const said = decoded[`DE${field.number}`]
    const raw = rawOf(message, field)!
    if (typeof said === 'object') {
      const { lenBcd, ascii, hex = hexOf(Buffer.from(ascii ?? '')) } = said as Record<string, string>
      expect(hexOf(raw)).toBe(`${lenBcd}${hex}`)
    } else if (String(said).includes('EBCDIC')) {
      expect(hexOf(raw)).toBe('F0F0')
      expect(() => read(message, field)).toThrow(MalformedBody)
    } else if (field.kind === 'n') expect(said).toMatch(new RegExp(`^0?${read(message, field)}$`))
    else expect(read(message, field)).toBe(String(said).trimEnd())
  }
  const parts = fields.map((field) => partOf(message, field)!)
  expect(hexOf(join(message.mti, parts, new Uint8Array(0)))).toBe(hexOf(bytes))
})

test.each(named('ascii'))('$name is of another encoding and is refused', ({ hex }) => {
  expect(() => split(Buffer.from(hex, 'hex'))).toThrow(MalformedBody)
})

test('a length is binary and excludes itself; in another spelling it is another length', () => {
  const cut = (hex: string, more: number) => {
    const framer = newFramer()
    return [...framer.push(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(more)]))].length
  }
  const [binary, bcd, vml] = named('frame-len')
  expect(cut(binary!.hex, binary!.decoded.length! - 1)).toBe(0)
  expect(cut(binary!.hex, binary!.decoded.length!)).toBe(1)
  expect(cut(bcd!.hex, bcd!.decoded.length!)).toBe(0)
  expect(cut(bcd!.hex, 0x0115)).toBe(1)
  expect(() => cut(vml!.hex, 15)).toThrow(BrokenStream)
})

test('a length that counts hex digits makes the reader wait', () => {
  const framer = newFramer()
  expect([...framer.push(Buffer.from(named('tpdu')[0]!.hex, 'hex'))]).toEqual([])
})

test('the table has every field of the standard but the bitmaps', () => {
  for (let number = 2; number <= 128; number++) expect(fieldAt(number)?.number).toBe(number === 65 ? undefined : number)
})
