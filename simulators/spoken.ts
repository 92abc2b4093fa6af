import { commandWords, reportWords } from '../protocol/cabinet-words.ts'
import { purchase } from '../protocol/terminal-iso8583/sale.ts'
import { terminalCommandWords, terminalReportWords } from '../protocol/terminal-words.ts'
import { type AnyShape, faultsOf, namesOf } from '../protocol/words.ts'

/** Our words as somebody typed them, held against their shape. */
export type Spoken = { kind: string } & Record<string, unknown>

/** Who says what, by kind. */
type Shapes = Readonly<Record<string, AnyShape>>
const shapes: Record<'cabinet' | 'terminal', Record<'device' | 'server', Shapes>> = {
  cabinet: { device: reportWords, server: commandWords },
  terminal: { device: terminalReportWords, server: terminalCommandWords },
}

function parsed(line: string): Record<string, unknown> {
  let words: unknown
  try {
    words = JSON.parse(line)
  } catch (cause) {
    throw new RangeError(`not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  if (typeof words !== 'object' || words === null || Array.isArray(words)) throw new RangeError('not a JSON object')
  return words as Record<string, unknown>
}

/**
 * The words in a line of JSON.
 * @throws RangeError what is missing, not known, or no value of its field: all of it
 */
export function spokenIn(line: string, dialect: string, from: 'device' | 'server'): Spoken {
  const { kind, ...fields } = parsed(line)
  const who = dialect === 'iso8583' ? 'terminal' : 'cabinet'
  const known = shapes[who][from]
  const speaker = from === 'device' ? `a ${who} (--from device)` : `a server to a ${who}`
  if (typeof kind !== 'string' || !Object.hasOwn(known, kind))
    throw new RangeError(`"kind" of what ${speaker} says: ${Object.keys(known).join(', ')}`)
  const faults = faultsOf(known[kind]!, fields)
  if (faults.length > 0) throw new RangeError(`${kind}: ${faults.join('; ')}`)
  return { ...fields, kind }
}

function table(title: string, known: Shapes): string {
  const docs = new Map<string, Set<string>>()
  for (const shape of Object.values(known))
    for (const [name, { doc }] of Object.entries(shape)) docs.set(name, (docs.get(name) ?? new Set()).add(doc))
  return [
    title,
    ...Object.entries(known).map(([kind, shape]) => `  ${kind.padEnd(20)} ${namesOf(shape)}`),
    '  where',
    ...[...docs].map(([name, all]) => `  ${name.padEnd(20)} ${[...all].join(' | ')}`),
    '',
  ].join('\n')
}

/** For --help: every word there is. */
export const encodeManual: string = [
  'A word is {"kind":"…", …} with the fields behind its kind; what is in brackets may be missing.\n',
  table('A server to a cabinet (A, B; MQTT knows some of them)', commandWords),
  table('A cabinet (--from device)', reportWords),
  table('A server to a terminal (--dialect iso8583)', terminalCommandWords),
  table('A terminal (--dialect iso8583 --from device)', terminalReportWords),
  `For example '${JSON.stringify('says' in purchase.examples[0]! && purchase.examples[0].says)}'\n--dialect iso8583 --from device --key, its 64 hex digits. Each field byte by byte: docs/protocol.md.`,
].join('\n')
