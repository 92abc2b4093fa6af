/** Simulators by hand: `npm run sim -- cabinet|terminal|fleet|demo|provider …`; each has its --help. */
import { type CommandDef, defineCommand, runMain } from 'citty'
import { cabinetManual, cabinetTool } from './cabinet/cabinet-cli.ts'
import { demoManual, demoTool } from './demo/demo-cli.ts'
import { fleetManual, fleetTool } from './fleet/fleet-cli.ts'
import { usage } from './options.ts'
import { providerManual, providerTool } from './provider/provider-cli.ts'
import { terminalManual, terminalTool } from './terminal/terminal-cli.ts'

// A subcommand more is a line more.
const subCommands = {
  cabinet: cabinetTool,
  terminal: terminalTool,
  fleet: fleetTool,
  demo: demoTool,
  provider: providerTool,
}
const manuals = new Map<unknown, string>([
  [cabinetTool, cabinetManual],
  [terminalTool, terminalManual],
  [fleetTool, fleetManual],
  [demoTool, demoManual],
  [providerTool, providerManual],
])

const main: CommandDef = defineCommand({
  meta: {
    name: 'sim',
    description: 'Simulated hardware and payment providers: real wires, no knowledge of any server',
  },
  subCommands,
})

// A reader who has seen enough (head) is no mistake of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
await runMain(main, { showUsage: usage(manuals) })
