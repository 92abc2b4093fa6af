import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'

const choice = inject('broker')

/** False: neither a Mosquitto nor a container engine is here. */
export const hasMosquitto = choice !== null

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

const confOf = (listener: string) =>
  `listener ${listener}\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\nuser root\n`

/** A process on this port. Returns what ends it. */
async function startProgram(program: string, home: string, port: number) {
  const file = join(home, 'mosquitto.conf')
  writeFileSync(file, confOf(`${port} 127.0.0.1`))
  const child = spawn(program, ['-c', file], { stdio: 'ignore' })
  await listens(port, child)
  return async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    await once(child, 'exit')
  }
}

/** Starts a Mosquitto, or what was chosen in its place (test/engines.ts), for one test. */
export async function mosquitto(): Promise<Mosquitto> {
  const home = mkdtempSync(join(tmpdir(), 'voltbay-mosquitto-'))
  const port = await freePort()
  let stop = async () => {}
  const start = async () => {
    if ('program' in choice!) stop = await startProgram(choice.program, home, port)
    else stop = await (await import('../../containers.ts')).startBroker(choice!.image, port, confOf('1883'))
  }
  await start()
  onTestFinished(async () => {
    await stop()
    rmSync(home, { recursive: true, force: true })
  })
  return { port, url: `mqtt://127.0.0.1:${port}`, start, stop: () => stop() }
}
