import { text as textOf } from 'node:stream/consumers'
import type { ArgsDef, ParsedArgs } from 'citty'
import type { BankId } from '../../protocol/cabinet.ts'
import { dialer, doors, mayDial } from '../dial.ts'
import { dialling, fileOf, numberOf, portOf, tool, wholeOf } from '../options.ts'
import { stopped } from '../stopped.ts'
import { bankIdOf, bankIdsOf } from './box.ts'
import { mqttCabinet } from './cabinet-mqtt.ts'
import { cabinet } from './cabinet-tcp.ts'
import { type FaultWords, faultNames, faults, isFault } from './faults.ts'
import { imeiOf } from './imei.ts'
import { jsonLine } from './journal.ts'
import * as keyboard from './keyboard.ts'
import { realLatency } from './latency.ts'
import { wireLine } from './screen.ts'
import { play, readScript, type ScriptLine, scriptHelp } from './script.ts'
import type { Cabinet } from './simulated-cabinet.ts'

/** `4` is so many generated banks, `DCHA54000016,…` or `40818048,…` are those. */
function banksFrom(banks: string, boxId: string, dialect: 'A' | 'B' | 'mqtt', slots: number): BankId[] {
  if (!/^\d{1,3}$/.test(banks)) return banks.split(',').map((bank) => bankIdOf(bank.trim()))
  return bankIdsOf(boxId, dialect, wholeOf('banks', banks, 0, slots))
}

function faultsFrom(names: string[]) {
  return names
    .flatMap((name) => name.split(','))
    .map((name) => {
      if (!isFault(name)) throw new RangeError(`--fault ${name}: one of ${faultNames.join(', ')} is wanted`)
      return name
    })
}

async function scriptFrom(path: string): Promise<ScriptLine[]> {
  return readScript(path === '-' ? await textOf(process.stdin) : fileOf('script', path))
}

