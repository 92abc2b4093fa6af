import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { parseCsv } from 'hucre/csv'
import { type DataValidation, streamXlsxRows, type WriteSheet, writeXlsx } from 'hucre/xlsx'
import type { ColumnCheck, SheetPlan, TableRow, WorkbookFault } from './workbook.ts'
import { assertModest, BadZipError } from './zip.ts'

/** What the thread is told. */
export type Task =
  | { kind: 'read'; bytes: Uint8Array; sheetName: string; rowsMax: number }
  | { kind: 'write'; sheets: SheetPlan[] }
/** What it answers, once. */
export type Reply =
  | { kind: 'rows'; rows: TableRow[] }
  | { kind: 'file'; bytes: Uint8Array<ArrayBuffer> }
  | { kind: 'fault'; fault: WorkbookFault; detail: string }

const columnsMax = 50
/** A row is as dear as its last column is far, empty or not; nobody's table is so wide. */
const reachColumnsMax = 1_000
/** One more than any of our fields takes: a longer text is seen to be too long, and no more of it is handed on. */
const cellCharactersMax = 1_000
/** Rows that hold nothing cost time too; a sheet may have a million of them. */
const rowsScannedMax = 100_000
const checkedRows = 10_001

const zipMagic = [0x50, 0x4b, 0x03, 0x04]
const oldMagic = [0xd0, 0xcf, 0x11, 0xe0]
const startsWith = (bytes: Uint8Array, magic: number[]) => magic.every((byte, at) => bytes[at] === byte)

/** A refusal on its way to the other thread. */
class FaultError extends Error {
  readonly fault: WorkbookFault
  constructor(fault: WorkbookFault, detail = '') {
    super(detail)
    this.name = 'FaultError'
    this.fault = fault
  }
}

type Cell = string | number | boolean | Date | null | undefined | { toString(): string }

const textOf = (cell: Cell): string => {
  if (cell === null || cell === undefined) return ''
  const text = cell instanceof Date ? cell.toISOString() : String(cell)
  return text.slice(0, cellCharactersMax).trim()
}

/** Keeps the rows that hold something, and counts them. */
function collector(rowsMax: number) {
  const rows: TableRow[] = []
  let scanned = 0
  return {
    rows,
    take(row: number, values: readonly Cell[]) {
      if (++scanned > rowsScannedMax) throw new FaultError('too_many_rows', `more than ${rowsScannedMax} rows scanned`)
      if (values.length > reachColumnsMax) throw new FaultError('too_heavy', `${values.length} columns`)
      const cells = values.slice(0, columnsMax).map(textOf)
      if (cells.every((cell) => cell === '')) return
      // The head is no row of data.
      if (rows.length > rowsMax) throw new FaultError('too_many_rows', `more than ${rowsMax} rows`)
      rows.push({ row, cells })
    },
  }
}

async function readXlsx(bytes: Uint8Array, sheetName: string, rowsMax: number): Promise<TableRow[]> {
  assertModest(bytes)
  for (const sheet of [sheetName, 0]) {
    const { rows, take } = collector(rowsMax)
    for await (const { index, values } of streamXlsxRows(bytes, { sheet })) take(index + 1, values)
    if (rows.length > 0) return rows
  }
  return []
}

/** UTF-8, or what Excel writes where it is not told: UTF-16 for "Unicode text", else windows-1251. */
function decode(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1251').decode(bytes)
  }
}

/** The one that the first line has most of. */
function delimiterOf(text: string): string {
  const head = text.slice(0, text.search(/[\r\n]|$/))
  const count = (mark: string) => head.split(mark).length
  return [';', ',', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best))
}

function readCsv(bytes: Uint8Array, rowsMax: number): TableRow[] {
  const text = decode(bytes)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells a binary file from a text.
  if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) throw new FaultError('unknown_format')
  const { rows, take } = collector(rowsMax)
  const options = { delimiter: delimiterOf(text), maxRows: rowsScannedMax + 1 }
  for (const [index, values] of parseCsv(text, options).entries()) take(index + 1, values)
  return rows
}

async function read({ bytes, sheetName, rowsMax }: Extract<Task, { kind: 'read' }>): Promise<Reply> {
  if (startsWith(bytes, oldMagic)) throw new FaultError('old_format')
  const isZip = startsWith(bytes, zipMagic)
  const rows = isZip ? await readXlsx(bytes, sheetName, rowsMax) : readCsv(bytes, rowsMax)
  if (rows.length === 0) throw new FaultError('empty')
  return { kind: 'rows', rows }
}

function validation({ column, rule, title, text }: ColumnCheck): DataValidation {
  const asked = { showInputMessage: true, inputTitle: title, inputMessage: text }
  const refused = { showErrorMessage: true, errorTitle: title, errorMessage: text }
  const about = { range: `${column}2:${column}${checkedRows}`, allowBlank: true, ...asked, ...refused }
  if ('choices' in rule) return { ...about, type: 'list', values: rule.choices }
  if ('range' in rule) return { ...about, type: 'list', formula1: rule.range }
  return { ...about, type: 'custom', formula1: rule.formula }
}

const formulaStart = /^[=+\-@\t\r]/
const harmless = (text: string) => (formulaStart.test(text) ? `'${text}` : text)
const bold = { style: { font: { bold: true } } }

const sheetOf = ({ name, isHidden = false, rows, widths = [], checks = [] }: SheetPlan): WriteSheet => ({
  name,
  rows: rows.map((row) => row.map(harmless)),
  cells: new Map(rows[0]!.map((_, column) => [`0,${column}`, bold])),
  hidden: isHidden,
  columns: widths.map((width) => ({ width })),
  freezePane: { rows: 1 },
  dataValidations: checks.map(validation),
})

async function answer(task: Task): Promise<Reply> {
  if (task.kind === 'read') return await read(task)
  const file = await writeXlsx({ sheets: task.sheets.map(sheetOf) })
  // Its own buffer, whatever the writer built it in.
  return { kind: 'file', bytes: new Uint8Array(file) }
}

/** What reading threw, as an answer: whatever a reader stumbles over, it is the file. The detail is for the log. */
function faultOf(error: unknown): Reply {
  if (error instanceof FaultError) return { kind: 'fault', fault: error.fault, detail: error.message }
  if (error instanceof BadZipError)
    return { kind: 'fault', fault: error.isTooBig ? 'too_heavy' : 'unreadable', detail: error.message }
  return { kind: 'fault', fault: 'unreadable', detail: String(error) }
}

if (!isMainThread) {
  const task = workerData as Task
  parentPort!.postMessage(await answer(task).catch(task.kind === 'read' ? faultOf : Promise.reject.bind(Promise)))
}
