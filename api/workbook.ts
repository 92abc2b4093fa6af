import { Worker } from 'node:worker_threads'
import type { Reply, Task } from './workbook-worker.ts'

/** Why a file is no table we can read. Surfaces give each its words. */
export type WorkbookFault =
  /** Neither a zip nor text. */
  | 'unknown_format'
  /** .xls, or a workbook behind a password: the same container. */
  | 'old_format'
  | 'unreadable'
  /** Unpacks to too much, or needs too much memory or time. */
  | 'too_heavy'
  | 'too_many_rows'
  | 'empty'
  /** Too many others are being read at this moment. */
  | 'busy'

/** A file that is not read, and why. */
export class WorkbookError extends Error {
  readonly fault: WorkbookFault
  constructor(fault: WorkbookFault, detail = '') {
    super(detail || fault)
    this.name = 'WorkbookError'
    this.fault = fault
  }
}

/** A row that holds something; `row` is the number that a spreadsheet shows. */
export interface TableRow {
  row: number
  /** Trimmed texts, from the first column on. */
  cells: string[]
}

/**
 * A sheet to be written: texts only, the first row is the head. A text that a spreadsheet would take for a formula, now
 * or after a detour through CSV, gets a `'` in front.
 */
export interface SheetPlan {
  name: string
  isHidden?: boolean
  rows: string[][]
  /** Characters, by column. */
  widths?: number[]
  checks?: ColumnCheck[]
}

/** What a spreadsheet holds its user to, in the cells below the head of a column. */
export interface ColumnCheck {
  /** `A`, `B` … */
  column: string
  /** A list of values, a list that stands in a range (`Списки!$A$1:$A$9`), or a formula that must be true of row 2. */
  rule: { choices: string[] } | { range: string } | { formula: string }
  title: string
  text: string
}

const deadlineMs = 20_000
/** Of JavaScript values. What is unpacked lies outside and is limited by zip.ts. */
const heapMegabytesMax = 384
const runningMax = 2
const waitingMax = 6

let running = 0
const waiting: (() => void)[] = []

/**
 * The rows of an .xlsx workbook (of its sheet `sheetName`, else of its first) or of a .csv file, at most `rowsMax`
 * besides the head. Read in a thread of its own, within limits of memory and time.
 * @throws WorkbookError
 */
export async function read(bytes: Uint8Array, sheetName: string, rowsMax: number): Promise<TableRow[]> {
  const reply = await inThread({ kind: 'read', bytes, sheetName, rowsMax })
  if (reply.kind !== 'rows') throw new Error('the thread gave no rows')
  return reply.rows
}

/** These sheets as an .xlsx workbook. */
export async function write(sheets: SheetPlan[]): Promise<Uint8Array<ArrayBuffer>> {
  const reply = await inThread({ kind: 'write', sheets })
  if (reply.kind !== 'file') throw new Error('the thread gave no file')
  return reply.bytes
}

/** One thread a task, two at once. */
async function inThread(task: Task): Promise<Reply> {
  if (running >= runningMax) {
    if (waiting.length >= waitingMax) throw new WorkbookError('busy')
    // Whoever finishes passes its place on, so `running` stays as it is.
    await new Promise<void>((go) => waiting.push(go))
  } else running++
  try {
    return await run(task)
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

function run(task: Task): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const worker = new Worker(new URL('./workbook-worker.ts', import.meta.url), {
    workerData: task,
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
  })
  const deadline = setTimeout(() => reject(new WorkbookError('too_heavy', 'took too long')), deadlineMs)
  worker.once('message', (reply: Reply) =>
    reply.kind === 'fault' ? reject(new WorkbookError(reply.fault, reply.detail)) : resolve(reply),
  )
  worker.once('error', (error: Error & { code?: string }) =>
    reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? new WorkbookError('too_heavy', 'took too much memory') : error),
  )
  worker.once('exit', () => reject(new Error('the thread ended without a word')))
  return promise.finally(() => {
    clearTimeout(deadline)
    void worker.terminate()
  })
}
