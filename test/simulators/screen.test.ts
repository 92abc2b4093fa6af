import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { jsonLine } from '../../simulators/cabinet/journal.ts'
import { play } from '../../simulators/cabinet/keyboard.ts'
import { labelOf, render, wireLine } from '../../simulators/cabinet/screen.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { banks, key, pair } from './answering-server.ts'

const running: Cabinet[] = []
afterEach(() => Promise.all(running.splice(0).map((cab) => cab.close())))
const start: typeof pair = (...settings) => {
  const made = pair(...settings)
  running.push(made.cab)
  return made
}

const view = { title: 'BOX', selected: 2, wire: ['one', 'two'], notice: 'hello', faulting: false }

test('the screen shows slots, faults and the wire, and never more rows than there are', async () => {
  const { cab } = start({ faults: ['twice'] })
  await cab.loggedIn
  cab.jam(4)
  for (const rows of [8, 16, 40]) {
    const lines = render({ ...view, cabinet: cab, rows, columns: 80 }).map(stripVTControlCharacters)
    expect(lines).toHaveLength(rows)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120)
  }
  const text = stripVTControlCharacters(render({ ...view, cabinet: cab, rows: 30, columns: 80 }).join('\n'))
  for (const part of ['● online', 'DCHA54000011', '▶  2', 'JAMMED', 'faults: twice', 'two', 'hello'])
    expect(text).toContain(part)
})

test('more slots than rows scroll to the selected one', () => {
  const { cab } = start({ slots: 60 })
  const lines = render({ ...view, cabinet: cab, selected: 60, rows: 16, columns: 60 })
  expect(stripVTControlCharacters(lines.join('\n'))).toContain('▶ 60')
})

test('a label is four letters and eight hex digits, or all hex', () => {
  expect(labelOf('4443484154000015')).toBe('DCHA54000015')
  expect(labelOf('0001020304050607')).toBe('0001020304050607')
})

test('frames are told in words, and a password is not', async () => {
  const { cab, first } = start()
  await cab.loggedIn
  first.tell({ kind: 'set_apn', index: 1, valid: true, operator: '25001', apn: 'a', user: 'u', password: 'hush' })
  await first.next('set_apn')
  const text = cab.journal.entries.map((entry) => wireLine(entry, { dialect: 'B', key })).join('\n')
  expect(text).toContain('→  0x60 login')
  expect(text).toContain('←  0x73 set_apn index=1')
  const json = cab.journal.entries.map(jsonLine)
  const passwords = ['hush', Buffer.from('hush').toString('hex').toUpperCase()]
  for (const password of passwords) expect([text, ...json].join('\n')).not.toContain(password)
  expect(json.map((line) => JSON.parse(line)).find(({ event }) => event === 'said')).toMatchObject({ kind: 'login' })
})

test('keys do what the footer says, and quitting gives the terminal back', async () => {
  const { cab, first } = start()
  await cab.loggedIn
  const raw: boolean[] = []
  const input = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => raw.push(on) })
  const output = Object.assign(new PassThrough(), { columns: 80, rows: 24 })
  let shown = ''
  output.on('data', (chunk) => {
    shown += chunk
  })
  const played = play(cab, 'BOX', () => 'line', { input, output })
  const back = cab.next('returned')
  input.write('2p')
  expect(await first.next('abnormal')).toMatchObject({ slot: 2, bankId: banks[1] })
  input.write('i')
  expect(await back).toMatchObject({ slot: 2, result: 1 })
  input.write('i3jfdh')
  await first.next('heartbeat')
  expect(cab.box.jammed.has(3)).toBe(true)
  expect(cab.faults).toEqual(['twice'])
  input.write('q')
  await played
  expect(raw).toEqual([true, false])
  expect(shown.startsWith('\x1b[?1049h')).toBe(true)
  expect(shown.endsWith('\x1b[?1049l')).toBe(true)
})
