/**
 * The frame workbench: `npm run -s frame -- decode <hex|->` explains frames, `encode` makes them.
 * Input and output are lines: one JSON object for each line of input.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type ArgsDef, type CommandDef, defineCommand, runMain } from 'citty'
import type { Command, LoginExtras, Report } from '../protocol/cabinet.ts'
import * as mqtt from '../protocol/cabinet-mqtt/index.ts'
import { deviceCodec, greet, newFramer } from '../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../protocol/errors.ts'
import { explain, type Hints, isMqtt, isTerminal } from '../protocol/explain.ts'
import type { Command as TerminalCommand } from '../protocol/terminal.ts'
import * as terminal from '../protocol/terminal-iso8583/index.ts'
import { bytesOf, isOpenArray } from './hex.ts'
import { tool, usage } from './options.ts'
import { encodeManual, type Spoken, spokenIn } from './spoken.ts'

const lineCharsMax = 1_048_576

type Answer = { ok: boolean } & Record<string, unknown>

function inWords(frame: Buffer, hints: Hints): object {
  const { checksumOk, tokenOk, body, also, ...said } = explain(frame, hints)
  return { ...said, checksum_ok: checksumOk, token_ok: tokenOk, body, ...(also.length > 0 && { also }) }
}

/** A payload of MQTT is one message as it is; anything else is a stream of frames. */
const isWhole = (bytes: Buffer, hints: Hints) =>
  isTerminal(bytes, hints) ? terminal.carrierOf(bytes) === 'mqtt' : isMqtt(bytes, hints)

function decodeLine(line: string, hints: Hints): Answer {
  const frames: object[] = []
  try {
    if (line.length > lineCharsMax) throw new RangeError(`a line of more than ${lineCharsMax} characters`)
    const bytes = bytesOf(line)
    if (isWhole(bytes, hints)) return { ok: true, frames: [inWords(bytes, hints)], rest: '' }
    const framer = isTerminal(bytes, hints) ? terminal.newFramer() : newFramer()
    for (const frame of framer.push(bytes)) frames.push(inWords(frame, hints))
    const rest = hexOf(framer.rest())
    if (frames.length > 0 || rest === '') return { ok: true, frames, rest }
    return { ok: false, error: `incomplete: ${bytes.length} bytes are not a whole frame`, frames, rest }
  } catch (error) {
    return { ...refusal(error), frames }
  }
}

const mqttBytes = (words: object, from: Hints['from']) =>
  from === 'device' ? mqtt.deviceCodec().say(words as Report) : mqtt.codec().encode(words as Command)

/** A terminal's words go out under its `terminalCode`, or under one of our own. */
function terminalBytes(words: Spoken & { terminalCode?: string }, { from, key = '' }: Hints) {
  const { terminalCode = 'WORKBNCH' } = words
  const device = terminal.deviceCodec({ terminalCode, key })
  // The words have been held against their shape; the same below.
  if (from === 'device') return device.encode(words as unknown as Parameters<typeof device.encode>[0])
  const login = device.encode({ kind: 'login', terminalCode, stan: '000001', sentAt: '0101000000' })
  const codec = terminal.greet(login).codec({ keys: [key], cardKey: key })
  const when = { unixSeconds: Math.floor(Date.now() / 1_000), ttlSeconds: 0 }
  return codec.encode(words as unknown as TerminalCommand, when)
}

function bytesSaid(words: Spoken, { dialect = 'B', from, key = '' }: Hints): Buffer {
  if (dialect === 'mqtt') return mqttBytes(words, from)
  if (dialect === 'iso8583') return terminalBytes(words, { from, key })
  const device = deviceCodec(dialect, { key })
  if (from === 'device') return device.encode(words as unknown as Report, words as LoginExtras)
  const codec = greet(device.encode({ kind: 'login', boxId: 'workbench' })).codec({ keys: [key] })
  return codec.encode(words as unknown as Command)
}

function encodeLine(line: string, { dialect = 'B', from = 'server', key }: Hints): Answer {
  try {
    return { ok: true, hex: hexOf(bytesSaid(spokenIn(line, dialect, from), { dialect, from, key })) }
  } catch (error) {
    return refusal(error)
  }
}

const hexOf = (bytes: Buffer) => bytes.toString('hex').toUpperCase()

/** What cannot be is told; anything else is a mistake of ours. */
function refusal(error: unknown): Answer {
  const expected = [MalformedBody, BrokenStream, RangeError]
  if (!(error instanceof Error) || !expected.some((kind) => error instanceof kind)) throw error
  return { ok: false, error: error.message }
}

/** What is to be worked, and where it begins on standard input. */
interface Given {
  text: string
  line?: number
}

async function* linesOf(input: string): AsyncGenerator<Given> {
  if (input !== '-') return yield { text: input }
  let begun = ''
  let line = 1
  let last = 0
  for await (const text of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    last++
    begun += begun === '' ? text : `\n${text}`
    if (begun.length <= lineCharsMax && isOpenArray(begun)) continue
    yield { text: begun, line }
    begun = ''
    line = last + 1
  }
  if (begun !== '') yield { text: begun, line }
}

async function each(input: string, work: (line: string) => Answer) {
  // A reader who has seen enough (head) is no mistake of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  for await (const { text, line } of linesOf(input)) {
    const answer = work(text)
    if (!answer.ok) process.exitCode = 1
    const said = answer.ok ? answer : { ...answer, line }
    if (!process.stdout.write(`${JSON.stringify(said)}\n`)) await once(process.stdout, 'drain')
  }
}

const options = {
  dialect: {
    type: 'enum',
    options: ['A', 'B', 'mqtt', 'iso8583'],
    description: 'Dialect; decode finds out when absent',
  },
  from: { type: 'enum', options: ['device', 'server'], description: 'Who sent it; decode tries both when absent' },
  key: {
    type: 'string',
    valueHint: 'K',
    description: "TCP-B's secret key or a terminal's in hex, to check or make the token or MAC",
  },
} as const satisfies ArgsDef

const decode = tool({
  meta: {
    name: 'decode',
    description:
      'Explain frames: {"ok":true,"frames":[…],"rest":""} a line. Exit 1 if any line failed or held no whole frame.',
  },
  args: {
    input: {
      type: 'positional',
      required: true,
      description:
        'Hex in any spelling, quoted or not (or an MQTT command as its JSON text), or - for such lines on standard input',
    },
    ...options,
  },
  // What was not quoted comes as words; all of them are one line.
  isPasted: true,
  run: (args) => each(args._.join(' '), (line) => decodeLine(line, args)),
})

const encode = tool({
  meta: {
    name: 'encode',
    description:
      'Make frames of our words: {"kind":"eject","slot":3} --key K becomes {"ok":true,"hex":"…"}. Defaults: B (needs --key), from server.',
  },
  args: {
    input: { type: 'positional', required: true, description: 'JSON, or - for JSON lines on standard input' },
    ...options,
  },
  run: (args) => each(args.input, (line) => encodeLine(line, args)),
})

const main: CommandDef = defineCommand({
  meta: {
    name: 'frame',
    description: 'The workbench for frames of cabinets (TCP dialects A and B, MQTT) and terminals (ISO 8583)',
  },
  subCommands: { decode, encode },
})

await runMain(main, { showUsage: usage(new Map<unknown, string>([[encode, encodeManual]])) })
