import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import type { BankId } from '../protocol/cabinet.ts'
import { bankIdOf, bankIdsOf } from './box.ts'
import type { Cabinet } from './cabinet.ts'
import { realLatency } from './cabinet.ts'
import { cabinet } from './cabinet-tcp.ts'
import { dialer, mayDial } from './dial.ts'
import { faultNames, faults, isFault } from './faults.ts'
import { jsonLine } from './journal.ts'
import * as keyboard from './keyboard.ts'
import { dialling, fileOf, numberOf, tool, wholeOf } from './options.ts'
import { wireLine } from './screen.ts'
import type { ScriptLine } from './script.ts'
import { play, readScript, scriptHelp } from './script.ts'

/** `4` is so many generated banks, `DCHA54000016,…` are those. */
function banksFrom(banks: string, boxId: string, dialect: 'A' | 'B', slots: number): BankId[] {
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

const stopped = () => Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])

/** For --help. */
export const cabinetManual: string = [
  'In a terminal it has a screen and keys; otherwise every frame is a line of JSON on standard output.\n',
  'Faults',
  ...faultNames.map((name) => `  ${name.padEnd(20)} ${faults[name]().doc}`),
  '\nScripts',
  scriptHelp,
].join('\n')

/** `npm run sim -- cabinet`: one cabinet, by hand in a terminal, by script, or left to itself. */
export const cabinetTool = tool({
  meta: {
    name: 'cabinet',
    description: 'One simulated cabinet: by hand in a terminal, by script, or left to itself',
  },
  args: {
    dialect: { type: 'enum', options: ['A', 'B'], default: 'B', description: 'Which TCP dialect it speaks' },
    'box-id': { type: 'string', default: 'SIM0000000000001', description: 'Its name' },
    key: { type: 'string', valueHint: 'K', description: "TCP-B's secret" },
    slots: { type: 'string', default: '8', description: 'How many slots, 1-255' },
    banks: { type: 'string', default: '4', valueHint: 'N|ID,ID…', description: 'Banks in it at first' },
    heartbeat: { type: 'string', default: '30', valueHint: 'seconds', description: 'Between heartbeats' },
    script: { type: 'string', valueHint: 'FILE|-', description: 'Play a script and exit' },
    fault: { type: 'string', valueHint: 'NAME', description: 'Misbehave; may repeat' },
    instant: { type: 'boolean', default: false, description: 'Answer at once instead of in real time' },
    ...dialling,
  },
  async run(args, all) {
    const { dialect, key, host, port, instant } = args
    const boxId = args['box-id']
    const slots = wholeOf('slots', args.slots, 1, 255)
    mayDial(host, args['allow-remote'])
    wholeOf('port', port, 1, 65_535)
    const script = args.script === undefined ? undefined : await scriptFrom(args.script)
    const cab = cabinet(dialer(args['allow-remote']), {
      dialect,
      boxId,
      ...(key !== undefined && { key }),
      slots,
      banks: banksFrom(args.banks, boxId, dialect, slots),
      faults: faultsFrom(all('fault')),
      server: { host, port, heartbeatSeconds: numberOf('heartbeat', args.heartbeat, 0.01, 255) },
      ...(!instant && { latency: realLatency }),
    })
    const byHand = script === undefined && process.stdin.isTTY && process.stdout.isTTY
    if (!byHand) logged(cab)
    const hints = { dialect, ...(key !== undefined && { key }) }
    if (script) await Promise.race([scripted(cab, script), stopped()])
    else if (byHand) await keyboard.play(cab, `${boxId} TCP-${dialect}`, (entry) => wireLine(entry, hints))
    else await stopped()
    await cab.close()
  },
})
