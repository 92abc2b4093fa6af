import { expect, test } from 'vitest'
import { readConnect } from '../../protocol/cabinet-mqtt/index.ts'
import { seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { deviceCodec, greet } from '../../protocol/cabinet-tcp/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { iccidOf } from '../../protocol/iccid.ts'

const digits = '8944476500001234567'
const letters = '898600B5123456789012'

test.each([
  [digits, digits],
  [`${digits}F`, digits],
  [`${digits}f`, digits],
  [`${digits}FFF`, digits],
  [`${digits}\xff\xff`, digits],
  [`${digits}\0\0`, digits],
  [`${digits}F\r\nOK`, digits],
  [`\r\n${digits}\r\n\r\nOK\r\n`, digits],
  [`${digits} OK`, digits],
  [`+CCID: ${digits}F\r\n\r\nOK`, digits],
  [`AT+CCID\r\r\n+QCCID: "${digits}"\r\n`, digits],
  [`ICCID:${digits}`, digits],
  ['8944 4765 0000 1234 567', digits],
  ['8944-4765-0000-1234-567', digits],
  [` ${digits}\t`, digits],
  [letters, letters],
  [letters.toLowerCase(), letters],
  [`${letters.toLowerCase()}\r\nok`, letters],
  // An F inside is a digit of the number.
  ['8986F0B512345678901F', '8986F0B512345678901'],
  ['123456789', '123456789'],
])('%j is the SIM %s', (said, sim) => {
  expect(iccidOf(said)).toBe(sim)
  expect(iccidOf(sim)).toBe(sim)
})

test.each([
  '',
  ' ',
  'FFFFFFFFFFFFFFFFFFFF',
  '\xff\xff\xff\xff',
  '00000000000000000000',
  'OK',
  '\r\nOK\r\n',
  'ERROR',
  '+CME ERROR: 10',
  'SIM NOT INSERTED',
  '8'.repeat(23),
])('%j is no SIM', (said) => {
  expect(iccidOf(said)).toBeNull()
})

test('another card is another SIM', () => {
  expect(iccidOf('8944476500001234568F')).not.toBe(digits)
})

/** What a TCP cabinet's answer to 0x69 is to us, from the characters its modem printed. */
function answer(dialect: 'A' | 'B', said: string) {
  const codec = greet(deviceCodec(dialect, { key: 'k' }).encode({ kind: 'login', boxId: 'BOX' })).codec({ keys: ['k'] })
  const body = Buffer.from(said, 'latin1')
  const payload = Buffer.concat([Buffer.from([0, body.length + 1]), body, Buffer.from([0])])
  if (dialect === 'A') return codec.decode(seal(0x69, 1, 0x11223344, payload))
  return codec.decode(seal(0x69, 2, tokenOf(payload, Buffer.from('k')), payload))
}

test.each(['A', 'B'] as const)('a TCP-%s cabinet may say what its modem printed', (dialect) => {
  for (const said of [digits, `${digits}F`, `${digits}\xff`, `+CCID: ${digits}f\r\n\r\nOK\r\n`])
    expect(answer(dialect, said)).toEqual({ kind: 'iccid', iccid: digits })
  for (const said of ['', 'FFFF', '\r\nERROR\r\n']) expect(answer(dialect, said)).toEqual({ kind: 'iccid', iccid: '' })
})

test('an MQTT cabinet may name its SIM as its modem printed it, or none', () => {
  const named = (simUUID: string) =>
    readConnect(new URLSearchParams({ uuid: '001010010000017', deviceId: '0', simUUID })).iccid
  for (const said of [digits, `${digits}F`, `${digits}f`, ` ${digits}\r\nOK`, `"${digits}"`])
    expect(named(said)).toBe(digits)
  for (const said of ['', 'FFFFFFFFFFFFFFFFFFFF', '00000000000000000000', 'OK', 'ERROR']) expect(named(said)).toBe('')
  for (const said of ['\0', '8'.repeat(23), '89701/../../x', '9'.repeat(65)])
    expect(() => named(said)).toThrow(MalformedBody)
})
