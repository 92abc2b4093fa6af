import { responseCodes, type Totals } from '../../protocol/terminal.ts'
import type { Entry, Said } from './terminal-journal.ts'

const minorUnits = 100

/** Roubles and kopecks: `150.00`. */
export const amountText = (amountMinor: number): string => (amountMinor / minorUnits).toFixed(2)

/** @throws RangeError no amount: `150`, `150.5` and `150.00` are */
export function amountOf(text = ''): number {
  const [, whole, part = ''] = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(text) ?? []
  if (whole === undefined) throw new RangeError(`"${text}" is no amount: 150 or 150.00`)
  return Number(whole) * minorUnits + Number(part.padEnd(2, '0'))
}

/** Figures of a batch in a few words. */
export const totalsText = ({ debits, debitsMinor, debitsReversed, debitsReversedMinor }: Totals): string =>
  `${debits} debits ${amountText(debitsMinor)}, ${debitsReversed} reversed ${amountText(debitsReversedMinor)}`

const meaningOf = (code: string) => responseCodes[code as keyof typeof responseCodes] ?? 'an unknown code'

function saidText(report: Said): string {
  const { kind } = report
  const again = 'isRepeat' in report ? ' again' : ''
  if (kind === 'result') return `answer ${report.code} ${report.text ?? ''}`
  if (kind === 'totals') return `totals: ${totalsText(report.totals)}`
  if (kind === 'reversal')
    return `reversal${again} of ${report.original.mti} ${report.original.stan}, ${amountText(report.amountMinor)}, reason ${report.reason}`
  if ('card' in report)
    return `${kind}${again} ${amountText(report.amountMinor)} ${report.card.name} ${report.card.masked}`
  return kind
}

function aboutText(entry: Exclude<Entry, { event: 'said' }>): string {
  switch (entry.event) {
    case 'heard': {
      const { code, approval, totals, isSigned } = entry.words
      const more = [approval && `approval ${approval}`, totals && `the host: ${totalsText(totals)}`]
      const tail = [...more, isSigned ? '' : 'unsigned'].filter(Boolean).map((text) => `, ${text}`)
      return `←  ${entry.words.stan ?? '      '} ${entry.about} ${code} (${meaningOf(code)})${tail.join('')}`
    }
    case 'told': {
      const { stan, kind, data, isRepeat } = entry.words
      return `←  ${stan} ${kind}${isRepeat ? ' again' : ''} ${kind === 'update_config' ? '' : JSON.stringify(data ?? {})}`
    }
    case 'did': {
      const { act, stan = '', amountMinor, code, text } = entry
      const parts = [act, stan, amountMinor === undefined ? '' : amountText(amountMinor), code, text]
      return `   ${parts.filter(Boolean).join(' ')}`
    }
    case 'refused':
      return `   the sign-on was refused: ${entry.code} (${meaningOf(entry.code)})`
    case 'closed':
      return `   line closed: ${entry.reason}`
    case 'connected':
      return '   connected'
    case 'unreadable':
      return `←  unreadable (${entry.reason}): ${entry.frame}`
    case 'sent':
      return `→  ${entry.frame}`
  }
}

/** What happened in one line: `←` from the host, `→` to it, with the message's number. */
export function wireLine(entry: Entry): string {
  const time = new Date(entry.at).toTimeString().slice(0, 8)
  if (entry.event === 'said') return `${time} →  ${entry.report.stan} ${saidText(entry.report)}`
  return `${time} ${aboutText(entry)}`
}
