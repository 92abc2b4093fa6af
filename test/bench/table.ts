import { cpus, totalmem } from 'node:os'
import type { Spread } from './pairs.ts'

/** One line of the table. Figures come with their units. */
export interface Row {
  what: string
  ours: string
  /** Nothing to compare with: an absolute goal. */
  baseline?: string
  ratio?: Spread
  goal: string
  met: boolean
}

const head = ['what', 'ours', 'baseline', 'ratio (min–max)', 'goal', 'met']
const none = '—'

const times = (value: number) => value.toFixed(value < 10 ? 2 : 1)
const ratioText = ({ median, min, max }: Spread) => `${times(median)} (${times(min)}–${times(max)})`

/** The rows as Markdown, in columns for people too. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ what, ours, baseline = none, ratio, goal, met }) => [
    what,
    ours,
    baseline,
    ratio ? ratioText(ratio) : none,
    goal,
    met ? 'yes' : '**no**',
  ])
  const widths = head.map((title, column) =>
    Math.max(...[head, ...lines].map((line) => line[column]!.length), title.length),
  )
  const spell = (cells: readonly string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n]!)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [spell(head), rule, ...lines.map(spell)].join('\n')
}

/** `2026-11-21, AMD EPYC, 2 cores, 24 GB, Node 24.21.0, linux x64`: a figure without its machine says nothing. */
export function machine(): string {
  const cores = cpus()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const today = new Date().toISOString().slice(0, 10)
  const { version, platform, arch } = process
  return `${today}, ${cores[0]?.model.trim()}, ${cores.length} cores, ${gigabytes} GB, Node ${version.slice(1)}, ${platform} ${arch}`
}

/** `117 k` */
export const thousands = (value: number) =>
  value >= 10_000
    ? `${Math.round(value / 1_000)} k`
    : value >= 1_000
      ? `${(value / 1_000).toFixed(1)} k`
      : value.toFixed(0)

/** `12.3 ms`, `45 µs` */
export const milliseconds = (value: number) =>
  value >= 1 ? `${value.toFixed(value >= 100 ? 0 : 1)} ms` : `${(value * 1_000).toFixed(0)} µs`

/** `4.1 KB` */
export const kilobytes = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KB`
