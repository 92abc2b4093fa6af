import { expect, test } from 'vitest'
import { iccidNumber, isLuhn, phoneOf } from '../../../api/telecom/fields.ts'
import { iccidOf } from '../../../protocol/iccid.ts'

test.each([
  ['+996550123456', '+996550123456'],
  ['0550 12-34-56', '+996550123456'],
  ['996550123456', '+996550123456'],
  ['550123456', '+996550123456'],
  ['+996 (550) 12 34 56', '+996550123456'],
  ['\u200e+996\u00a0550\u2011123\u2011456', '+996550123456'],
  ['+9965501234５６', '+996550123456'],
  ['+7 900 123-45-67', '+79001234567'],
  ['+7 495 123 45 67', '+74951234567'],
  ['+77001234567', '+77001234567'],
  ['+14155552671', '+14155552671'],
])('%s is the phone %s', (text, phone) => expect(phoneOf(text)).toBe(phone))

test.each(['8 900 123-45-67', '8 495 123 45 67', '89001234567'])('%s is a phone of Russia, to who is there', (text) => {
  expect(phoneOf(text, 'RU')).toMatch(/^\+7(900|495)1234567$/)
  // From Kyrgyzstan it is none: the library takes it for eleven digits after +996.
  expect(phoneOf(text)).toBeNull()
})

// Where the library's own judgement would err, one way or the other.
test('ten digits after +996 are no phone, though the library takes them for possible', () => {
  expect(phoneOf('+9965501234567')).toBeNull()
})
test.each(['+996111222333', '+996000000001', '+70001234567'])(
  '%s is of a range that the library does not know',
  (phone) => {
    expect(phoneOf(phone)).toBe(phone)
  },
)
test.each(['', '+', 'abc', '+996550123456 доб. 5', 'тел +996550123456', '+99655012345', '+1', '1'.repeat(40)])(
  '%s is no phone',
  (text) => expect(phoneOf(text)).toBeNull(),
)

test.each(['8999601234567890123', '89996 0123 4567 8901 23', '8999601234567890123F'])('%s is one SIM card', (text) => {
  expect(iccidNumber(text, { isStrict: false })).toBe('8999601234567890123')
  expect(iccidOf(text)).toBe('8999601234567890123')
})
test.each(['0'.repeat(19), '899960123456789012', '899960123456789012345', '8999601234567890A23', ''])(
  '%s is no SIM card',
  (text) => expect(iccidNumber(text, { isStrict: false })).toBeNull(),
)
test('strictly the last digit counts, and so do the first two', () => {
  // The document's own example does not fit.
  expect(iccidNumber('8999601234567890123', { isStrict: true })).toBeNull()
  const right = [...'0123456789'].map((digit) => `899960123456789012${digit}`).filter(isLuhn)
  expect(right).toHaveLength(1)
  expect(iccidNumber(right[0]!, { isStrict: true })).toBe(right[0])
  expect(isLuhn('79927398713')).toBe(true)
})
