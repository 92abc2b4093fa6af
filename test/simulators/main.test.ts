import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { boxId, key, type Server, server } from './answering-server.ts'

const main = new URL('../../simulators/main.ts', import.meta.url).pathname
const servers: Server[] = []
const sockets = new Set<Socket>()
const arrivals: ((one: Server) => void)[] = []
const net = createServer((socket) => {
  sockets.add(socket)
  const one = server(socket)
  servers.push(one)
  arrivals.shift()?.(one)
})
let port = 0

beforeAll(async () => {
  await once(net.listen(0, '127.0.0.1'), 'listening')
  port = (net.address() as AddressInfo).port
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await once(net.close(), 'close')
})

const arrival = () => new Promise<Server>((resolve) => arrivals.push(resolve))

function run(args: string[], input?: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } })
  if (input !== undefined) child.stdin.end(input)
  const done = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
    ([stdout, stderr, [code]]) => ({ stdout, stderr, code }),
  )
  return { child, done }
}

const cabinet = (...more: string[]) => ['cabinet', '--box-id', boxId, '--key', key, '--port', `${port}`, ...more]
const events = (stdout: string) => stdout.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []))

test('a script that holds ends with 0, and every frame was a line of JSON', async () => {
  const { done } = run(cabinet('--script', '-'), 'wait login\nexpect banks 4')
  const { stdout, stderr, code } = await done
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(events(stdout).map(({ event, kind }) => [event, kind])).toEqual([
    ['connected', undefined],
    ['said', 'login'],
    ['heard', 'login'],
    ['closed', undefined],
  ])
})

test('the port of the settings is dialled where none is given', async () => {
  const here = ['cabinet', '--box-id', boxId, '--key', key, '--script', '-']
  const { code, stderr } = await run(here, 'wait login', { CABINET_PORT: `${port}` }).done
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test('whom a cabinet cannot reach is named by host and port', async () => {
  const { stdout, stderr } = await run(
    ['cabinet', '--key', key, '--port', '1', '--script', '-'],
    'wait closed\nwait login within 1ms',
  ).done
  const [closed] = events(stdout)
  expect(closed).toMatchObject({ event: 'closed', reason: 'ECONNREFUSED 127.0.0.1:1' })
  expect(stderr).toContain('did not happen within 1ms; the link was closed last: ECONNREFUSED 127.0.0.1:1')
})

test('a script that fails ends with 1 and says which line', async () => {
  const { stderr, code } = await run(cabinet('--script', '-'), 'wait login\nexpect banks 5').done
  expect({ stderr, code }).toEqual({ stderr: 'cabinet: line 2: expect banks 5: it is 4\n', code: 1 })
})

test('left to itself a cabinet lives until it is told to stop', async () => {
  const arrived = arrival()
  const { child, done } = run(
    cabinet('--instant', '--dialect', 'A', '--banks', 'RL1H94001291', '--fault', 'jam', '--fault', 'twice'),
  )
  const one = await arrived
  await one.next('login')
  one.tell({ kind: 'inventory' })
  expect((await one.next('inventory')).banks).toMatchObject([{ slot: 1, bankId: '524C314894001291' }])
  one.tell({ kind: 'eject', slot: 1 })
  for (let times = 0; times < 2; times++) expect(await one.next('eject')).toMatchObject({ ok: false })
  child.kill('SIGTERM')
  expect(await done).toMatchObject({ code: 0, stderr: '' })
})

test.each([
  [['cabinet', '--slot', '8'], "Unknown option '--slot'"],
  [['cabinet'], 'needs its key'],
  [['cabinet', '--key', key, '--slots', '0'], '--slots 0'],
  [['cabinet', '--key', key, '--banks', '9'], '--banks 9'],
  [['cabinet', '--key', key, '--fault', 'none'], '--fault none'],
  [['cabinet', '--key', key, '--host', '192.0.2.1'], 'say --allow-remote'],
  [['cabinet', '--key', key, '--script', '/nowhere'], '--script /nowhere'],
  [['fleet', '--key', key, '--cabinets', 'many'], '--cabinets many'],
  [['fleet'], 'needs its key'],
  [['fleet', '--keys-file', '/nowhere'], '--keys-file /nowhere'],
])('%j is one clear line and exit 2', async (args, message) => {
  const { stdout, stderr, code } = await run(args, '').done
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toContain(message)
})

test('a fleet stops by itself and sums up in JSON', async () => {
  const args = [
    '--cabinets',
    '20',
    '--key',
    key,
    '--port',
    `${port}`,
    '--seconds',
    '1.2',
    '--heartbeat',
    '0.5',
    '--json',
  ]
  const { stdout, stderr, code } = await run(['fleet', ...args]).done
  const [summary] = events(stdout)
  expect(summary).toMatchObject({ cabinets: 20, online: 20, logins: 20, failed: 0, failures: {} })
  expect(summary.heartbeat.p99_ms).toBeGreaterThan(0)
  expect(events(stderr)[0]).toMatchObject({ seconds: 1, online: 20 })
  expect(code).toBe(0)
})

test('a fleet may have a name and a key for each', async () => {
  const arrived = [arrival(), arrival()]
  const folder = await mkdtemp(`${tmpdir()}/voltbay-`)
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = `${folder}/keys`
  await writeFile(file, `BOX1 ${key} # the first\n\nBOX2 ${key}\n`)
  const { done } = run(['fleet', '--keys-file', file, '--port', `${port}`, '--seconds', '0.5'])
  const logins = await Promise.all(arrived.map(async (one) => (await one).next('login')))
  expect(logins.map(({ boxId }) => boxId).sort()).toEqual(['BOX1', 'BOX2'])
  expect(await done).toMatchObject({ code: 0 })
})

test('a demo takes its keys by standard input and ends with it', async () => {
  const arrived = arrival()
  const { child, done } = run(['demo'])
  const stations = [{ boxId, key, dialect: 'B', slots: 4, banks: 2 }]
  child.stdin.write(`${JSON.stringify({ host: '127.0.0.1', port, stations })}\n`)
  const one = await arrived
  expect((await one.next('login')).banks).toHaveLength(2)
  child.stdin.end()
  const { stdout, stderr, code } = await done
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(events(stdout)).toMatchObject([{ boxId, event: 'closed', reason: 'switched off' }])
})

test('a demo that is told nonsense says so', async () => {
  for (const line of ['{', '{}', 'null']) {
    const { stderr, code } = await run(['demo'], line).done
    expect(code).toBe(2)
    expect(stderr).toMatch(/^demo: .+\n$/)
  }
})
