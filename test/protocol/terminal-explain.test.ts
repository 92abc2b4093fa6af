import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { definitions, deviceCodec } from '../../protocol/terminal-iso8583/index.ts'
import { entropy, hexOf, key, otherKey, pair, pan, purchase, sale, signed, terminalCode } from './terminal-stage.ts'

const root = new URL('../..', import.meta.url)

/** The workbench as people run it. */
async function frame(...args: string[]) {
  const child = spawn(process.execPath, ['--import', './engine.js', 'simulators/workbench.ts', ...args], { cwd: root })
  child.stdin.end()
  const closed = new Promise<number | null>((done) => child.once('close', done))
  const [out, code] = await Promise.all([text(child.stdout), closed])
  return { code, answer: JSON.parse(out) }
}

const examples = definitions.flatMap(({ examples, initiator }) =>
  examples.flatMap(({ up, down }) => [
    { hex: up, from: 'device', isAnswer: initiator === 'host' },
    { hex: down, from: 'server', isAnswer: initiator === 'terminal' },
  ]),
)

test.each(examples)('$hex says who said it', ({ hex, from, isAnswer }) => {
  const explained = explain(Buffer.from(hex, 'hex'), { dialect: 'iso8583', key })
  expect(explained).toMatchObject({ command: hex.slice(0, 4), from, tokenOk: true, tpdu: null, dialect: 'iso8583' })
  expect(explained.name.endsWith(' answer')).toBe(isAnswer)
  expect(() =>
    explain(Buffer.from(hex, 'hex'), { dialect: 'iso8583', from: from === 'device' ? 'server' : 'device' }),
  ).toThrow(MalformedBody)
})

test('a card is masked and other secrets are only counted, in words and in fields', () => {
  const said = { ...sale, 34: pan, 35: `${pan}D2912`, 45: `B${pan}^NAME`, 52: '0123456789ABCDEF', 55: `5A08${pan}` }
  const explained = explain(signed(0x0200, said), { dialect: 'iso8583', key: otherKey })
  expect(explained).toMatchObject({
    tokenOk: false,
    body: { pan: '424242******4242', track2: '424242******4242D****' },
  })
  for (const secret of [pan, '2912,', 'NAME', 'CDEF']) expect(JSON.stringify(explained)).not.toContain(secret)
})

test('a frame is found without a hint, with a TPDU by its dialect, and what is left of a stream is told', async () => {
  const plain = deviceCodec({ terminalCode, key }).encode(purchase())
  expect(explain(plain)).toMatchObject({ command: '0200', dialect: 'iso8583', tokenOk: null, checksumOk: null })
  const routed = deviceCodec({ terminalCode, key, tpdu: Buffer.from('6000010002', 'hex') }).encode(purchase())
  const two = hexOf(Buffer.concat([routed, plain, plain.subarray(0, 9)]))
  const { code, answer } = await frame('decode', two, '--dialect', 'iso8583', '--key', key)
  expect(code).toBe(0)
  expect(answer).toMatchObject({ ok: true, rest: hexOf(plain.subarray(0, 9)) })
  expect(answer.frames).toMatchObject([
    { command: '0200', tpdu: '6000010002', token_ok: true, checksum_ok: null },
    { command: '0200', tpdu: null, body: { stan: '000002', amountMinor: '000000015000' } },
  ])
  expect(answer.frames[0].fields[0]).toEqual({ number: 3, name: 'Processing code', format: 'n 6', value: '000000' })
})

test('an unsigned A0 and a value out of its format are shown, half a message is not', () => {
  const { codec } = pair()
  let answer: Buffer | undefined
  try {
    codec.decode(deviceCodec({ terminalCode, key: otherKey }).encode(purchase()))
  } catch (error) {
    answer = (error as MalformedBody).answer
  }
  expect(explain(answer!, { key })).toMatchObject({ command: '0210', tokenOk: false, body: { code: 'A0' } })
  const odd = Buffer.from(signed(0x0200, sale))
  // The first digit of the amount.
  odd[22] = 0xf0
  const fields = explain(odd, { dialect: 'iso8583' }).fields as { number: number; value: string }[]
  expect(fields.find(({ number }) => number === 4)?.value).toBe('0xF00000015000')
  expect(() => explain(odd.subarray(0, -1), { dialect: 'iso8583' })).toThrow(MalformedBody)
})

test('what is encoded decodes to the same', async () => {
  const said = await frame('encode', '{"kind":"ping","stan":"000005"}', '--dialect', 'iso8583', '--key', key)
  expect(said.answer.ok).toBe(true)
  expect(explain(Buffer.from(said.answer.hex, 'hex'), { key })).toMatchObject({
    from: 'server',
    tokenOk: true,
    body: { type: 'ping' },
  })
  const heard = await frame(
    'encode',
    JSON.stringify({ ...purchase(), terminalCode }),
    '--dialect',
    'iso8583',
    '--from',
    'device',
    '--key',
    key,
  )
  expect(heard.answer.hex).toBe(hexOf(deviceCodec({ terminalCode, key }).encode(purchase())))
  expect(pair().codec.answer(Buffer.from(heard.answer.hex, 'hex'), { kind: 'accepted' }, entropy)).not.toBeNull()
})
