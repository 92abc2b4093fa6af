import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { seal } from '../../protocol/cabinet-tcp/frame.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { frames, negatives, streams } from './vectors.ts'

const root = new URL('../..', import.meta.url)

/** The workbench as people run it. */
async function frame(args: string[], input = '') {
  const child = spawn(process.execPath, ['--import', './engine.js', 'simulators/workbench.ts', ...args], { cwd: root })
  child.stdin.end(input)
  const closed = new Promise<number | null>((done) => child.once('close', done))
  const [out, code] = await Promise.all([text(child.stdout), closed])
  const lines = out.split('\n').filter((line) => line.startsWith('{'))
  return { code, out, answers: lines.map((line) => JSON.parse(line)) }
}

test('without any hint every public frame is read in its own dialect and direction', () => {
  for (const { name, hex, dialect, direction, command } of frames) {
    const explained = explain(Buffer.from(hex, 'hex'))
    const truth = { dialect, from: direction === 'device->server' ? 'device' : 'server' }
    expect(explained.command, name).toBe(command)
    // A heartbeat and its answer are the same bytes: the other reading is named beside.
    if (command === '0x61') expect([explained, ...explained.also], name).toContainEqual(expect.objectContaining(truth))
    else expect(explained, name).toMatchObject(truth)
  }
})

test('a token is judged only with a key, and only where it means something', () => {
  const empty = (token: number) => seal(0x61, 2, token, [])
  expect(explain(empty(0xb15313ba), { dialect: 'B' }).tokenOk).toBeNull()
  expect(explain(empty(0xb15313ba), { dialect: 'B', key: 'EXAMPLEKEY' }).tokenOk).toBe(true)
  expect(explain(empty(0xb15313bb), { dialect: 'B', key: 'EXAMPLEKEY' }).tokenOk).toBe(false)
  expect(explain(empty(0xb15313ba), { dialect: 'A', key: 'EXAMPLEKEY' }).tokenOk).toBeNull()
  expect(explain(seal(0x65, 1, 0x3a7c4769, [3]), { key: 'EXAMPLEKEY' })).toMatchObject({ dialect: 'B', tokenOk: true })
})

test('hints are kept to', () => {
  const request = Buffer.from('000865018A1122334403', 'hex')
  expect(explain(request, { dialect: 'B' })).toMatchObject({ dialect: 'B', from: 'server', body: { slot: 3 } })
  expect(() => explain(request, { from: 'device' })).toThrow(MalformedBody)
})

test('the workbench answers every line of a stream, and its exit says whether all were read', async () => {
  const good = [...frames, ...streams]
  const lines = good.map(({ hex }) => `${hex}\n`).join('')
  const { code, answers } = await frame(['decode', '-'], lines)
  expect(answers).toHaveLength(good.length)
  answers.forEach((answer, at) => {
    const vector = good[at]!
    expect(answer, vector.name).toMatchObject({ ok: true, rest: '' })
    expect(answer.frames).toHaveLength(vector.decoded.frameHex?.length ?? 1)
    if (vector.kind === 'frame') expect(answer.frames[0].checksum_ok).toBe(vector.verify.checksum_ok)
  })
  expect(code).toBe(0)

  const bad = await frame(['decode', '-'], `${negatives.map(({ hex }) => hex).join('\n')}\nxyz\n000761010011223344\n`)
  expect(bad.answers.map(({ ok }) => ok)).toEqual([...negatives.map(() => false), false, true])
  expect(bad.code).toBe(1)
})

test('one frame is explained as the front door promises', async () => {
  const { code, answers } = await frame([
    'decode',
    '00186602A74AFF215F01444348415400001564102200001BC064',
    '--key',
    'K',
  ])
  expect(answers[0]).toMatchObject({
    ok: true,
    frames: [
      { command: '0x66', dialect: 'B', from: 'device', vsn: 2, token: '4AFF215F', checksum_ok: true, token_ok: false },
    ],
    rest: '',
  })
  expect(answers[0].frames[0].body).toMatchObject({
    slot: 1,
    bankId: '4443484154000015',
    levelPercent: 100,
    celsius: 27,
  })
  expect(code).toBe(0)
})

test('what precedes a broken place is still explained', async () => {
  const { code, answers } = await frame(['decode', '0007610100112233446B6A67680D0A'])
  expect(answers[0]).toMatchObject({ ok: false, frames: [{ command: '0x61' }] })
  expect(code).toBe(1)
})

test('what is encoded decodes to the same', async () => {
  const made = await frame(
    ['encode', '-', '--key', 'EXAMPLEKEY'],
    '{"kind":"eject","slot":3}\n{"kind":"eject"}\nnull\n{"kind":"eject","slot":300}\n',
  )
  expect(made.answers.map(({ ok, error, line }) => [ok, error, line])).toEqual([
    [true, undefined, undefined],
    [false, 'eject: slot is missing', 2],
    [false, 'not a JSON object', 3],
    [false, 'slot: 300 is no u8', 4],
  ])
  const { answers } = await frame(['decode', made.answers[0].hex, '--key', 'EXAMPLEKEY'])
  expect(answers[0].frames[0]).toMatchObject({ name: 'borrow', from: 'server', token_ok: true, body: { slot: 3 } })
})

test('a serial console line is read as it is printed', async () => {
  const { answers } = await frame(['decode', 'CSBOX:"00 07 61 01 00 11 22 33 44"'])
  expect(answers[0]).toMatchObject({ ok: true, frames: [{ command: '0x61' }] })
})

test('a frame is taken as it was pasted: in words without quotes, and as a C array over lines', async () => {
  const unquoted = await frame(['decode', '00', '07', '61,01', '--dialect', 'A', '0x00', '11:22', '33-44'])
  expect(unquoted.answers).toMatchObject([{ ok: true, frames: [{ command: '0x61', dialect: 'A' }] }])
  const array = 'unsigned char f[] = {\n  0x00, 0x07, 0x61, // heartbeat\n  1, 0, 0x11, 0x22, 0x33, 0x44\n};\n'
  const lines = await frame(['decode', '-'], `${array}000761010011223344\n{"cmd":"check"}\nf[] = { 0x00\n`)
  expect(lines.answers.map(({ frames: [first] }) => first?.command)).toEqual(['0x61', '0x61', 'check', undefined])
  expect(lines.code).toBe(1)
})
