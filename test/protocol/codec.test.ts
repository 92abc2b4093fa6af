import { describe, expect, test } from 'vitest'
import type { Secrets } from '../../protocol/any-device.ts'
import type { Bank, Command, Report } from '../../protocol/cabinet.ts'
import { open, seal, tokenOf, tokenText } from '../../protocol/cabinet-tcp/frame.ts'
import { deviceCodec, greet } from '../../protocol/cabinet-tcp/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'

const key = 'EXAMPLEKEY'
const entropy = { nonce: 0xcafe, unixSeconds: 1_790_000_000 }
const accepted = { kind: 'accepted' } as const
const boxId = 'DCHEY02504000018'
const bankId = '4443484154000016'

const full: Bank = {
  slot: 1,
  bankId,
  levelPercent: 100,
  millivolts: 4130,
  milliamps: 0,
  celsius: -7,
  faults: { bank: false, typeC: true, lightning: false, microUsb: false },
  charging: false,
  locked: true,
  inserted: false,
  sohPercent: 98,
}

/** Both ends of one conversation, the login already greeted. */
function talk(letter: 'A' | 'B', secrets: Secrets = { keys: [key] }, spoken: string = secrets.keys[0] ?? key) {
  const device = deviceCodec(letter, { key: spoken })
  const login = device.encode({ kind: 'login', boxId, slots: 8, banks: [] })
  return { device, login, codec: greet(login).codec(secrets) }
}

test('the token is the published one', () => {
  const token = (hex: string) => tokenText(tokenOf(Buffer.from(hex, 'hex'), Buffer.from(key)))
  expect([token(''), token('03'), token('0102')]).toEqual(['B15313BA', '3A7C4769', '9B0713C5'])
})