async function scripted(cab: Cabinet, script: ScriptLine[]) {
  try {
    await play(cab, script)
  } catch (error) {
    process.stderr.write(`cabinet: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}

function logged(cab: Cabinet) {
  const log = (line: string) => void process.stdout.write(`${line}\n`)
  for (const entry of cab.journal.entries) log(jsonLine(entry))
  cab.journal.watch((entry) => log(jsonLine(entry)))
}

/** For --help. */
export const cabinetManual: string = [
  'In a terminal it has a screen and keys; otherwise every frame is a line of JSON on standard output.\n',
  'Faults',
  ...faultNames.map((name) => {
    const { doc, only, takes }: FaultWords = faults[name]
    const value = takes === undefined ? '' : ` [=${takes}]`
    return `  ${name.padEnd(20)} ${only === undefined ? '' : `${only.toUpperCase()}: `}${doc}${value}`
  }),
  '\nMQTT',
  '  It asks --host --port over HTTP for its broker, as the documents say, unless --username and --password let it in.',
  '  Old firmware asks at other paths, answers check with its five fullest banks and a pop-up with a board for a hole.',
  '\nScripts',
  scriptHelp,
].join('\n')

const args = {
  dialect: {
    type: 'enum',
    options: ['A', 'B', 'mqtt'],
    default: 'B',
    description: 'What it speaks: TCP-A, TCP-B, MQTT',
  },
  'box-id': { type: 'string', description: 'Its name: SIM0000000000001, or over MQTT an IMEI' },
  key: { type: 'string', valueHint: 'K', description: "TCP-B's secret" },
  slots: { type: 'string', default: '8', description: 'How many slots, 1-255' },
  banks: { type: 'string', default: '4', valueHint: 'N|ID,ID…', description: 'Banks in it at first' },
  heartbeat: { type: 'string', valueHint: 'seconds', description: 'Between heartbeats; 30, over MQTT 540' },
  script: { type: 'string', valueHint: 'FILE|-', description: 'Play a script and exit' },
  fault: { type: 'string', valueHint: 'NAME[=VALUE]', description: 'Misbehave; may repeat' },
  instant: { type: 'boolean', default: false, description: 'Answer at once instead of in real time' },
  username: { type: 'string', description: 'MQTT: dial this broker with it, without a bootstrap over HTTP' },
  password: { type: 'string', description: 'MQTT: goes with it' },
  'client-id': { type: 'string', description: 'MQTT: goes with it; the IMEI unless told' },
  persistent: { type: 'boolean', default: false, description: 'MQTT: the broker remembers what was said meanwhile' },
  firmware: {
    type: 'enum',
    options: ['current', 'old'],
    default: 'current',
    description: 'MQTT: how it asks, lists and answers; see MQTT below',
  },
  'return-bytes': { type: 'enum', options: ['13', '14', '15'], default: '15', description: 'MQTT: of its 0x40 frame' },
  board: { type: 'string', default: '12', description: 'MQTT: holes on a control board, 2-255' },
  upload: {
    type: 'string',
    default: '60',
    valueHint: 'seconds',
    description: 'MQTT: from power-on to the HTTP upload',
  },
  ...dialling,
} as const satisfies ArgsDef

type Given = ParsedArgs<typeof args>

/** What all dialects are told the same. */
function settingsOf(given: Given, faultsGiven: string[]) {
  const { dialect, host } = given
  const boxId = given['box-id'] ?? (dialect === 'mqtt' ? imeiOf(1) : 'SIM0000000000001')
  const slots = wholeOf('slots', given.slots, 1, 255)
  mayDial(host, given['allow-remote'])
  return { boxId, slots, banks: banksFrom(given.banks, boxId, dialect, slots), faults: faultsFrom(faultsGiven) }
}

function tcp(given: Given, dialect: 'A' | 'B', faultsGiven: string[]): Cabinet {
  const { host, port, key, heartbeat = '30', instant } = given
  const heartbeatSeconds = numberOf('heartbeat', heartbeat, 0.01, 255)
  return cabinet(dialer(given['allow-remote']), {
    ...settingsOf(given, faultsGiven),
    dialect,
    key,
    server: { host, port: `${portOf(port, dialect)}`, heartbeatSeconds },
    latency: instant ? undefined : realLatency.tcp,
  })
}

function mqtt(given: Given, faultsGiven: string[]): Cabinet {
  const { host, port, username, password, heartbeat = '540', instant } = given
  if ((username === undefined) !== (password === undefined)) throw new RangeError('--username goes with --password')
  const settings = settingsOf(given, faultsGiven)
  return mqttCabinet(doors(given['allow-remote']), {
    ...settings,
    ...(username !== undefined &&
      password !== undefined && { login: { username, password, clientId: given['client-id'] ?? settings.boxId } }),
    isPersistent: given.persistent,
    firmware: given.firmware,
    returnFrameBytes: ({ 13: 13, 14: 14, 15: 15 } as const)[given['return-bytes']],
    holesPerBoard: wholeOf('board', given.board, 2, 255),
    uploadSeconds: numberOf('upload', given.upload, 0, 86_400),
    server: {
      host,
      port: `${portOf(port, username === undefined ? 'mqtt' : 'broker')}`,
      heartbeatSeconds: numberOf('heartbeat', heartbeat, 0.01, 86_400),
    },
    latency: instant ? undefined : realLatency.mqtt,
  })
}

/** `npm run sim -- cabinet`: one cabinet, by hand in a terminal, by script, or left to itself. */
export const cabinetTool = tool({
  meta: { name: 'cabinet', description: 'One simulated cabinet: by hand in a terminal, by script, or left to itself' },
  args,
  async run(given, all) {
    const { dialect, key } = given
    const script = given.script === undefined ? undefined : await scriptFrom(given.script)
    const cab = dialect === 'mqtt' ? mqtt(given, all('fault')) : tcp(given, dialect, all('fault'))
    const byHand = script === undefined && process.stdin.isTTY && process.stdout.isTTY
    if (!byHand) logged(cab)
    const title = `${cab.box.boxId} ${dialect === 'mqtt' ? 'MQTT' : `TCP-${dialect}`}`
    if (script) await Promise.race([scripted(cab, script), stopped()])
    else if (byHand) await keyboard.play(cab, title, (entry) => wireLine(entry, { dialect, key }))
    else await stopped()
    await cab.close()
  },
})
