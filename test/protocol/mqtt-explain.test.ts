import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { commands, frames } from './mqtt-vectors.ts'

const root = new URL('../..', import.meta.url)

/** The workbench as people run it. */
async function frame(args: string[], input = '') {
  const child = spawn(process.execPath, ['--import', './engine.js', 'simulators/workbench.ts', ...args], { cwd: root })
  child.stdin.end(input)
  const closed = new Promise<number | null>((done) => child.once('close', done))
  const [out, code] = await Promise.all([text(child.stdout), closed])
  return { code, answers: out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : [])) }
}

const beat = 'A800117A104353513A32373B42503A30FC'

test('a frame is read with its dialect named or not, and its faults are told', async () => {
  const lines = [
    ...frames.map(({ hex }) => hex),
    ...commands.map(({ hex }) => hex),
    ...commands.map(({ text }) => text!),
  ]
  for (const args of [[], ['--dialect', 'mqtt']]) {
    const { code, answers } = await frame(['decode', '-', ...args], `${lines.join('\n')}\n`)
    expect(code).toBe(0)
    expect(answers).toHaveLength(lines.length)
    answers.forEach(({ ok, frames: [explained], rest }, at) => {
      const vector = [...frames, ...commands, ...commands][at]!
      expect([ok, rest, explained.command], vector.name).toEqual([true, '', vector.command])
      expect(explained.checksum_ok).toBe(vector.verify.checksum_ok ?? null)
    })
  }
})

test('one frame is explained as the front door promises', async () => {
  const { answers } = await frame(['decode', 'A8000E40010500051149F1010D642A', '--dialect', 'mqtt'])
  expect(answers).toEqual([
    {
      ok: true,
      frames: [
        {
          command: '0x40',
          name: 'return',
          dialect: 'mqtt',
          from: 'device',
          checksum_ok: false,
          token_ok: null,
          warnings: ['the length field says 14 where there are 15 bytes', 'the check byte is 0x2A where 0x42 is right'],
          body: { board: 1, hole: 5, area: 0, sn: 85019121, state: 'returned', software: 13, levelPercent: 100 },
        },
      ],
      rest: '',
    },
  ])
})

test('what no cabinet says is an error, and the exit says so', async () => {
  const { code, answers } = await frame(
    ['decode', '-', '--dialect', 'mqtt'],
    '00086501031122334403\n{"cmd":"dance"}\nA8\n',
  )
  expect(answers.map(({ ok }) => ok)).toEqual([false, false, false])
  expect(code).toBe(1)
})

test('hints are kept to, and an echo has two readings', () => {
  const bytes = Buffer.from(beat, 'hex')
  expect(explain(bytes)).toMatchObject({ from: 'device', also: [{ dialect: 'mqtt', from: 'server' }] })
  expect(explain(bytes, { from: 'server' })).toMatchObject({ from: 'server', also: [] })
  expect(() => explain(Buffer.from(frames[0]!.hex, 'hex'), { from: 'server' })).toThrow(MalformedBody)
  expect(() => explain(Buffer.from('{"cmd":"check"}'), { from: 'device' })).toThrow(MalformedBody)
  expect(() => explain(bytes, { dialect: 'A' })).toThrow(MalformedBody)
})

test('what is encoded decodes to the same', async () => {
  const words = '{"kind":"eject","slot":3,"bankId":"026ED580"}\n{"kind":"iccid"}\n'
  const made = await frame(['encode', '-', '--dialect', 'mqtt'], words)
  expect(made.answers.map(({ ok }) => ok)).toEqual([true, false])
  const { answers } = await frame(['decode', made.answers[0].hex])
  expect(answers[0].frames[0]).toMatchObject({ command: 'popup_sn', from: 'server', body: { sn: 40818048 } })
})
