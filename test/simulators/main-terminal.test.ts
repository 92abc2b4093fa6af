import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { key, terminalCode } from '../protocol/terminal-stage.ts'
import { tcpHost } from './terminal-host.ts'

vi.setConfig({ testTimeout: 60_000 })

const main = new URL('../../simulators/main.ts', import.meta.url).pathname

async function run(args: string[], input = '') {
  const child = spawn(process.execPath, [main, 'terminal', ...args])
  child.stdin.end(input)
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  const [stdout, stderr, [code]] = await ended
  return { stdout, stderr, code }
}
const events = (stdout: string) => stdout.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []))
const who = ['--serial', terminalCode, '--key', key]

test('a script that holds ends with 0, one that does not with 1 and the line; nothing that is told has a card', async () => {
  const { port } = await tcpHost()
  const scripted = (script: string) => run([...who, '--port', `${port}`, '--script', '-'], script)
  const good = await scripted('wait login\nbuy 1.50 typed\nwait approved\nexpect debited 1.50')
  expect(good).toMatchObject({ code: 0, stderr: '' })
  expect(events(good.stdout).map(({ event, kind }) => kind ?? event)).toEqual([
    ...['connected', 'login', 'login', 'purchase', 'purchase', 'approved', 'closed'],
  ])
  expect(good.stdout).not.toContain('4242424242424242')
  const bad = await scripted('wait login\nexpect debits 1')
  expect(bad).toMatchObject({ code: 1, stderr: 'terminal: line 2: expect debits 1: it is 0\n' })
})

test('a refused sign-on ends a script with 1', async () => {
  const { port } = await tcpHost(() => ({ kind: 'refused' }))
  const { code, stderr } = await run([...who, '--port', `${port}`, '--script', '-'], 'wait login code=00')
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'terminal: the sign-on was refused: 58\n' })
})

test.each([
  [['--key', key], '--serial is wanted'],
  [['--serial', 'a-long-serial', '--key', key], 'say --code'],
  [['--serial', terminalCode, '--key', 'beef'], '--key: 64 hex digits'],
  [[...who, '--host', '192.0.2.1'], '--allow-remote'],
  [[...who, '--fault', 'nothing'], '--fault nothing'],
  [[...who, '--fault', 'retained'], 'over MQTT'],
  [[...who, '--tls'], '--tls goes with --port'],
  [[...who, '--tpdu', '00'], '--tpdu 00'],
  [[...who, '--script', '/nowhere'], '--script /nowhere'],
])('%j is one clear line and exit 2, and names no key', async (args, message) => {
  const { stdout, stderr, code } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain('beef')
})
