import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requests, uplinks } from '../../protocol/cabinet-mqtt/dialect.ts'
import { open, seal } from '../../protocol/cabinet-mqtt/frame.ts'
import { codec, deviceCodec, warnings } from '../../protocol/cabinet-mqtt/index.ts'
import { cabinetInfo } from '../../protocol/cabinet-mqtt/inventory.ts'
import { decodeMembers, encodeCommand, parseCommand } from '../../protocol/cabinet-mqtt/json.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { decodeBody, encodeBody } from '../../protocol/field.ts'
import { bodyOf } from './arbitrary.ts'

test('every command and frame of the specification is spoken', () => {
  expect(requests.map(({ cmd }) => cmd).sort()).toEqual(
    'check check_all getWifi load_ad popup popup_sn reboot setMode setWifi upload_all volume'.split(' '),
  )
  expect(uplinks.map(({ code }) => code).sort()).toEqual([0x10, 0x21, 0x28, 0x31, 0x40, 0x7a, 0xcf].sort())
})

const heard = (bytes: Buffer) => {
  try {
    return codec().decode(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBody)
    return undefined
  }
}

describe.each(uplinks)('$name', (uplink) => {
  test('has an example', () => expect(uplink.examples.length).toBeGreaterThan(0))

  for (const { frame: hex, body } of uplink.examples)
    test(`${hex} is its body, and a part of it is refused or told`, () => {
      const bytes = Buffer.from(hex, 'hex')
      const { code, data } = open(bytes)
      expect(warnings(bytes)).toEqual([])
      expect(decodeBody(uplink.up, data)).toEqual(body)
      expect(seal(code, encodeBody(uplink.up, body))).toEqual(bytes)
      for (let size = 0; size < bytes.length; size++) {
        const part = bytes.subarray(0, size)
        if (heard(part) === undefined) continue
        expect(uplink.code).not.toBe(0x10)
        expect(warnings(part).length).toBeGreaterThan(0)
      }
    })

  test('any body comes back as it went', () => {
    fc.assert(
      fc.property(bodyOf(uplink.up), (body) => {
        expect(decodeBody(uplink.up, Buffer.from(encodeBody(uplink.up, body)))).toEqual(body)
      }),
      { numRuns: 150, seed: uplink.code },
    )
  })
})

describe.each(requests)('$cmd', ({ cmd, members, examples, answer, kind, from, asks }) => {
  test('has an example', () => expect(examples.length).toBeGreaterThan(0))

  test.each(examples)('$json is its words, both ways, and no part of it is a command', ({ json, words }) => {
    const bytes = Buffer.from(json)
    expect(decodeMembers(members, parseCommand(bytes))).toEqual(words)
    expect(encodeCommand(cmd, members, words).toString()).toBe(json)
    for (let size = 0; size < bytes.length; size++)
      expect(() => deviceCodec().listen(bytes.subarray(0, size))).toThrow(MalformedBody)
  })

  test('its answer is defined, and a word of ours is spoken both ways', () => {
    if (answer !== null) expect(uplinks.map(({ code }) => code)).toContain(answer)
    expect([typeof from, typeof asks]).toEqual(kind ? ['function', 'function'] : ['undefined', 'undefined'])
  })
})

test('boards of any size are told apart by the numbers of their holes alone', () => {
  const device = (holesPerBoard: number) => deviceCodec({ holesPerBoard })
  for (const size of [2, 3, 4, 5, 6, 8, 12, 20, 36, 255])
    for (const slots of [1, 2, 3, 19, 80, 255]) {
      const banks = [1, slots].map((slot, at) => ({ slot, bankId: `0A1B2C3${at}` })).slice(0, slots)
      const frame = device(size).say({ kind: 'inventory', slots, banks })
      const boards = decodeBody(cabinetInfo.up, open(frame).data).boards
      expect(boards).toHaveLength(Math.ceil(slots / size))
      expect(codec().decode(frame)).toMatchObject({ slots, banks })
    }
})

