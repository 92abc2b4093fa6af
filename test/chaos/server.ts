import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { atEnd } from './last-things.ts'

/** A line of the house's log. */
export interface Line {
  level: string
  event: string
  [about: string]: unknown
}

/** The whole house as a process of its own. */
export interface RunningServer {
  apiPort: number
  cabinetPort: number
  terminalPort: number | null
  /** Milliseconds from the start of the process to its readiness. */
  readyMs: number
  /** `kill -9`: not one instruction more. */
  kill(): void
  /** Asks it to end, and kills it when it does not. Resolves with what it ended by: `SIGKILL`, `0` … */
  end(): Promise<string>
  gone: Promise<string>
  /** Its last words, oldest first. */
  lines: Line[]
}

const ours = join(import.meta.dirname, '../../main.ts')
const startSecondsMax = 60
const endSecondsMax = 20
const linesMax = 200

/**
 * Starts `main.ts`, ours unless told, on free ports of this machine, with these settings and no others.
 * @throws Error it ended before it was ready; its last words are in the message
 */
export async function startWholeServer(
  settings: Record<string, string>,
  cwd: string,
  main = ours,
): Promise<RunningServer> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [main], {
    cwd,
    env: {
      PATH: process.env.PATH ?? '',
      HOST: '127.0.0.1',
      API_PORT: '0',
      CABINET_PORT: '0',
      METRICS_PORT: '0',
      MQTT_PORT: '0',
      MQTT_WS_PORT: '0',
      CABINET_HTTP_PORT: '0',
      TERMINAL_PORT: '0',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => void child.kill('SIGKILL')
  const isOver = atEnd(kill)
  const gone = once(child, 'exit').then(([code, signal]) => {
    isOver()
    return String(signal ?? code)
  })
  const lines: Line[] = []
  createInterface(child.stderr).on('line', (text) => {
    lines.push(parsed(text))
    if (lines.length > linesMax) lines.shift()
  })
  const ready = new Promise<Line>((resolve) => {
    createInterface(child.stdout).once('line', (text) => resolve(parsed(text)))
  })
  const late = setTimeout(kill, startSecondsMax * 1000)
  const first = await Promise.race([ready, gone])
  clearTimeout(late)
  if (typeof first === 'string') throw new Error(`the house ended (${first}) before it was ready: ${told(lines)}`)
  const portOf = (name: string) => Number(new URL(String(first[name])).port)
  // A build from before payment terminals has no port for them.
  const terminalPort = first.terminals === undefined ? null : portOf('terminals')
  return {
    apiPort: portOf('api'),
    cabinetPort: portOf('cabinets'),
    terminalPort,
    readyMs: Math.round(performance.now() - startedAt),
    kill,
    gone,
    lines,
    async end() {
      child.kill('SIGTERM')
      const impatience = setTimeout(kill, endSecondsMax * 1000)
      const how = await gone
      clearTimeout(impatience)
      return how
    },
  }
}

function parsed(text: string): Line {
  try {
    return JSON.parse(text) as Line
  } catch {
    // Not from the log: a stack of something nobody caught.
    return { level: 'error', event: 'house.said', text }
  }
}

const toldMax = 5
const told = (lines: readonly Line[]) =>
  lines
    .slice(-toldMax)
    .map((line) => JSON.stringify(line))
    .join('\n')
