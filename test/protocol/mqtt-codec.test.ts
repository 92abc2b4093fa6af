import { describe, expect, test } from 'vitest'
import type { Bank, Command, Report } from '../../protocol/cabinet.ts'
import { open, seal } from '../../protocol/cabinet-mqtt/frame.ts'
import {
  bankIdOf,
  codec,
  deviceCodec,
  isAnswered,
  qosOf,
  snOf,
  speaks,
  warnings,
} from '../../protocol/cabinet-mqtt/index.ts'
import { holeState, popupState, returnState } from '../../protocol/cabinet-mqtt/states.ts'
import { MalformedBody } from '../../protocol/errors.ts'

const accepted = { kind: 'accepted' } as const
const entropy = { nonce: 1, unixSeconds: 1 }
const bankId = '026ED580'
const full: Bank = {
  slot: 2,
  bankId,
  levelPercent: 80,
  milliamps: 200,
  celsius: 24,
  faults: { bank: false, typeC: false, lightning: false, microUsb: false },
  charging: true,
  inserted: true,
}

const sound: Report[] = [
  { kind: 'heartbeat' },
  { kind: 'returned', bank: { slot: 1, bankId, levelPercent: 95 } },
  { kind: 'returned', bank: { slot: 1, bankId } },
  { kind: 'abnormal', event: 0x10, slot: 2, bankId },
  { kind: 'abnormal', event: 2, slot: 2, bankId: null },
  {
    kind: 'inventory',
    slots: 4,
    banks: [full, { ...full, slot: 4, bankId: '0A1B2C3D', milliamps: 0, charging: false }],
  },
  { kind: 'inventory', slots: 40, banks: [] },
  { kind: 'eject', slot: 3, bankId, ok: true, result: 1 },
  { kind: 'eject', slot: 3, bankId, ok: false, result: 0x88, isTooOld: true },
  { kind: 'eject', slot: 0, bankId: null, ok: false, result: 0xfc },
  { kind: 'force_eject', slot: 16, bankId: null, ok: true, result: 1 },
  { kind: 'force_eject', slot: 16, bankId: null, ok: false, result: 0x07 },
]

test.each(sound)('a report said is the report heard: $kind', (report) => {
  const frame = deviceCodec().say(report)
  expect(codec().decode(frame)).toEqual(report)
  expect(warnings(frame)).toEqual([])
})

const spoken: Command[] = [
  { kind: 'eject', slot: 0, bankId },
  { kind: 'force_eject', slot: 16 },
  { kind: 'inventory' },
  { kind: 'restart' },
  ...Array.from({ length: 16 }, (_, level): Command => ({ kind: 'set_volume', level })),
]

describe.each(['current', 'old'] as const)('%s firmware', (firmware) => {
  test.each(spoken)('a command told is the command listened to: %o', (command) => {
    expect(deviceCodec({ firmware }).listen(codec({ firmware }).encode(command)).command).toEqual(command)
  })
})

test('an eject asks for its bank by serial number, whatever its slot; without a bank it opens the hole', () => {
  const told = (command: Command) => codec().encode(command).toString()
  expect(told({ kind: 'eject', slot: 3, bankId: '0A1B2C3D' })).toBe('{"cmd":"popup_sn","data":"169552957"}')
  expect(told({ kind: 'eject', slot: 3, bankId: 'FFFFFFFF' })).toBe('{"cmd":"popup_sn","data":"4294967295"}')
  expect(told({ kind: 'eject', slot: 3 })).toBe('{"cmd":"popup","data":"3","io":"0"}')
  expect(told({ kind: 'force_eject', slot: 80 })).toBe('{"cmd":"popup","data":"80","io":"0"}')
})

test('old firmware is asked for everything by check_all', () => {
  expect(codec().encode({ kind: 'inventory' }).toString()).toBe('{"cmd":"check"}')
  expect(codec({ firmware: 'old' }).encode({ kind: 'inventory' }).toString()).toBe('{"cmd":"check_all"}')
})

test('only pop-ups say when they were given, as text', () => {
  const when = { unixSeconds: 1759941810, ttlSeconds: 30 }
  const told = (command: Command) => codec().encode(command, when)
  expect(told({ kind: 'eject', slot: 1, bankId: bankIdOf(10211856) }).toString()).toBe(
    '{"cmd":"popup_sn","data":"10211856","timestamp":"1759941810","ttl":"30"}',
  )
  expect(told({ kind: 'force_eject', slot: 16 }).toString()).toBe(
    '{"cmd":"popup","data":"16","io":"0","timestamp":"1759941810","ttl":"30"}',
  )
  expect(told({ kind: 'restart' }).toString()).toBe('{"cmd":"reboot"}')
  expect(deviceCodec().listen(told({ kind: 'force_eject', slot: 16 })).when).toEqual(when)
  expect(deviceCodec().listen(told({ kind: 'inventory' }))).not.toHaveProperty('when')
})

