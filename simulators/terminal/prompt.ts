import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { readLine, type Stage, usageOf } from '../script.ts'
import { type FaultWords, faultNames, faults } from './faults.ts'
import type { Terminal } from './simulated-terminal.ts'
import { statusOf, verbs } from './terminal-script.ts'
import { totalsText, wireLine } from './wire-lines.ts'

const eraseLine = '\r\x1b[K'

/** Faults in words, for help. */
export const faultLines: string[] = faultNames.map((name) => {
  const { doc, only, takes }: FaultWords = faults[name]
  const value = takes === undefined ? '' : ` [=${takes}]`
  return `  ${name.padEnd(20)} ${only === undefined ? '' : `${only.toUpperCase()}: `}${doc}${value}`
})

function status(terminal: Terminal): string[] {
  const facts = Object.entries(statusOf(terminal)).map(([name, value]) => `${name} ${value}`)
  const { faults, till } = terminal
  const hosts = till.hosts ? [`the host has counted ${totalsText(till.hosts)}`] : []
  return [facts.join(' · '), `faults: ${faults.join(', ') || 'none'}`, ...hosts]
}

const more: Record<string, (terminal: Terminal) => string[]> = {
  help: () => [...usageOf(verbs), '  status', '  help', 'Faults', ...faultLines],
  status,
}

/** What a line that was typed says back. A mistake is only told. */
async function typed(stage: Stage<Terminal>, line: string): Promise<string[]> {
  const text = line.trim()
  const told = Object.hasOwn(more, text) && more[text]
  if (text === '') return []
  if (told) return told(stage.device)
  try {
    await readLine(verbs, text)(stage)
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** Gives a terminal a prompt until somebody quits; what happens is written above it. */
export async function converse(
  terminal: Terminal,
  { input, output }: { input: Readable; output: Writable } = { input: process.stdin, output: process.stdout },
): Promise<void> {
  const prompt = createInterface({ input, output, prompt: `${terminal.device.terminalCode}> ` })
  const write = (line: string) => {
    output.write(`${eraseLine}${line}\n`)
    prompt.prompt(true)
  }
  for (const entry of terminal.journal.entries) write(wireLine(entry))
  const unwatch = terminal.journal.watch((entry) => write(wireLine(entry)))
  const stage: Stage<Terminal> = { device: terminal, seen: terminal.journal.now, quit: false }
  prompt.on('SIGINT', () => prompt.close())
  prompt.prompt()
  for await (const line of prompt) {
    for (const said of await typed(stage, line)) write(said)
    if (stage.quit) break
    prompt.prompt()
  }
  unwatch()
  prompt.close()
}
