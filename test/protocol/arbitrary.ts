import fc from 'fast-check'
import type { Layout, Shape } from '../../protocol/field.ts'

/** Any hex of so many bytes, as our fields write it. */
const hexOf = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes).toString('hex').toUpperCase())

const character = fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }))
const textOf = fc.array(character, { maxLength: 80 }).map((codes) => String.fromCharCode(...codes))

const looksLikeText = (hex: string) => hex.length > 4 && Number.parseInt(hex.slice(0, 4), 16) === hex.length / 2 - 2

/** Every value a field can hold, from what the field says of itself. */
function valuesOf(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.is) {
    case 'integer':
      return fc.integer({ min: shape.min, max: shape.max })
    case 'hex':
      return hexOf(shape.bytes, shape.bytes)
    case 'oneOf': {
      const named = Object.values(shape.names)
      const strange = fc.integer({ min: 0, max: 255 }).filter((code) => !named.includes(code))
      return fc.oneof(
        fc.constantFrom(...Object.keys(shape.names)),
        strange.map((code) => `code${code}`),
      )
    }
    case 'flags':
      return fc.record(Object.fromEntries(shape.names.map((name) => [name, fc.boolean()])))
    case 'text':
    case 'tail':
      return textOf
    case 'rest':
      return hexOf(0, 20)
    case 'textOrHex':
      return fc.oneof(
        textOf.map((text) => ({ text })),
        hexOf(0, 20)
          .filter((hex) => !looksLikeText(hex))
          .map((hex) => ({ hex })),
      )
    case 'records':
      return fc.array(bodyOf(shape.layout), { maxLength: 48 })
    case 'boards':
      return boardsOf(shape.board, shape.hole)
    case 'optional':
      return shape.of.is === 'rest' ? hexOf(1, 20) : valuesOf(shape.of)
  }
}

// Hole numbers run on across boards, so a board's own number may not look like the next; and where the board has a high
// byte of area codes, its holes carry it.
function boardsOf(board: Layout, hole: Layout): fc.Arbitrary<unknown> {
  const one = fc.record({ header: bodyOf(board), holes: fc.array(bodyOf(hole), { minLength: 1, maxLength: 20 }) })
  return fc.array(one, { minLength: 1, maxLength: 8 }).map((boards) => {
    let number = 1
    return boards.map(({ header, holes }) => {
      const start = number
      const high = [0x00, 0x0b, 0xff].includes(Number(header.config)) ? 0 : Number(header.config) << 8
      const numbered = holes.map((each) => ({ ...each, hole: number++ & 0xff, area: high | Number(each.area) }))
      return { ...header, board: (start + 255) & 0xff, holes: numbered }
    })
  })
}

/** Every body of a layout: the optional tail is cut anywhere, and nothing follows a gap. */
export function bodyOf(layout: Layout): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(layout)
  const fixed = fields.filter(([, field]) => field.shape.is !== 'optional').length
  const whole = fc.record(Object.fromEntries(fields.map(([name, field]) => [name, valuesOf(field.shape)])))
  return fc
    .tuple(whole, fc.integer({ min: fixed, max: fields.length }))
    .map(([body, kept]) => Object.fromEntries(fields.slice(0, kept).map(([name]) => [name, body[name]])))
}