test('a board whose third byte is no 00, 0B or FF gives its holes a high byte of area code', () => {
  const frame = Buffer.from(cabinetInfo.examples[0]!.frame, 'hex')
  const areas = (config: number) => {
    const data = Buffer.from(open(frame).data)
    data[2] = config
    const { boards } = decodeBody(cabinetInfo.up, data)
    expect(Buffer.from(encodeBody(cabinetInfo.up, { boards }))).toEqual(data)
    return boards[0]?.holes.map(({ area }) => area)
  }
  for (const none of [0x00, 0x0b, 0xff]) expect(areas(none)).toEqual([0, 0, 73, 0])
  expect(areas(0x01)).toEqual([256, 256, 256 + 73, 256])
  expect(areas(0xfe)).toEqual([0xfe00, 0xfe00, 0xfe00 + 73, 0xfe00])
})

describe('a list whose first board is dead', () => {
  const whole = open(deviceCodec({ holesPerBoard: 4 }).say({ kind: 'inventory', slots: 12, banks: bankIn(6) })).data
  const hear = (data: Buffer) => codec().decode(seal(0x10, data))
  const board = 6 + 4 * 15
  const rest = { kind: 'inventory', slots: 12, banks: bankIn(6), unknown: [1, 2, 3, 4] }

  test('is read for the others, whether its header stands there or not', () => {
    const heads = Buffer.concat([whole.subarray(0, 6), whole.subarray(board)])
    expect(hear(heads)).toMatchObject(rest)
    expect(hear(whole.subarray(board))).toMatchObject(rest)
    const two = Buffer.concat([whole.subarray(0, 6), whole.subarray(board, board + 6), whole.subarray(2 * board)])
    expect(hear(two)).toMatchObject({ slots: 12, banks: [], unknown: [1, 2, 3, 4, 5, 6, 7, 8] })
  })

  test('is told apart whatever the sizes, and however many are dead', () => {
    for (const holes of [2, 4, 5, 6, 12, 20])
      for (let boards = 2; boards <= 7; boards++)
        for (let dead = 1; dead < boards; dead++)
          for (const isHeaded of [true, false]) {
            const banks = bankIn(holes * boards)
            const list = { kind: 'inventory', slots: holes * boards, banks } as const
            const { data } = open(deviceCodec({ holesPerBoard: holes }).say(list))
            const size = 6 + holes * 15
            const heads = Array.from({ length: isHeaded ? dead : 0 }, (_, at) =>
              data.subarray(at * size, at * size + 6),
            )
            const heard = hear(Buffer.concat([...heads, data.subarray(dead * size)]))
            expect(heard).toMatchObject({ ...list, unknown: { length: dead * holes } })
          }
  })

  test('is read as far as it goes where the last is dead, and not where all are', () => {
    expect(hear(whole.subarray(0, 2 * board + 6))).toMatchObject({ slots: 8, banks: bankIn(6) })
    expect(() => hear(whole.subarray(0, 6))).toThrow(MalformedBody)
  })

  test('is no list that begins at a later hole of the first board', () => {
    const part = Buffer.concat([whole.subarray(0, 6), whole.subarray(6 + 2 * 15, board)])
    expect(() => hear(part)).toThrow(MalformedBody)
  })

  function bankIn(slot: number) {
    return [{ slot, bankId: '0A1B2C3D', levelPercent: 80 }]
  }
})

test('a list with a hole missing, too many holes or none is refused', () => {
  const one = open(deviceCodec().say({ kind: 'inventory', slots: 3, banks: [] })).data
  const hear = (data: Buffer) => () => codec().decode(seal(0x10, data))
  expect(hear(one)()).toMatchObject({ slots: 3 })
  const without = (at: number) => Buffer.concat([one.subarray(0, 6 + at * 15), one.subarray(6 + (at + 1) * 15)])
  expect(hear(without(0))).toThrow(MalformedBody)
  expect(hear(without(1))).toThrow(MalformedBody)
  expect(hear(Buffer.alloc(0))).toThrow(MalformedBody)
  expect(hear(one.subarray(0, 6))).toThrow(MalformedBody)
  expect(hear(Buffer.concat([one, one]))).toThrow(MalformedBody)
  // Behind hole 255 comes 0, and nobody could tell 257 from 1.
  const empty = (at: number) => [(at + 1) & 0xff, ...Array<number>(14).fill(0)]
  const many = [...one.subarray(0, 6), ...Array.from({ length: 257 }, (_, at) => empty(at)).flat()]
  expect(hear(Buffer.from(many))).toThrow('257 holes')
  expect(hear(Buffer.from(many.slice(0, 6 + 255 * 15)))()).toMatchObject({ slots: 255 })
})
