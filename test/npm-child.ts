import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

const root = join(import.meta.dirname, '..')
/** Every port any that is free. */
const ports = ['API', 'CABINET', 'METRICS', 'MQTT', 'MQTT_WS', 'CABINET_HTTP', 'TERMINAL'].map((name) => [
  `${name}_PORT`,
  '0',
])

/** What a person started in a shell, and npm beneath it. */
export interface NpmChild {
  /** What `&` leaves in `$!`. */
  pid: number
  /** Resolves with the first line of either output that is JSON of this event. */
  said(event: string): Promise<Record<string, unknown>>
  /** Every line of both outputs so far. */
  lines: string[]
  /** Once npm, and everything that holds its outputs, is gone: what npm ended by. */
  gone: Promise<number | NodeJS.Signals>
}

/** Starts `npm run …` as a shell with job control does: in a process group of its own, with settings for a test. */
export function npm(args: string[], settings: Record<string, string>): NpmChild {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn('npm', ['run', '--silent', ...args], {
    cwd: root,
    env: { PATH, HOME, HOST: '127.0.0.1', ...Object.fromEntries(ports), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const gone = once(child, 'close').then(([code, signal]) => code ?? signal)
  onTestFinished(() => dropGroup(child.pid!))
  const lines: string[] = []
  for (const output of [child.stdout, child.stderr])
    createInterface(output).on('line', (line) => {
      lines.push(line)
      child.emit('said')
    })
  return {
    pid: child.pid!,
    lines,
    gone,
    async said(event) {
      for (;;) {
        const line = lines.find((text) => text.includes(`"event":"${event}"`))
        if (line) return JSON.parse(line)
        const isOver = await Promise.race([once(child, 'said').then(() => false), gone.then(() => true)])
        if (isOver) throw new Error(`it ended before ${event}:\n${lines.join('\n')}`)
      }
    },
  }
}

function dropGroup(pid: number) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // As it should be: nobody is left.
  }
}

/** Command lines of running processes that name this directory; empty where there is no /proc. */
export function runningOver(dataDir: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const command = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
      return command.includes(dataDir) ? [command.replaceAll('\0', ' ')] : []
    } catch {
      // Gone since it was listed.
      return []
    }
  })
}
