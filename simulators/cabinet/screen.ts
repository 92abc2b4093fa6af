import { styleText } from 'node:util'
import type { Bank, BankId } from '../../protocol/cabinet.ts'
import { snOf } from '../../protocol/cabinet-mqtt/index.ts'
import { explain, type Hints } from '../../protocol/explain.ts'
import type { Box } from './box.ts'
import { type FaultName, faultsOf } from './faults.ts'
import { type Entry, kindOf } from './journal.ts'
import type { Cabinet } from './simulated-cabinet.ts'

/** What a terminal shows of a cabinet. */
export interface View {
  cabinet: Cabinet
  title: string
  selected: number
  /** Lines about the wire, oldest first. */
  wire: readonly string[]
  /** What the last key did, or why not. */
  notice: string
  /** The fault menu is open. */
  faulting: boolean
  columns: number
  rows: number
}

const slotWidth = 60
const barCells = 10
const menuKeys = 'abcdefghijklmnopqrstuvwxyz1234567890'
const keysHelp =
  '1-9 ↑↓←→ slot · i insert · n stranger · p pull · e empty return · j jam · h heartbeat · r reboot · d drop · o half-open · f fault · q quit'

/** The letter of the fault menu for each fault that the cabinet can have, and behind `z` the digits. */
export const faultKeys = ({ family }: Box): Map<string, FaultName> =>
  new Map(faultsOf(family).map((name, at) => [menuKeys[at]!, name]))

/** A bank as its label has it: four letters and eight hex digits (docs/protocol.md 2.6), or a serial number (5.5). */
export function labelOf(bankId: BankId): string {
  if (bankId.length === 8) return `${snOf(bankId)}`
  const letters = Buffer.from(bankId.slice(0, 8), 'hex').toString('latin1')
  return /^[\x20-\x7e]{4}$/.test(letters) ? letters + bankId.slice(8) : bankId
}

function bar(percent: number): string {
  const full = Math.round((percent / 100) * barCells)
  return '█'.repeat(full) + '░'.repeat(barCells - full)
}

function bankText(bank: Bank): string {
  const level = bank.levelPercent ?? 0
  const measured = `${bank.millivolts ?? '?'} mV ${bank.celsius ?? '?'} °C`
  return `${labelOf(bank.bankId).padEnd(12)} ${bar(level)} ${`${level}`.padStart(3)} % ${measured} ${bank.charging ? '↑' : ''}`
}

function slotLine(box: Box, slot: number, selected: boolean): string {
  const bank = box.banks.get(slot)
  const jammed = box.jammed.has(slot)
  const text = `${selected ? '▶' : ' '}${`${slot}`.padStart(3)}  ${bank ? bankText(bank) : '·'}${jammed ? ' JAMMED' : ''}`
  const padded = text.padEnd(slotWidth).slice(0, slotWidth)
  if (selected) return styleText('inverse', padded)
  return jammed ? styleText('red', padded) : bank ? padded : styleText('dim', padded)
}

const columnsOf = (slots: number, columns: number) =>
  Math.max(1, Math.min(Math.floor(columns / slotWidth), Math.ceil(slots / 4)))

/** How many slots stand under each other. */
export const slotsDeep = ({ slots }: Box, columns: number): number => Math.ceil(slots / columnsOf(slots, columns))

/** The slots side by side in as many columns as fit, numbered downwards, scrolled to the selected one. */
function slotLines({ cabinet: { box }, selected, columns }: View, rowsMax: number): string[] {
  const abreast = columnsOf(box.slots, columns)
  const deep = slotsDeep(box, columns)
  const lines = Array.from({ length: deep }, (_, row) =>
    Array.from({ length: abreast }, (_, column) => column * deep + row + 1)
      .filter((slot) => slot <= box.slots)
      .map((slot) => slotLine(box, slot, slot === selected))
      .join(''),
  )
  if (deep <= rowsMax) return lines
  const at = (selected - 1) % deep
  const from = Math.min(Math.max(0, at - (rowsMax >> 1)), deep - rowsMax)
  return lines.slice(from, from + rowsMax)
}