test('what this wire cannot carry is refused before it is said', () => {
  const refused = (command: Command) => expect(() => codec().encode(command)).toThrow(RangeError)
  for (const slot of [0, 256, -1, 1.5, Number.NaN]) refused({ kind: 'force_eject', slot })
  for (const id of ['', '00000000', '0a1b2c3d', '4443484154000016', 'GGGGGGGG', '1', '026ED58 '])
    refused({ kind: 'eject', slot: 1, bankId: id })
  for (const level of [-1, 16, 1.5, Number.NaN]) refused({ kind: 'set_volume', level })
  const when = { unixSeconds: 1.5, ttlSeconds: 30 }
  expect(() => codec().encode({ kind: 'eject', slot: 1, bankId }, when)).toThrow(RangeError)
})

test('a command has a definition, or is said not to', () => {
  const kinds: Command['kind'][] = ['eject', 'force_eject', 'inventory', 'restart', 'set_volume']
  const foreign: Command[] = [
    { kind: 'iccid' },
    { kind: 'volume' },
    { kind: 'server_address' },
    { kind: 'set_server_address', host: 'gate.example', port: '9066', heartbeatSeconds: 30 },
    { kind: 'apn', index: 0 },
    { kind: 'set_apn', index: 0, valid: true, operator: '25001', apn: 'internet', user: '', password: '' },
    { kind: 'software_version' },
  ]
  for (const kind of kinds) expect(speaks(kind)).toBe(true)
  for (const command of foreign) {
    expect(speaks(command.kind)).toBe(false)
    expect(() => codec().encode(command)).toThrow(RangeError)
    expect(() => qosOf(command)).toThrow(RangeError)
  }
  expect(kinds.filter(isAnswered)).toEqual(['eject', 'force_eject', 'inventory'])
})

test('what would be done twice if heard twice goes at QoS 0, questions at 1', () => {
  expect(qosOf({ kind: 'eject', slot: 1, bankId })).toBe(0)
  expect(qosOf({ kind: 'eject', slot: 1 })).toBe(0)
  expect(qosOf({ kind: 'force_eject', slot: 1 })).toBe(0)
  expect(qosOf({ kind: 'restart' })).toBe(0)
  expect(qosOf({ kind: 'inventory' })).toBe(1)
})

test('a heartbeat is answered byte for byte, stale check byte and all, and nothing else is answered', () => {
  const beat = Buffer.from('A800117A104353513A32373B42503A30FD', 'hex')
  expect(codec().decode(beat)).toEqual({ kind: 'heartbeat' })
  expect(codec().answer(beat, accepted, entropy)).toEqual(beat)
  expect(codec().answer(beat, { kind: 'refused' }, entropy)).toBeNull()
  for (const report of sound)
    if (report.kind !== 'heartbeat') expect(codec().answer(deviceCodec().say(report), accepted, entropy)).toBeNull()
})

test('only state 01 is a bank that went out; every other stays beside the answer as its code, 88 as too old', () => {
  for (let state = 0; state < 256; state++) {
    const said = { ok: state === 1, result: state, ...(state === 0x88 && { isTooOld: true }) }
    const bySn = seal(0x31, [3, 0x02, 0x6e, 0xd5, 0x80, state, 0])
    expect(codec().decode(bySn)).toEqual({ kind: 'eject', slot: 3, bankId, ...said })
    const byHole = seal(0x21, [1, 3, state, 0])
    expect(codec().decode(byHole)).toEqual({
      kind: 'force_eject',
      slot: 3,
      bankId: null,
      ...said,
    })
  }
})

test('old firmware says a board for a hole: the slot is not said, the bank is', () => {
  const frame = deviceCodec({ firmware: 'old' }).say({ kind: 'eject', slot: 13, bankId, ok: true, result: 1 })
  expect(open(frame).data[0]).toBe(2)
  expect(codec({ firmware: 'old' }).decode(frame)).toEqual({ kind: 'eject', slot: 0, bankId, ok: true, result: 1 })
})

test('a return is one in state 01, and in old firmware’s 03; any other is its code', () => {
  for (let state = 0; state < 256; state++) {
    const isIn = state === 1 || state === 3
    const abnormal = { kind: 'abnormal', event: state, slot: 5, bankId }
    const frame = seal(0x40, [1, 5, 4, 0x02, 0x6e, 0xd5, 0x80, state, 25, 95])
    expect(codec().decode(frame)).toEqual(
      isIn ? { kind: 'returned', bank: { slot: 5, bankId, levelPercent: 95 } } : abnormal,
    )
    const tested = seal(0x28, [1, 5, state, 0, 0, 4, 0x02, 0x6e, 0xd5, 0x80, 95, 31, 50, 1, 4, 0])
    const bank = { slot: 5, bankId, levelPercent: 95, celsius: 31, milliamps: 100 }
    expect(codec().decode(tested)).toEqual(isIn ? { kind: 'returned', bank } : abnormal)
  }
})

