import { expect, test } from 'vitest'
import type { Bank } from '../../protocol/cabinet.ts'
import { seal } from '../../protocol/cabinet-mqtt/frame.ts'
import { codec, deviceCodec, warnings } from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'

const full: Bank = { slot: 2, bankId: '026ED580', levelPercent: 80 }

test('a wrong length or check byte is told and no reason not to hear; a list that lacks its end is', () => {
  const list = deviceCodec().say({ kind: 'inventory', slots: 4, banks: [full] })
  const with16 = (length: number) => {
    const bytes = Buffer.from(list)
    bytes.writeUInt16BE(length, 1)
    return bytes
  }
  expect(codec().decode(with16(70))).toEqual(codec().decode(list))
  expect(warnings(with16(70))).toHaveLength(2)
  expect(() => codec().decode(with16(72))).toThrow('only a part')
  const wrong = Buffer.from(list)
  wrong[70]! ^= 0xff
  expect(codec().decode(wrong)).toEqual(codec().decode(list))
  expect(warnings(wrong)).toHaveLength(1)
  // Cut where a hole number stands in for the check byte, the rest is a shorter list in all but its length.
  expect(() => codec().decode(list.subarray(0, 4 + 6 + 15 + 1))).toThrow('only a part')
})

test('what is no frame of a cabinet is malformed', () => {
  const hear = (hex: string) => () => codec().decode(Buffer.from(hex, 'hex'))
  for (const hex of ['', 'A8', 'A8000410', 'A700055050', 'A800055003', '7B7D', 'A8000CCF5B22C3A90A225D00'])
    expect(hear(hex)).toThrow(MalformedBody)
  expect(() =>
    codec().decode(Buffer.concat([Buffer.of(0xa8, 0xff, 0xff, 0x7a, 1), Buffer.alloc(65_531, 0x41)])),
  ).toThrow(MalformedBody)
  expect(() => seal(0x7a, Buffer.alloc(65_531))).toThrow(RangeError)
  expect(hear('A80015CF5B2243616665222C224775657374225D91')).toThrow('never asks')
  const why = (work: () => unknown) => {
    try {
      return work()
    } catch (error) {
      return error instanceof Error ? error.message : error
    }
  }
  // What it held may be a password.
  expect(why(hear('A8000C53736563726574FF00'))).not.toContain('secret')
})

test('what is no command is malformed, and what it held is not repeated', () => {
  const listen = (text: string | Buffer) => deviceCodec().listen(Buffer.from(text as string))
  const wrong = [
    ...['', '{', 'null', '1', '[]', '"check"', '{}', '{"cmd":1}', '{"cmd":"dance"}', '{"cmd":"popup_sn"}'],
    ...[
      '{"cmd":"popup_sn","data":10211856}',
      '{"cmd":"popup_sn","data":"0"}',
      '{"cmd":"popup_sn","data":"4294967296"}',
    ],
    ...['{"cmd":"popup_sn","data":"-1"}', '{"cmd":"popup_sn","data":"1e3"}', '{"cmd":"popup_sn","data":" 1"}'],
    ...['{"cmd":"popup","data":"16"}', '{"cmd":"popup","data":"16","io":"2"}', '{"cmd":"popup","data":"0","io":"0"}'],
    ...['{"cmd":"volume","data":"101"}', '{"cmd":"setMode","data":"5g"}', '{"cmd":"setWifi","username":"a"}'],
    ...['{"cmd":"check","x":null}', '{"cmd":"constructor"}', '{"__proto__":{"cmd":"check"}}'],
  ]
  for (const text of wrong) expect(() => listen(text), text).toThrow(MalformedBody)
  expect(() => listen(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toThrow(MalformedBody)
  expect(() => listen(`{"cmd":"check","x":"${'a'.repeat(5000)}"}`)).toThrow(MalformedBody)
  expect(listen('{ "x": "y", "cmd": "check" }')).toEqual({ cmd: 'check', command: { kind: 'inventory' }, words: {} })
  expect(listen('{"cmd":"setWifi","username":"Кафе","password":"p"}')).toEqual({
    cmd: 'setWifi',
    command: null,
    words: { ssid: 'Кафе', password: 'p' },
  })
})
