import { expect, test } from 'vitest'
import { bytesOf, isOpenArray } from '../../simulators/hex.ts'

const beat = '000761010011223344'
const hexOf = (text: string) => bytesOf(text).toString('hex').toUpperCase()

test.each([
  '000761010011223344',
  '00 07 61 01 00 11 22 33 44',
  '00:07:61:01:00:11:22:33:44',
  '00-07-61-01-00-11-22-33-44',
  '00,07,61,01,00,11,22,33,44',
  '0x00 0x07 0x61 0x01 0x00 0x11 0x22 0x33 0x44',
  '0x0,0x7,0x61,0x1,0x0,0x11,0x22,0x33,0x44',
  '0x000761010011223344',
  '0X00; 0X07; 0X61; 0X01; 0X00; 0X11; 0X22; 0X33; 0X44;',
  '"\\x00\\x07\\x61\\x01\\x00\\x11\\x22\\x33\\x44"',
  'CSBOX:"00 07 61 01 00 11 22 33 44"',
  '{0x00,0x07,0x61,0x01,0x00,0x11,0x22,0x33,0x44}',
  '{ 0, 7, 97, 1, 0, 17, 34, 51, 68 }',
  'const uint8_t frame[9] = { 0x00, 0x7, 0x61, /* vsn */ 1, 0, 17, 0x22, 0x33, 0x44, };',
  'unsigned char f[] = {\n  0x00, 0x07, 0x61, // heartbeat\n  0x01, 0x00, 0x11, 0x22, 0x33, 0x44\n};',
])('%j is one heartbeat', (text) => {
  expect(hexOf(text)).toBe(beat)
})

test('JSON stays JSON, whatever its bytes would be', () => {
  expect(bytesOf(' {"cmd":"check"}\n').toString()).toBe('{"cmd":"check"}')
})

test.each(['xyz', '000', '{ 0x00, 256 }', '{ 0x100 }', '{ 07 }', '{ a }'])('%j is refused, never guessed', (text) => {
  expect(() => bytesOf(text)).toThrow(RangeError)
})

test('what is no hex is shown, and where it stands', () => {
  expect(() => bytesOf('00 02…00')).toThrow('not hex: "…00" behind 4 digits')
  expect(() => bytesOf('000')).toThrow('not hex: 3 digits, an odd number')
})

test('a C array may go on over lines, a JSON text does not', () => {
  expect(isOpenArray('uint8_t f[] = {')).toBe(true)
  expect(isOpenArray('uint8_t f[] = {\n 0x00 };')).toBe(false)
  expect(isOpenArray('{"cmd":')).toBe(false)
  expect(isOpenArray('00 07')).toBe(false)
})
