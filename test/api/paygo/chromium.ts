import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser that is installed here, by its command; undefined: none. */
export const installed = () => names.find((name) => spawnSync(name, ['--version']).status === 0)

/** A page of a headless browser, told what to do by its own protocol (CDP); gone with the test. */
export async function page(command: string) {
  const profile = mkdtempSync(join(tmpdir(), 'voltbay-chromium-'))
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-port=0']
  const child = spawn(command, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await gone
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  const address = await new Promise<string>((done, failed) => {
    child.once('error', failed).once('exit', () => failed(new Error(`${command} ended before it listened`)))
    createInterface(child.stderr).on('line', (line) => {
      const [, found] = /DevTools listening on (ws:\S+)/.exec(line) ?? []
      if (found) done(found)
    })
  })
  const socket = new WebSocket(address)
  await new Promise((done, failed) => socket.once('open', done).once('error', failed))
  const waiting = new Map<number, (answer: any) => void>()
  socket.on('message', (bytes) => {
    const { id, ...answer } = JSON.parse(String(bytes))
    waiting.get(id)?.(answer)
    waiting.delete(id)
  })
  let last = 0
  const ask = (method: string, params: object, sessionId?: string) =>
    new Promise<any>((done, failed) => {
      waiting.set(++last, ({ result, error }) => (error ? failed(new Error(error.message)) : done(result)))
      socket.send(JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) }))
    })
  const { targetId } = await ask('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true })
  return {
    /** What an expression comes to in the page, waited for. */
    async run(expression: string): Promise<any> {
      const told = { expression, awaitPromise: true, returnByValue: true }
      const { result, exceptionDetails } = await ask('Runtime.evaluate', told, sessionId)
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
      return result.value
    },
  }
}
