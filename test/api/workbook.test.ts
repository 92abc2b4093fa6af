import { expect, test } from 'vitest'
import * as workbook from '../../api/workbook.ts'
import { bookParts, sheetXml, xlsx, zip } from './file.ts'

const rowsMax = 100
const sheet = 'Пользователи'
const read = (bytes: Uint8Array) => workbook.read(bytes, sheet, rowsMax)
const cells = async (bytes: Uint8Array) => (await read(bytes)).map((row) => row.cells)
const fault = (bytes: Uint8Array) =>
  read(bytes).then(
    () => 'none',
    (error: workbook.WorkbookError) => error.fault,
  )
const cell = (text: string) => `<c t="inlineStr"><is><t>${text}</t></is></c>`
const megabyte = 1_048_576

test('what was written is read, row by row, with the numbers a spreadsheet shows', async () => {
  const rows = [
    ['ФИО', 'email'],
    ['Иван <Иванов> & "Ко"', 'ivan@example.com'],
    ['', ''],
    ['Пётр Петров', ''],
  ]
  expect(await read(await xlsx(rows))).toEqual([
    { row: 1, cells: rows[0] },
    { row: 2, cells: rows[1] },
    { row: 4, cells: rows[3] },
  ])
})

test('the sheet of that name is read, wherever it stands, and without one the first', async () => {
  const two = await workbook.write([
    { name: 'Заметки', rows: [['не то']] },
    { name: sheet, rows: [['то']] },
  ])
  expect(await cells(two)).toEqual([['то']])
  expect(await cells(await xlsx([['первый']], 'Лист1'))).toEqual([['первый']])
})

test('numbers, dates, formulas and rich texts are read as the texts they show', async () => {
  const xml = sheetXml(
    `<row r="3"><c r="A3"><v>79001234567</v></c><c r="B3"><f>1+1</f><v>2</v></c><c r="C3" t="b"><v>1</v></c>` +
      `<c r="E3" t="inlineStr"><is><r><t>Иван </t></r><r><t>Иванов</t></r></is></c></row>`,
  )
  expect(await read(zip(bookParts(xml)))).toEqual([{ row: 3, cells: ['79001234567', '2', 'true', '', 'Иван Иванов'] }])
})

test('a text that a spreadsheet could run is written so that it cannot', async () => {
  const written = await xlsx([['=cmd()', '+1', '-1', '@sum', '\tx', 'a=b']])
  expect(await cells(written)).toEqual([["'=cmd()", "'+1", "'-1", "'@sum", "'\tx", 'a=b']])
})

const people = 'ФИО;email\r\nИван Иванов;ivan@example.com\r\n'
const table = [
  ['ФИО', 'email'],
  ['Иван Иванов', 'ivan@example.com'],
]
const cyrillic = (text: string) =>
  // А–я of windows-1251 lie 0x350 below Unicode's.
  Buffer.from([...text].map((sign) => (sign >= 'А' ? sign.charCodeAt(0) - 0x350 : sign.charCodeAt(0))))

test.each([
  ['UTF-8', Buffer.from(people)],
  ['UTF-8 with a mark', Buffer.from(`\uFEFF${people}`)],
  ['windows-1251', cyrillic(people)],
  ['UTF-16', Buffer.from(`\uFEFF${people}`, 'utf16le')],
  ['commas and lone line feeds', Buffer.from(people.replaceAll(';', ',').replaceAll('\r', ''))],
  ['tabs', Buffer.from(people.replaceAll(';', '\t'))],
])('a CSV file is read: %s', async (_, bytes) => {
  expect(await cells(bytes)).toEqual(table)
})

test('quoted fields of a CSV file may hold marks, quotes and line ends', async () => {
  const rows = await cells(Buffer.from('ФИО,email\n"Иванов, ""Ваня""",a@b.ru\n"Пётр\nПетров",c@d.ru\n'))
  expect(rows.slice(1)).toEqual([
    ['Иванов, "Ваня"', 'a@b.ru'],
    ['Пётр\nПетров', 'c@d.ru'],
  ])
})

test('more rows than allowed are refused, as many are not; empty ones count for nothing', async () => {
  const rows = Array.from({ length: rowsMax + 1 }, (_, n) => [`row ${n}`])
  expect(await read(await xlsx(rows))).toHaveLength(rowsMax + 1)
  expect(await fault(await xlsx([...rows, ['one more']]))).toBe('too_many_rows')
  expect(await fault(Buffer.from(`${rows.join('\n')}\none more`))).toBe('too_many_rows')
  expect(await read(Buffer.from(`a;b\n${';\n'.repeat(5_000)}x;y`))).toHaveLength(2)
  expect(await fault(Buffer.from('a\n'.repeat(100_002)))).toBe('too_many_rows')
  expect(await fault(zip(bookParts(sheetXml('<row/>'.repeat(100_001)))))).toBe('too_many_rows')
})

