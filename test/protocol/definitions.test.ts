import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { A, B } from '../../protocol/cabinet-tcp/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { type Body, decodeBody, encodeBody, type Layout } from '../../protocol/field.ts'
import { bodyOf } from './arbitrary.ts'

const definitions = [...new Set([...A.definitions, ...B.definitions])]
const spoken = [0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x69, 0x6a, 0x70, 0x73, 0x74, 0x77, 0x80, 0x83]

// A whole message may end before an optional field, and `rest` and 0x62 take what there is.
const openEnded = (layout: Layout) =>
  Object.values(layout).some(({ shape }) => ['optional', 'rest', 'textOrHex'].includes(shape.is))

const decodes = (layout: Layout, bytes: Buffer): Body<Layout> | undefined => {
  try {
    return decodeBody(layout, bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBody)
    return undefined
  }
}

test.each([A, B])(
  'dialect $letter speaks every command of the specification but the two that are only names',
  (dialect) => {
    expect(dialect.definitions.map(({ code }) => code)).toEqual(spoken)
  },
)

describe.each(definitions)('$name', (definition) => {
  test('has an example of each direction', () => {
    const inherited = [...A.definitions, ...B.definitions].filter(({ code }) => code === definition.code)
    const examples = inherited.flatMap(({ examples }) => examples)
    expect(examples.some((example) => 'up' in example)).toBe(true)
    expect(examples.some((example) => 'down' in example)).toBe(true)
  })

  for (const example of definition.examples) {
    const [direction, written] = 'up' in example ? (['up', example.up] as const) : (['down', example.down] as const)
    test(`${direction} ${written || '(empty)'} is its body, and no part of it is a message`, () => {
      const layout: Layout = definition[direction]
      const bytes = Buffer.from(written, 'hex')
      expect(decodeBody(layout, bytes)).toEqual(example.body)
      expect(Buffer.from(encodeBody(layout, example.body))).toEqual(bytes)
      for (let size = 0; size < bytes.length; size++) {
        const part = decodes(layout, bytes.subarray(0, size))
        if (part === undefined) continue
        expect(openEnded(layout)).toBe(true)
        expect(Buffer.from(encodeBody(layout, part))).toEqual(bytes.subarray(0, size))
      }
      const more = decodes(layout, Buffer.concat([bytes, Buffer.of(0)]))
      if (more !== undefined) expect(openEnded(layout)).toBe(true)
    })
  }

  test.each(['up', 'down'] as const)('%s: any body comes back as it went', (direction) => {
    const layout: Layout = definition[direction]
    fc.assert(
      fc.property(bodyOf(layout), (body) => {
        expect(decodeBody(layout, Buffer.from(encodeBody(layout, body)))).toEqual(body)
      }),
      { numRuns: 150, seed: definition.code },
    )
  })
})

test('a value the wire cannot carry is refused before it is written', () => {
  const refused = (kind: Parameters<typeof A.toTell>[0], command: object) => {
    const { down, from } = B.toTell(kind)
    expect(() => encodeBody(down, from({ kind, ...command } as never))).toThrow(RangeError)
  }
  for (const slot of [256, -1, 1.5, Number.NaN]) refused('eject', { slot })
  for (const level of [101, -1]) refused('set_volume', { level })
  const address = { host: 'gate.example', port: '9066', heartbeatSeconds: 30 }
  for (const heartbeatSeconds of [0, 256]) refused('set_server_address', { ...address, heartbeatSeconds })
  for (const host of ['a\0b', 'привет', 'a\r\n']) refused('set_server_address', { ...address, host })
})

test('a count that disagrees with what follows is refused', () => {
  const { up } = B.toTell('inventory')
  const one = '444348415400001664102200001E4064'
  for (const hex of [`080201${one}`, `080001${one}`, `0801${one}`, '08', ''])
    expect(() => decodeBody(up, Buffer.from(hex, 'hex'))).toThrow(MalformedBody)
})