test('a return in any of its three lengths is heard; one without a bank or a hole is none', () => {
  const report = { kind: 'returned', bank: { slot: 7, bankId, levelPercent: 64 } } as const
  for (const returnFrameBytes of [13, 14, 15] as const) {
    const frame = deviceCodec({ firmware: 'old', returnFrameBytes }).say(report)
    expect(frame).toHaveLength(returnFrameBytes)
    const { levelPercent: _, ...bare } = report.bank
    expect(codec().decode(frame)).toEqual({ ...report, bank: returnFrameBytes === 15 ? report.bank : bare })
  }
  expect(codec().decode(deviceCodec().sayTested(report))).toMatchObject(report)
  expect(codec().decode(seal(0x40, [1, 5, 4, 0, 0, 0, 0, 1, 25, 95]))).toEqual({
    kind: 'abnormal',
    event: 2,
    slot: 5,
    bankId: null,
  })
  expect(() => codec().decode(seal(0x40, [1, 0, 4, 2, 3, 4, 5, 1, 25, 95]))).toThrow(MalformedBody)
  expect(() => codec().decode(seal(0x40, [1, 5, 4, 2, 3, 4, 5, 1, 25, 95, 0]))).toThrow(MalformedBody)
})

describe('a hole', () => {
  const hear = (change: Record<number, number>) => {
    const record = [1, 1, 0, 226, 73, 0x02, 0x6e, 0xd5, 0x80, 80, 24, 50, 2, 25, 0]
    for (const [at, byte] of Object.entries(change)) record[Number(at)] = byte
    const report = codec().decode(seal(0x10, [1, 4, 0, 0, 4, 15, ...record]))
    return report.kind === 'inventory' ? report.banks : []
  }

  test('that is normal holds a sound bank, whose battery has no voltage we know', () => {
    expect(hear({})).toEqual([{ ...full, slot: 1 }])
  })

  test('in any other state holds a faulty one, and an empty one none', () => {
    for (let state = 2; state < 256; state++) {
      expect(hear({ 1: state })[0]?.faults?.bank).toBe(true)
      expect(hear({ 1: state })[0]?.faults?.typeC).toBe(state === 9)
    }
    expect(hear({ 1: 0 })).toEqual([])
    for (let state = 0; state < 256; state++) expect(hear({ 1: state, 5: 0, 6: 0, 7: 0, 8: 0 })).toEqual([])
  })

  test('says no level and no temperature it has not read, and a bank without a level is not for rent', () => {
    const [bank] = hear({ 9: 255, 10: 255 })
    expect(bank).not.toHaveProperty('levelPercent')
    expect(bank).not.toHaveProperty('celsius')
    expect(bank).toMatchObject({ isUnread: true, faults: { bank: false } })
    for (const level of [0, 100]) {
      const [read] = hear({ 9: level })
      expect(read).toMatchObject({ levelPercent: level, faults: { bank: false } })
      expect(read).not.toHaveProperty('isUnread')
    }
    expect(hear({ 9: 101 })[0]?.isUnread).toBe(true)
  })

  test('whose switch is open has no bank pushed home; without current it does not charge', () => {
    expect(hear({ 14: 0x80 })[0]?.inserted).toBe(false)
    expect(hear({ 14: 0x40 })[0]?.inserted).toBe(true)
    expect(hear({ 12: 0 })[0]).toMatchObject({ charging: false, milliamps: 0 })
  })
})

test('a serial number is four bytes in our words and back', () => {
  for (const sn of [1, 40818048, 93198088, 0xffffffff]) expect(snOf(bankIdOf(sn))).toBe(sn)
  expect(bankIdOf(40818048)).toBe('026ED580')
  expect(bankIdOf(1)).toBe('00000001')
})

test('a simulated cabinet says nothing its wire has no frame for', () => {
  for (const report of [
    { kind: 'restart' },
    { kind: 'login', boxId: '860602069165357' },
    { kind: 'volume', level: 3 },
  ] as const)
    expect(() => deviceCodec().say(report)).toThrow(RangeError)
  expect(() => deviceCodec().sayTested({ kind: 'heartbeat' })).toThrow(RangeError)
  expect(() => deviceCodec({ holesPerBoard: 1 })).toThrow(RangeError)
  expect(() => deviceCodec().say({ kind: 'returned', bank: { slot: 1, bankId: '4443484154000016' } })).toThrow(
    RangeError,
  )
})

test('a state nobody has named keeps its code', () => {
  for (const states of [holeState, popupState, returnState]) expect(states.named(0x77)).toBe('code119')
})
