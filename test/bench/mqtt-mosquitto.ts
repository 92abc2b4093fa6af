import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { scratchPrefix } from '../server.ts'

/** Where packages put it, which is not on everybody's PATH. */
const places = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/sbin']
const startMsMax = 10_000
const tryEachMs = 20

export interface Mosquitto {
  port: number
  end(): Promise<void>
}

/** A port that was free just now: Mosquitto takes none by itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isThere = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isThere
}

async function started(child: ChildProcess, port: number): Promise<void> {
  const from = performance.now()
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() - from > startMsMax) throw new Error('mosquitto does not start')
    await pause(tryEachMs)
  }
}

/** Mosquitto as it comes, writing nothing down; null where it is not installed. */
export async function mosquitto(): Promise<Mosquitto | null> {
  const program = places.map((place) => join(place, 'mosquitto')).find(existsSync)
  if (program === undefined) return null
  const folder = mkdtempSync(join(tmpdir(), `${scratchPrefix}${process.pid}-mosquitto-`))
  const file = join(folder, 'mosquitto.conf')
  const port = await freePort()
  const settings = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'set_tcp_nodelay true', 'log_dest none']
  writeFileSync(file, `${[...settings, 'persistence false', ''].join('\n')}`)
  const child = spawn(program, ['-c', file], { stdio: 'ignore' })
  // Also where the benchmark is given up.
  process.once('exit', () => child.kill())
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill()) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await started(child, port)
  } catch (error) {
    await end()
    throw error
  }
  return { port, end }
}
