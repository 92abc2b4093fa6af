import { text as textOf } from 'node:stream/consumers'
import type { ArgsDef, ParsedArgs } from 'citty'
import { dialer, mayDial } from '../dial.ts'
import { fileOf, numberOf, portOf, tool, wholeOf } from '../options.ts'
import { stopped } from '../stopped.ts'
import { type FaultWish, faultNames, isFault } from './faults.ts'
import { converse, faultLines } from './prompt.ts'
import type { Terminal } from './simulated-terminal.ts'
import { jsonLine } from './terminal-journal.ts'
import { mqttTerminal } from './terminal-mqtt.ts'
import { play, readScript, type ScriptLine, scriptHelp } from './terminal-script.ts'
import { terminal } from './terminal-tcp.ts'

const tpduBytes = 5
const daySeconds = 86_400

/** For --help. */
export const terminalManual: string = [
  'Serial, code and key are what "npm run -s terminal -- create" prints; CODE may be left out where the serial is one.',
  'In a terminal it has a prompt that takes the words of scripts, and "help" and "status"; otherwise everything that',
  'happens is a line of JSON on standard output. A number of a card is in none of them.',
  '\nFaults',
  ...faultLines,
  '\nScripts',
  scriptHelp,
].join('\n')

const args = {
  serial: { type: 'string', description: 'What is written on it' },
  code: { type: 'string', description: 'Its terminal code; the serial unless told' },
  key: { type: 'string', valueHint: 'HEX|@FILE', description: 'Of its MACs; @FILE: the first line of a file' },
  host: { type: 'string', default: '127.0.0.1', description: 'Host to dial' },
  port: {
    type: 'string',
    description: 'Its port; unless told TERMINAL_PORT (9067), of a broker MQTT_PORT (1883); TLS has none',
  },
  'allow-remote': { type: 'boolean', default: false, description: 'Dial other machines than this one' },
  mqtt: { type: 'boolean', default: false, description: 'Speak at a broker' },
  tls: { type: 'boolean', default: false, description: 'Over TLS' },
  ca: { type: 'string', valueHint: 'FILE', description: 'Whom to believe over TLS; the usual ones unless told' },
  tpdu: { type: 'string', valueHint: 'HEX', description: 'Five bytes in front of each message; TCP' },
  merchant: { type: 'string', description: 'What field 42 says' },
  stan: { type: 'string', valueHint: 'N', description: 'The number to go on from; of the time of day unless told' },
  echo: { type: 'string', default: '60', valueHint: 'seconds', description: 'Between echoes' },
  answer: { type: 'string', default: '60', valueHint: 'seconds', description: 'How long it waits for an answer' },
  repeat: { type: 'string', default: '30', valueHint: 'seconds', description: 'Between repetitions' },
  script: { type: 'string', valueHint: 'FILE|-', description: 'Play a script and exit' },
  fault: { type: 'string', valueHint: 'NAME[=VALUE]', description: 'Misbehave; may repeat' },
} as const satisfies ArgsDef

type Given = ParsedArgs<typeof args>

const faultsFrom = (names: string[]): FaultWish[] =>
  names
    .flatMap((name) => name.split(','))
    .map((name) => {
      if (!isFault(name)) throw new RangeError(`--fault ${name}: one of ${faultNames.join(', ')} is wanted`)
      return name
    })

/** Told without the value: it is a secret. @throws RangeError no key */
function keyOf(given = ''): string {
  const key = given.startsWith('@') ? fileOf('key', given.slice(1)).split('\n', 1)[0]!.trim() : given
  if (!/^[0-9a-f]{64}$/i.test(key)) throw new RangeError('--key: 64 hex digits are wanted, or @FILE')
  return key
}

/** @throws RangeError neither code nor serial is one */
function codeOf({ code, serial }: Given): string {
  const known = code ?? serial
  if (known === undefined) throw new RangeError('--serial is wanted, or --code')
  if (!/^[A-Z0-9]{8}$/.test(known))
    throw new RangeError(`${known} is no terminal code, eight of A-Z and 0-9: say --code`)
  return known
}

/** @throws RangeError no TPDU */
function tpduOf({ tpdu, mqtt }: Given): Buffer | undefined {
  if (tpdu === undefined) return undefined
  const bytes = Buffer.from(tpdu, 'hex')
  if (mqtt || bytes.length !== tpduBytes || tpdu.length !== 2 * tpduBytes || bytes[0] !== 0x60)
    throw new RangeError(`--tpdu ${tpdu}: ${tpduBytes} bytes in hex that begin with 60 are wanted, over TCP`)
  return bytes
}

function terminalOf(given: Given, faults: string[]): Terminal {
  const { host, mqtt, tls, ca, echo, answer, repeat, stan, merchant } = given
  mayDial(host, given['allow-remote'])
  if (tls && given.port === undefined) throw new RangeError('--tls goes with --port')
  if (ca !== undefined && !tls) throw new RangeError('--ca goes with --tls')
  const dial = dialer(given['allow-remote'], tls ? (ca === undefined ? {} : { ca: fileOf('ca', ca) }) : undefined)
  const settings = {
    ...{ terminalCode: codeOf(given), key: keyOf(given.key), faults: faultsFrom(faults), merchant },
    host: { host, port: portOf(given.port, mqtt ? 'broker' : 'terminal') },
    stan: stan === undefined ? undefined : wholeOf('stan', stan, 0, 999_999),
    echoSeconds: numberOf('echo', echo, 0.01, daySeconds),
    answerSeconds: numberOf('answer', answer, 0.01, daySeconds),
    repeatSeconds: numberOf('repeat', repeat, 0.01, daySeconds),
  }
  const tpdu = tpduOf(given)
  return mqtt ? mqttTerminal(dial, settings) : terminal(dial, { ...settings, tpdu })
}

async function scripted(one: Terminal, script: readonly ScriptLine[]) {
  try {
    await play(one, script)
  } catch (error) {
    process.stderr.write(`terminal: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}

function logged({ journal }: Terminal) {
  const log = (line: string) => void process.stdout.write(`${line}\n`)
  for (const entry of journal.entries) log(jsonLine(entry))
  journal.watch((entry) => log(jsonLine(entry)))
}

/** `npm run sim -- terminal`: one terminal, by hand at a prompt, by script, or left to itself. */
export const terminalTool = tool({
  meta: { name: 'terminal', description: 'One payment terminal: by hand at a prompt, by script, or left to itself' },
  args,
  async run(given, all) {
    const { script: path } = given
    const text = path === '-' ? await textOf(process.stdin) : path && fileOf('script', path)
    const script = text === undefined ? undefined : readScript(text)
    const one = terminalOf(given, all('fault'))
    const byHand = script === undefined && process.stdin.isTTY && process.stdout.isTTY
    if (!byHand) logged(one)
    if (script) await Promise.race([scripted(one, script), stopped()])
    else if (byHand) await converse(one)
    else await stopped()
    await one.close()
  },
})