test.each<[workbook.WorkbookFault, string, Uint8Array]>([
  ['empty', 'nothing', Buffer.alloc(0)],
  ['empty', 'blanks', Buffer.from(' \n;;\n')],
  ['unknown_format', 'a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13])],
  ['unknown_format', 'a PDF', Buffer.from('%PDF-1.7\n%\u0001\u0002\u0003')],
  ['old_format', 'an .xls', Buffer.from('d0cf11e0a1b11ae10000', 'hex')],
  ['unreadable', 'half a zip', Buffer.from('504b0304140000000800', 'hex')],
  ['empty', 'a zip that is no workbook', zip([{ name: 'a.txt', data: Buffer.from('hello') }])],
])('refused as %s: %s', async (expected, _, bytes) => {
  const found = await fault(bytes)
  expect(found === expected || (expected === 'empty' && found === 'unreadable')).toBe(true)
})

test('every beginning of a workbook is refused, and nothing but a refusal comes of any byte turned', async () => {
  const whole = Buffer.from(await xlsx(table))
  for (const share of [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
    expect(await fault(whole.subarray(0, Math.floor(whole.length * share)))).toBe('unreadable')
  for (let n = 0; n < 12; n++) {
    const turned = Buffer.from(whole)
    const at = Math.floor((n * whole.length) / 12)
    turned[at] = turned[at]! ^ 0xff
    expect(['none', 'unreadable', 'empty', 'too_heavy', 'unknown_format']).toContain(await fault(turned))
  }
})

test('a part that unpacks to more than it says is refused before it is unpacked', async () => {
  const parts = bookParts(sheetXml(`<row>${cell('x'.repeat(2 * megabyte))}</row>`))
  const lying = parts.map((part) => (part.name.includes('sheet1') ? { ...part, declaredBytes: 1_000 } : part))
  expect(await fault(zip(lying))).toBe('too_heavy')
})

test('a bomb is refused by what it declares, and by what it is', async () => {
  const zeros = Buffer.alloc(70 * megabyte, 0x20)
  expect(await fault(zip([{ name: 'a', data: zeros }]))).toBe('too_heavy')
  const tenMegabytes = Buffer.alloc(10 * megabyte, 0x20)
  expect(await fault(zip([{ name: 'a', data: tenMegabytes }]))).toBe('too_heavy')
  expect(await fault(zip([{ name: 'a', data: Buffer.from('x'), declaredBytes: 0xffffffff }]))).toBe('too_heavy')
  const many = Array.from({ length: 501 }, (_, n) => ({ name: `${n}`, data: Buffer.from('x') }))
  expect(await fault(zip(many))).toBe('too_heavy')
})

test('tricks that readers differ about are refused', async () => {
  const part = { name: 'a', data: Buffer.from('x') }
  expect(await fault(zip([part, part]))).toBe('unreadable')
  expect(await fault(zip([{ ...part, flags: 1 }]))).toBe('unreadable')
  expect(await fault(zip([{ ...part, declaredBytes: 2 }]))).toBe('unreadable')
})

test('entities of XML grow into nothing', async () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "${'x'.repeat(50)}">${['b', 'c', 'd', 'e', 'f', 'g']
    .map((name, n) => `<!ENTITY ${name} "${`&${'abcdef'[n]};`.repeat(20)}">`)
    .join('')}]>`
  const rows = await read(zip(bookParts(sheetXml(`<row>${cell('&g;')}</row>`, bomb)))).catch(() => [])
  expect(JSON.stringify(rows).length).toBeLessThan(200)
})

test('a sheet that is small on disk and endless in memory ends its thread, not the house', async () => {
  // Every row claims the last column a sheet can have.
  const wide = Array.from({ length: 90_000 }, (_, n) => `<row><c r="XFD${n + 1}"><v>1</v></c></row>`).join('')
  expect(await fault(zip(bookParts(sheetXml(wide))))).toBe('too_heavy')
  expect(await cells(Buffer.from(people))).toEqual(table)
})

test('who comes when too many are being read is told so, and the others are served', async () => {
  const bytes = Buffer.from(people)
  const found = await Promise.all(Array.from({ length: 12 }, () => fault(bytes)))
  expect(found.filter((one) => one === 'none')).toHaveLength(8)
  expect(found.filter((one) => one === 'busy')).toHaveLength(4)
})
