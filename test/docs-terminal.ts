import { responseCodes } from '../protocol/terminal.ts'
import type { AnyRequest, AnyTold } from '../protocol/terminal-iso8583/define.ts'
import { answerTo, mtiText } from '../protocol/terminal-iso8583/dialect.ts'
import { fieldAt, fields, formatOf } from '../protocol/terminal-iso8583/fields.ts'
import { definitions } from '../protocol/terminal-iso8583/index.ts'
import type { Layout } from '../protocol/terminal-iso8583/layout.ts'
import { hmacOf } from '../protocol/terminal-iso8583/mac.ts'
import { present, rawOf, read, split } from '../protocol/terminal-iso8583/message.ts'
import { terminalCommandWords, terminalReportWords } from '../protocol/terminal-words.ts'
import type { AnyShape } from '../protocol/words.ts'
import { placed } from './docs-place.ts'

type Definition = AnyRequest | AnyTold

/** Invented; every example is signed with it. */
const key = '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F'
const head = (...titles: string[]) => [`| ${titles.join(' | ')} |`, `|${titles.map(() => '---').join('|')}|`]
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase()

/** The table of all fields; neighbours that only their numbers tell apart share a row. */
function fieldTable(): string {
  const rows = fields.map((field) => ({
    from: field.number,
    to: field.number,
    text: `${formatOf(field)} | ${field.title}`,
  }))
  const merged = rows.reduce<typeof rows>((all, row) => {
    const last = all.at(-1)
    if (last?.text === row.text && last.to + 1 === row.from) last.to = row.to
    else all.push(row)
    return all
  }, [])
  const lines = merged.map(({ from, to, text }) => `| ${from === to ? from : `${from}–${to}`} | ${text} |`)
  return [...head('field', 'format', 'name'), ...lines].join('\n')
}

/** What a message calls its fields, by their numbers. */
const ourNames = ({ up, down }: Definition) =>
  new Map(Object.entries({ ...down, ...up } as Layout).map(([name, { field }]) => [field.number, `\`${name}\``]))

/** How each field stands in one direction, by its number. */
const standing = (layout: Layout, echo: readonly number[] = []) =>
  new Map([
    ...echo.map((number) => [number, 'as asked'] as const),
    ...Object.values(layout).map((element) => [element.field.number, 'optional' in element ? 'may' : 'must'] as const),
  ])

function messageTable(definition: Definition): string {
  const isAsked = definition.initiator === 'terminal'
  const [asks, answers] = isAsked
    ? [standing(definition.up), standing(definition.down, definition.echo)]
    : [standing(definition.down), standing(definition.up)]
  const numbers = [...new Set([...asks.keys(), ...answers.keys()])].sort((one, other) => one - other)
  const ours = ourNames(definition)
  const mti = [definition.mti, answerTo(definition.mti)].map(mtiText)
  const rows = numbers.map((number) => {
    const field = fieldAt(number)!
    return `| ${number} | ${formatOf(field)} | ${field.title} | ${ours.get(number) ?? ''} | ${asks.get(number) ?? '–'} | ${answers.get(number) ?? '–'} |`
  })
  return [...head('field', 'format', 'name', 'our name', mti[0]!, mti[1]!), ...rows].join('\n')
}

function exchange(example: Definition['examples'][number]): string {
  const isCommand = 'command' in example
  const [first, second] = isCommand ? [example.down, example.up] : [example.up, example.down]
  return [
    `${isCommand ? 'host     ' : 'terminal '} ${first}`,
    `${isCommand ? 'terminal ' : 'host     '} ${second}`,
    `in words  ${JSON.stringify(isCommand ? example.command : example.says)}`,
    ...(isCommand ? [`          ${JSON.stringify(example.says)}`] : []),
  ].join('\n')
}

function messageText(definition: Definition): string {
  const { mti, name, doc, initiator, kinds, examples } = definition
  const said = initiator === 'terminal' ? 'terminal to host' : 'host to terminal'
  return [
    `#### ${mtiText(mti)} ${name}`,
    `${doc} ${said[0]!.toUpperCase()}${said.slice(1)}. Our words: ${kinds.map((kind) => `\`${kind}\``).join(', ')}.`,
    messageTable(definition),
    ['```', examples.map(exchange).join('\n\n'), '```'].join('\n'),
  ].join('\n\n')
}

/** One message byte by byte, and how its MAC is made. */
function worked(): string {
  const purchase = definitions.find(({ kinds }) => kinds.includes('purchase'))!.examples[1]!
  const bytes = Buffer.from(purchase.up, 'hex')
  const message = split(bytes)
  const rows = present(message).map((field) => {
    const text = read(message, field)!
    return `${String(field.number).padStart(6)}  ${hexOf(rawOf(message, field)!).padEnd(20)}  ${text}`
  })
  const said = bytes.subarray(0, -8)
  return [
    '```',
    `   MTI  ${hexOf(bytes.subarray(0, 2))}`,
    `bitmap  ${hexOf(bytes.subarray(2, 10))}`,
    ...rows,
    '',
    `key                  ${key}`,
    `what is signed       ${hexOf(said)}`,
    `HMAC-SHA256          ${hmacOf(key, 'hex')(said).toUpperCase()}`,
    `MAC, its first 8     ${hexOf(bytes.subarray(-8))}`,
    `frame                ${hexOf(Buffer.from([bytes.length >> 8, bytes.length & 255]))} and the message`,
    `with a TPDU          ${hexOf(Buffer.from([(bytes.length + 5) >> 8, (bytes.length + 5) & 255]))} 6000010002 and the message; the answer has 6000020001`,
    '```',
  ].join('\n')
}

const wordRows = (who: string, kinds: Record<string, AnyShape>) =>
  Object.entries(kinds).map(([kind, shape]) => {
    const fields = Object.entries(shape).map(
      ([name, { doc, optional }]) => `\`${name}\`${optional ? ' (may)' : ''} ${doc}`,
    )
    return `| ${who} | \`${kind}\` | ${fields.join(' · ')} |`
  })

/** Our words and their fields, as `npm run frame -- encode` takes them. */
const wordTable = () => {
  const commands = Object.entries(terminalCommandWords)
  const [[first, shape] = ['', {}]] = commands
  return [
    ...head('who', 'kind', 'fields'),
    ...wordRows('terminal', terminalReportWords),
    ...wordRows('host', { [first]: shape }).map((row) =>
      row.replace(`\`${first}\``, commands.map(([kind]) => `\`${kind}\``).join(' ')),
    ),
  ].join('\n')
}

const codeTable = () =>
  [
    ...head('39', 'what it says'),
    ...Object.entries(responseCodes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')

/** The chapter on terminals with its generated parts in their places. @throws Error one has no place */
export const withTerminals = (page: string): string =>
  Object.entries({
    'terminal fields': fieldTable(),
    'terminal MAC': worked(),
    'terminal messages': definitions.map(messageText).join('\n\n'),
    'terminal words': wordTable(),
    'terminal codes': codeTable(),
  }).reduce((text, [name, part]) => placed(text, name, part), page)