describe.each(['A', 'B'] as const)('dialect %s', (letter) => {
  const reports: Report[] = [
    { kind: 'login', boxId, ...(letter === 'B' && { slots: 8, banks: [full] }) },
    { kind: 'heartbeat' },
    { kind: 'returned', bank: letter === 'A' ? { slot: 1, bankId } : full },
    { kind: 'abnormal', event: 1, slot: 2, bankId: null },
    { kind: 'abnormal', event: 9, slot: 2, bankId },
    letter === 'A'
      ? { kind: 'inventory', banks: [{ slot: 3, bankId, levelPercent: 75 }] }
      : { kind: 'inventory', slots: 8, banks: [full, { ...full, slot: 8 }] },
    { kind: 'eject', slot: 3, bankId, ok: true, result: 1 },
    { kind: 'eject', slot: 3, bankId: null, ok: false, result: 7 },
    { kind: 'force_eject', slot: 3, bankId, ok: false, result: 0 },
    { kind: 'restart' },
    { kind: 'iccid', iccid: '89860427092281034392' },
    { kind: 'volume', level: 15 },
    { kind: 'set_volume', ok: true },
    { kind: 'server_address', host: 'gate.example', port: '9066', heartbeatSeconds: 30 },
    { kind: 'set_server_address' },
    { kind: 'apn', index: 0, valid: true, operator: '25001', apn: 'internet', user: 'u', password: 'p' },
    { kind: 'apn', index: 1, valid: false, operator: '25001', apn: 'internet' },
    { kind: 'set_apn', ok: false },
    { kind: 'software_version', version: 'V1.0.2' },
  ]

  test.each(reports)('a report said is the report heard: $kind', (report) => {
    const { device, codec } = talk(letter)
    expect(codec.decode(device.encode(report))).toEqual(report)
  })

  const commands: Command[] = [
    { kind: 'eject', slot: 3 },
    { kind: 'force_eject', slot: 255 },
    { kind: 'inventory' },
    { kind: 'restart' },
    { kind: 'iccid' },
    { kind: 'volume' },
    { kind: 'set_volume', level: 0 },
    { kind: 'server_address' },
    { kind: 'set_server_address', host: 'gate.example', port: '9066', heartbeatSeconds: 255 },
    { kind: 'apn', index: 1 },
    { kind: 'set_apn', index: 1, valid: true, operator: '25001', apn: 'internet', user: '', password: '' },
    { kind: 'software_version' },
  ]

  test.each(commands)('a command told is the command listened to: $kind', (command) => {
    const { device, codec } = talk(letter)
    expect(device.decode(codec.encode(command))).toEqual(command)
  })

  test('a heartbeat is answered byte for byte', () => {
    const { device, codec } = talk(letter)
    const beat = device.encode({ kind: 'heartbeat' })
    codec.decode(beat)
    const answer = codec.answer(beat, accepted, entropy)
    expect(answer).toEqual(beat)
    expect(device.decode(beat)).toEqual({ kind: 'acknowledged', report: 'heartbeat' })
  })

  test('an answer carries the VSN it answers, a command says 1', () => {
    const device = deviceCodec(letter, { key, vsn: 0x18 })
    const login = device.encode({ kind: 'login', boxId })
    const codec = greet(login).codec({ keys: [key] })
    codec.decode(login)
    expect(open(codec.answer(login, accepted, entropy) ?? login).vsn).toBe(0x18)
    expect(open(codec.encode({ kind: 'inventory' })).vsn).toBe(1)
  })

  test('reports are acknowledged, answers are not', () => {
    const { device, codec } = talk(letter)
    const acknowledged = (report: Report) => {
      const frame = device.encode(report)
      codec.decode(frame)
      const answer = codec.answer(frame, accepted, entropy)
      return answer && device.decode(answer)
    }
    const time = letter === 'B' ? { nonce: entropy.nonce, unixSeconds: entropy.unixSeconds } : {}
    expect(acknowledged({ kind: 'login', boxId })).toEqual({
      kind: 'acknowledged',
      report: 'login',
      result: 1,
      ...time,
    })
    const returned = { kind: 'returned', bank: { ...full, slot: 4 } } as const
    expect(acknowledged(returned)).toEqual({ kind: 'acknowledged', report: 'returned', slot: 4, result: 1 })
    const stolen = { kind: 'abnormal', event: 1, slot: 4, bankId } as const
    expect(acknowledged(stolen)).toEqual({ kind: 'acknowledged', report: 'abnormal' })
    expect(acknowledged({ kind: 'inventory', banks: [] })).toBeNull()
    expect(acknowledged({ kind: 'eject', slot: 1, bankId, ok: true, result: 1 })).toBeNull()
  })

  test('silence is silent', () => {
    const { device, codec } = talk(letter)
    for (const kind of ['heartbeat', 'login'] as const) {
      const frame = device.encode(kind === 'login' ? { kind, boxId } : { kind })
      expect(codec.answer(frame, { kind: 'silent' }, entropy)).toBeNull()
    }
  })

  test('a bad checksum is refused', () => {
    const { device, codec, login } = talk(letter)
    const frame = device.encode({ kind: 'returned', bank: full })
    frame[4]! ^= 1
    expect(() => codec.decode(frame)).toThrow(MalformedBody)
    login[4]! ^= 1
    expect(() => greet(login)).toThrow(MalformedBody)
  })

  test('an unknown command is refused, and so is what is not exactly one frame', () => {
    const { device, codec } = talk(letter)
    const signed = (code: number) => seal(code, 2, open(device.encode({ kind: 'heartbeat' })).token, [])
    for (const code of [0x00, 0x5f, 0x68, 0x6b, 0xff])
      expect(() => codec.decode(signed(code))).toThrow('unknown command')
    expect(() => codec.decode(Buffer.concat([signed(0x61), signed(0x61)]))).toThrow(MalformedBody)
    for (let size = 0; size <= 9; size++) expect(() => codec.decode(Buffer.alloc(size))).toThrow(MalformedBody)
    expect(() => codec.decode(Buffer.from('0000', 'hex'))).toThrow(MalformedBody)
  })

  test('a return that names no bank is reported as one, and still acknowledged', () => {
    const { device, codec } = talk(letter)
    const frame = device.encode({ kind: 'returned', bank: { slot: 5, bankId: '0'.repeat(16) } })
    expect(codec.decode(frame)).toEqual({ kind: 'abnormal', event: 2, slot: 5, bankId: null })
    expect(device.decode(codec.answer(frame, accepted, entropy) ?? frame)).toMatchObject({
      report: 'returned',
      slot: 5,
    })
  })

  test.for(['0', 'F'])('a record whose bank was not read (%s) is of an occupied slot, and of no bank', (digit) => {
    const { device, codec } = talk(letter)
    const report = codec.decode(device.encode({ kind: 'inventory', banks: [{ slot: 5, bankId: digit.repeat(16) }] }))
    expect(report).toMatchObject({ kind: 'inventory', banks: [], unreadable: [5] })
    if (report.kind === 'inventory') expect(codec.decode(device.encode(report))).toEqual(report)
  })

  test('a level beyond its scale is not known', () => {
    const { device, codec } = talk(letter)
    const report = codec.decode(device.encode({ kind: 'inventory', banks: [{ slot: 5, bankId, levelPercent: 255 }] }))
    expect(report.kind === 'inventory' && report.banks[0]).not.toHaveProperty('levelPercent')
  })

  test('a SIM number comes without its filling', () => {
    const { device, codec } = talk(letter)
    const heard = (iccid: string) => codec.decode(device.encode({ kind: 'iccid', iccid }))
    for (const filling of ['', 'FF', 'F', '\xff\xff'])
      expect(heard(`898604270922810343${filling}`)).toEqual({ kind: 'iccid', iccid: '898604270922810343' })
  })

  test('the volume is set whether the answer is 01 or empty', () => {
    const { device, codec } = talk(letter)
    const token = open(device.encode({ kind: 'heartbeat' })).token
    expect(codec.decode(seal(0x70, 2, token, []))).toEqual({ kind: 'set_volume', ok: true })
    expect(codec.decode(device.encode({ kind: 'set_volume', ok: true }))).toEqual({ kind: 'set_volume', ok: true })
    expect(codec.decode(device.encode({ kind: 'set_volume', ok: false }))).toEqual({ kind: 'set_volume', ok: false })
  })

  test('the first frame must be a login of somebody who can be named', () => {
    const device = deviceCodec(letter, { key })
    expect(() => greet(device.encode({ kind: 'heartbeat' }))).toThrow(MalformedBody)
    for (const name of ['', ' ', 'a b', 'x'.repeat(65), 'caf\u00e9'])
      expect(() => greet(device.encode({ kind: 'login', boxId: name }))).toThrow(MalformedBody)
  })
})