function footer({ faulting, cabinet, columns }: View): string[] {
  if (!faulting) return folded(keysHelp, columns)
  const menu = [...faultKeys(cabinet.box)].map(
    ([key, name]) => `${key} ${name}${cabinet.faults.includes(name) ? '*' : ''}`,
  )
  return folded(`toggle a fault: ${menu.join(' · ')} · any other key: none`, columns)
}

function folded(text: string, columns: number): string[] {
  const lines = ['']
  for (const part of text.split(' · ')) {
    const line = lines.at(-1) ?? ''
    const longer = line === '' ? part : `${line} · ${part}`
    if (longer.length <= columns) lines[lines.length - 1] = longer
    else lines.push(part)
  }
  return lines
}

/** The whole screen as lines, exactly as many as there are rows. */
export function render(view: View): string[] {
  const { cabinet, columns, rows, title, notice, wire } = view
  const { box, online, faults } = cabinet
  const state = online ? styleText('green', '● online') : styleText('yellow', '○ offline')
  const address = `${box.server.host}:${box.server.port}`
  const settings = `heartbeat ${box.server.heartbeatSeconds} s · volume ${box.volume} · SIM ${box.iccid}`
  const head = [
    `${styleText('bold', title)}  ${state}  ${address}`.slice(0, columns + 40),
    `${settings} · faults: ${faults.join(', ') || 'none'}`.slice(0, columns),
  ]
  const foot = [styleText('yellow', notice.slice(0, columns)), ...footer(view).map((line) => styleText('dim', line))]
  const rule = styleText('dim', '─'.repeat(columns))
  const left = rows - head.length - foot.length - 2
  const slots = slotLines(view, Math.max(1, left - Math.min(6, left >> 1)))
  const tail = wire.slice(-Math.max(0, left - slots.length)).map((line) => line.slice(0, columns))
  const filling = Array.from({ length: Math.max(0, left - slots.length - tail.length) }, () => '')
  return [...head, rule, ...slots, rule, ...tail, ...filling, ...foot].slice(0, rows)
}

// A list is its length, flags are the names of those that are set.
function worded(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value !== 'object' || value === null) return `${value}`
  return (
    Object.entries(value)
      .flatMap(([name, is]) => (is === true ? [name] : is === false ? [] : [`${is}`]))
      .join('+') || '-'
  )
}

function fieldText(name: string, value: unknown): string {
  if (name === 'password') return `${name}=***`
  return `${name}=${name === 'bankId' ? labelOf(`${value}`) : worded(value)}`
}

/** What happened in one line: frames decoded field by field, `←` from the server, `→` to it. */
export function wireLine(entry: Entry, hints: Hints): string {
  const time = new Date(entry.at).toTimeString().slice(0, 8)
  if (entry.event === 'closed') return `${time}    link closed: ${entry.reason}`
  if (entry.event === 'did')
    return `${time}    ${entry.act} slot ${entry.slot ?? '-'} ${entry.bankId ? labelOf(entry.bankId) : ''}`
  if (entry.event === 'connected') return `${time}    connected`
  if (entry.event === 'asked') return `${time}    ${entry.question} over HTTP: ${entry.answer}`
  const hex = entry.frame.toString('hex').toUpperCase()
  if (entry.event === 'unreadable') return `${time} ←  unreadable (${entry.reason}): ${hex}`
  if (entry.event === 'sent') return `${time} →  ${hex}`
  const from = entry.event === 'said' ? 'device' : 'server'
  const arrow = from === 'device' ? '→' : '←'
  // Said by MQTT itself, which has no frame for it.
  if (entry.frame.length === 0) return `${time} ${arrow}  ${kindOf(entry)}`
  const { command, name, body } = explain(entry.frame, { ...hints, from })
  const fields = Object.entries(body).map(([field, value]) => fieldText(field, value))
  return `${time} ${arrow}  ${command} ${name} ${fields.join(' ')}`
}
