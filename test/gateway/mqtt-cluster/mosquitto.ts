import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Where Debian puts it is not on everybody's PATH. */
const places = ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto']

const runs = (program: string) => {
  try {
    // It has no --version; its help ends with 3 in some versions, so any answer will do.
    return execFileSync(program, ['-h'], { stdio: ['ignore', 'pipe', 'ignore'] }).includes('mosquitto')
  } catch (error) {
    return String((error as { stdout?: Buffer }).stdout ?? '').includes('mosquitto version')
  }
}

/** The Mosquitto of this machine; null where there is none. */
export const mosquittoProgram: string | null = places.find(runs) ?? null
if (mosquittoProgram === null) console.warn('no mosquitto on this machine: what is promised behind it was not tried')

/** A running Mosquitto, open to everybody on this machine. */
export interface Mosquitto {
  port: number
  url: string
  stop(): Promise<void>
  /** The same port and what it had written down, in a new process. */
  start(): Promise<void>
}

/** A port that was free just now: Mosquitto 2.0 takes none by itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves once somebody listens there; an attempt ends by itself, so nothing is slept through. */
async function listens(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = dial(port, '127.0.0.1')
    const isThere = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    )
    socket.destroy()
    if (isThere) return
  }
  throw new Error(`mosquitto ended with ${child.exitCode}`)
}

/** Starts a Mosquitto for one test. */
export async function mosquitto(): Promise<Mosquitto> {
  const home = mkdtempSync(join(tmpdir(), 'voltbay-mosquitto-'))
  const port = await freePort()
  const file = join(home, 'mosquitto.conf')
  writeFileSync(
    file,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\nuser root\n`,
  )
  let child: ChildProcess | null = null
  const start = async () => {
    child = spawn(mosquittoProgram!, ['-c', file], { stdio: 'ignore' })
    await listens(port, child)
  }
  const stop = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    await once(child, 'exit')
  }
  await start()
  onTestFinished(async () => {
    await stop()
    rmSync(home, { recursive: true, force: true })
  })
  return { port, url: `mqtt://127.0.0.1:${port}`, start, stop }
}