describe('TCP-A', () => {
  test('any magic of that shape is TCP-A, and the register data may follow', () => {
    const payload = Buffer.from('0000000112340003414200', 'hex')
    const greeting = greet(seal(0x60, 1, 7, payload))
    expect(greeting).toMatchObject({ dialect: 'A', boxId: 'AB', needsKey: false })
    const registered = Buffer.concat([payload, Buffer.from('00037A7A00', 'hex')])
    expect(greet(seal(0x60, 1, 7, registered)).boxId).toBe('AB')
    expect(() => greet(seal(0x60, 1, 7, Buffer.concat([payload, Buffer.of(0)])))).toThrow(MalformedBody)
  })

  test('the last token heard is the token said, 11223344 before that', () => {
    const { device, login, codec } = talk('A')
    expect(tokenText(open(codec.encode({ kind: 'inventory' })).token)).toBe('11223344')
    const beat = deviceCodec('A', { token: '88651499' }).encode({ kind: 'heartbeat' })
    codec.decode(beat)
    expect(tokenText(open(codec.encode({ kind: 'inventory' })).token)).toBe('88651499')
    codec.decode(login)
    expect(tokenText(open(codec.answer(login, accepted, entropy) ?? beat).token)).toBe('11223344')
    expect(device.decode(codec.encode({ kind: 'restart' }))).toEqual({ kind: 'restart' })
  })

  test('a stranger is told no; a cabinet does not look at our checksum', () => {
    const { device, login, codec } = talk('A')
    const answer = codec.answer(login, { kind: 'refused' }, entropy)
    expect(answer?.toString('hex')).toBe('00086001001122334400')
    expect(device.decode(Buffer.from('000865018A1122334403', 'hex'))).toEqual({ kind: 'eject', slot: 3 })
  })
})

