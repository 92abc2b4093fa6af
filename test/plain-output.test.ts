import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, inject, test, vi } from 'vitest'
import { tempDataDir, testDb } from './postgres.ts'

vi.setConfig({ testTimeout: 120_000 })

const root = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
const { url } = await testDb()
const escapeCode = '\x1b'

/** A script of package.json as npm runs it, its outputs into pipes. */
async function run(script: string, args: string[], env: Record<string, string> = {}) {
  const [word, node, ...command] = scripts[script]!.split(' ')
  expect([word, node]).toEqual(['exec', 'node'])
  const { PATH = '', HOME = '' } = process.env
  const surroundings = { PATH, HOME, TERM: 'xterm-256color', DATABASE_URL: url, TEST_DATABASE_URL: inject('server') }
  const secrets = { JWT_SECRET: 'j'.repeat(32), KEYS_SECRET: 'k'.repeat(32), DATA_DIR: tempDataDir() }
  const child = spawn(process.execPath, [...command, ...args], {
    cwd: root,
    env: { ...surroundings, ...secrets, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number | null>((done) => child.once('close', done))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(stdout + stderr).not.toContain(escapeCode)
  return { code: await code, stdout, stderr }
}

test.each([
  ['start', []],
  ['gateway', []],
  ['api', []],
  ['migrate', []],
  ['user', []],
  ['ledger', []],
  ['getpro', []],
  ['inbox', []],
  ['sim', []],
  ['sim', ['cabinet']],
  ['sim', ['terminal']],
  ['sim', ['fleet']],
  ['sim', ['demo']],
  ['sim', ['provider']],
  ['frame', []],
  ['frame', ['decode']],
  ['frame', ['encode']],
  ['demo', []],
  ['bench', []],
  ['chaos', []],
  ['metal', []],
  ['docs', []],
  ['test', []],
])('npm run %s -- %j --help tells all on standard output, without colours', async (script, args) => {
  const { code, stdout, stderr } = await run(script, [...args, '--help'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.length).toBeGreaterThan(100)
})

test.each([
  ['start', [], { API_PORT: 'x' }],
  ['gateway', [], { METRICS_PORT: 'x' }],
  ['api', [], { API_PORT: 'x' }],
  ['start', ['--nope'], {}],
  ['start', ['nope'], {}],
  ['gateway', ['--nope'], {}],
  ['api', ['--nope'], {}],
  ['terminal', ['--nope'], {}],
  ['migrate', ['--nope'], {}],
  ['user', ['--nope'], {}],
  ['user', [], {}],
  ['ledger', ['nope'], {}],
  ['getpro', ['nope'], {}],
  ['getpro', ['balance', 'add', '1'], {}],
  ['inbox', ['nope'], {}],
  ['sim', [], {}],
  ['sim', ['nope'], {}],
  ['sim', ['cabinet', '--dialect', 'X'], {}],
  ['sim', ['cabinet', '--nope'], {}],
  ['sim', ['fleet', '--cabinets', 'many'], {}],
  ['frame', ['nope'], {}],
  ['frame', ['decode'], {}],
  ['frame', ['decode', '--frm', 'device', '00076101000B22D49F'], {}],
  ['frame', ['encode', '{"kind":"heartbeat"}', '--diallect=A'], {}],
  ['bench', ['--nope'], {}],
  ['chaos', ['--nope'], {}],
  ['docs', ['--nope'], {}],
])('npm run %s -- %j with %j is refused on standard error, without colours', async (script, args, env) => {
  const { code, stdout, stderr } = await run(script, args, env)
  expect(stdout).toBe('')
  expect(stderr).not.toBe('')
  expect([1, 2]).toContain(code)
})

test.each([
  ['migrate', [], 0, 'nothing to apply\n'],
  ['user', ['create', '--name', 'A', '--email', 'a@example.org', '--password', 'password123'], 0, '"name":"A"'],
  ['ledger', ['verify'], 0, 'the books are whole'],
  ['inbox', ['list'], 0, ''],
  ['frame', ['encode', '{"kind":"eject","slot":3}', '--key', 'k'], 0, '"ok":true'],
  ['frame', ['decode', '00'], 1, '"frames":[]'],
  ['sim', ['fleet', '--cabinets', '1', '--dialect', 'A', '--port', '1', '--seconds', '0.2'], 1, '"cabinets":1'],
  ['docs', ['--check'], 0, ''],
  ['test', ['test/house.test.ts', '-t', 'nothing is called so'], 1, '0 passed, 1 failed'],
  ['test', ['test/house.test.ts'], 0, ' passed, 0 failed\n'],
] as const)('npm run %s -- %j writes what it writes without colours', async (script, args, ending, said) => {
  const { code, stdout } = await run(script, [...args])
  expect(stdout).toContain(said)
  expect(code).toBe(ending)
})

test('NO_COLOR of any value is heard, and CI is no terminal', async () => {
  const args = ['test/house.test.ts', '-t', 'nothing is called so']
  await run('test', args, { NO_COLOR: 'yes', FORCE_COLOR: '1' })
  await run('test', args, { CI: 'true' })
  await run('sim', ['--help'], { NO_COLOR: 'yes', FORCE_COLOR: '1' })
})
