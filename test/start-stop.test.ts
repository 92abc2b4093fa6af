import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type NpmChild, npm, runningOver } from './npm-child.ts'
import { tempDataDir } from './postgres.ts'

/** One directory for all, so that only the first start makes a cluster; each test leaves nobody behind. */
const dataDir = tempDataDir()
/** Longer than a signal's echo (db/platform/signals.ts). */
const secondSignalMs = 1_100
/** npm and a house are many processes: on a busy machine they take their time. */
const waitMs = 50_000
vi.setConfig({ testTimeout: 60_000 })

const nobodyLeft = (dir: string) => vi.waitFor(() => expect(runningOver(dir)).toEqual([]), { timeout: waitMs })
const events = ({ lines }: NpmChild) => lines.flatMap((line) => /"event":"([\w.]+)"/.exec(line)?.[1] ?? [])

const toNpm = (signal: NodeJS.Signals) => (pid: number) => process.kill(pid, signal)
/** As the terminal does it. */
const toGroup = (signal: NodeJS.Signals) => (pid: number) => process.kill(-pid, signal)

test.each([
  ['start', 'kill', toNpm('SIGTERM'), 'SIGTERM'],
  ['start', 'kill -INT', toNpm('SIGINT'), 'SIGINT'],
  ['start', 'kill -HUP', toNpm('SIGHUP'), 'SIGTERM'],
  ['start', 'kill -9', toNpm('SIGKILL'), 'SIGTERM'],
  ['start', 'Ctrl-C', toGroup('SIGINT'), 'SIGINT'],
  ['start', 'a closed terminal', toGroup('SIGHUP'), 'SIGHUP'],
  ['demo', 'kill', toNpm('SIGTERM'), 'SIGTERM'],
  ['demo', 'Ctrl-C', toGroup('SIGINT'), 'SIGINT'],
  ['gateway', 'kill', toNpm('SIGTERM'), 'SIGTERM'],
  ['api', 'kill', toNpm('SIGTERM'), 'SIGTERM'],
] as const)('npm run %s, ended by %s, leaves nothing behind', async (script, _, end, heard) => {
  const house = npm([script], { DATA_DIR: dataDir })
  const name = script === 'gateway' || script === 'api' ? script : 'voltbay'
  await house.said(`${name}.ready`)
  end(house.pid)
  await house.gone
  expect(await house.said(`${name}.stopping`)).toMatchObject({ signal: heard })
  expect(events(house).slice(-1)).toEqual(['database.stopped'])
  expect(events(house).filter((event) => event.endsWith('.stopping'))).toHaveLength(1)
  await nobodyLeft(dataDir)
})

test.each([
  ['kill', toNpm('SIGTERM')],
  ['kill -HUP', toNpm('SIGHUP')],
  ['Ctrl-C', toGroup('SIGINT')],
] as const)('npm run sim, ended by %s, is switched off and gone', async (_, end) => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cabinet = npm(['sim', '--', 'cabinet', '--dialect', 'A', '--port', `${port}`], {})
  await cabinet.said('connected')
  end(cabinet.pid)
  await cabinet.gone
  expect(await cabinet.said('closed')).toMatchObject({ reason: 'switched off' })
})

test('told a second time while it stops, it ends at once', async () => {
  const house = npm(['start'], { DATA_DIR: dataDir })
  const { api } = await house.said('voltbay.ready')
  // A request whose body never comes keeps the API open for long.
  const slow = connect(Number(new URL(String(api)).port), '127.0.0.1').on('error', () => {})
  slow.write('POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{')
  await once(slow, 'connect')
  process.kill(house.pid, 'SIGTERM')
  await house.said('voltbay.stopping')
  const closed = once(slow, 'close')
  await pause(secondSignalMs)
  process.kill(house.pid, 'SIGTERM')
  expect(await house.gone).toBe(128 + 15)
  await closed
  await nobodyLeft(dataDir)
})

test.each(['database.started', 'draft'])(
  'told to end while it starts (%s), it takes its database with it',
  async (at) => {
    const dir = at === 'draft' ? tempDataDir() : dataDir
    const house = npm(['start'], { DATA_DIR: dir })
    const isMaking = () =>
      expect(readdirSync(join(dir, 'postgres')).some((name) => name.startsWith('draft-'))).toBe(true)
    if (at === 'draft') await vi.waitFor(isMaking, { timeout: waitMs, interval: 1 })
    else await house.said(at)
    process.kill(house.pid, 'SIGTERM')
    expect(await house.gone).toBe(128 + 15)
    expect(events(house)).not.toContain('voltbay.ready')
    await nobodyLeft(dir)
  },
)