describe('TCP-B', () => {
  test('every frame is refused without a key, and nothing can be said', () => {
    const { device, login, codec } = talk('B', { keys: [] })
    expect(() => codec.decode(login)).toThrow('bad token')
    expect(() => codec.decode(device.encode({ kind: 'heartbeat' }))).toThrow('bad token')
    expect(() => codec.encode({ kind: 'inventory' })).toThrow(RangeError)
    expect(() => deviceCodec('B')).toThrow(RangeError)
  })

  test('a frame signed with another key is refused, the login too', () => {
    const { login, codec } = talk('B', { keys: [key] }, 'ANOTHERKEY')
    expect(greet(login)).toMatchObject({ dialect: 'B', boxId, needsKey: true })
    expect(() => codec.decode(login)).toThrow('bad token')
  })

  test('during a key change the key that verified the last frame signs ours', () => {
    const [old, young] = [deviceCodec('B', { key: 'OLDKEY' }), deviceCodec('B', { key: 'NEWKEY' })]
    const codec = greet(old.encode({ kind: 'login', boxId })).codec({ keys: ['NEWKEY', 'OLDKEY'] })
    const ask = { kind: 'eject', slot: 1 } as const
    expect(young.decode(codec.encode(ask))).toEqual(ask)
    codec.decode(old.encode({ kind: 'heartbeat' }))
    expect(old.decode(codec.encode(ask))).toEqual(ask)
    expect(() => young.decode(codec.encode(ask))).toThrow(MalformedBody)
    codec.decode(young.encode({ kind: 'restart' }))
    expect(young.decode(codec.encode(ask))).toEqual(ask)
  })

  test('a return is answered with its record as it came', () => {
    const { device, codec } = talk('B')
    const frame = device.encode({ kind: 'returned', bank: full })
    codec.decode(frame)
    const { payload } = open(codec.answer(frame, accepted, entropy) ?? frame)
    const record = open(frame).payload
    expect(payload).toEqual(Buffer.concat([record.subarray(0, 1), Buffer.of(1), record.subarray(1)]))
  })

  test('a stranger hears nothing', () => {
    const { login, codec } = talk('B')
    expect(codec.answer(login, { kind: 'refused' }, entropy)).toBeNull()
  })

  test('an eject answer is taken with and without its last three bytes', () => {
    const { device, codec } = talk('B')
    const frame = device.encode({ kind: 'eject', slot: 3, bankId, ok: true, result: 1 })
    const { payload } = open(frame)
    expect(payload).toHaveLength(13)
    for (const size of [10, 11, 12, 13]) {
      const part = payload.subarray(0, size)
      const shorter = seal(0x65, 2, tokenOf(part, Buffer.from(key)), part)
      expect(codec.decode(shorter)).toEqual({ kind: 'eject', slot: 3, bankId, ok: true, result: 1 })
    }
    const part = payload.subarray(0, 9)
    expect(() => codec.decode(seal(0x65, 2, tokenOf(part, Buffer.from(key)), part))).toThrow(MalformedBody)
  })

  test('the login says what the cabinet was told the time before', () => {
    const device = deviceCodec('B', { key })
    const frame = device.encode({ kind: 'login', boxId }, { bootMilliseconds: 70_000, unixSeconds: 1_761_141_078 })
    expect(open(frame).payload.readUInt32BE(0)).toBe(70_000)
    expect(open(frame).payload.readUInt32BE(8 + 17)).toBe(1_761_141_078)
  })
})
