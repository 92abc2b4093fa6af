import { expect, test, vi } from 'vitest'
import { startApi } from '../../../api/main.ts'
import { tell } from '../../../db/paygo/notices.ts'
import { startApiServer } from '../server.ts'
import { installed, page } from './chromium.ts'
import { stage } from './paygo-stage.ts'

// A whole browser: on a busy machine it takes its time.
vi.setConfig({ testTimeout: 60_000 })

const built = await startApiServer()
const { db } = built
const { member, config } = stage(built)

test('a browser holds its socket, hears its news, and reads why it is closed', async () => {
  const command = installed()
  if (!command) return console.log('no chromium is installed: no browser has held a socket')
  const api = await startApi({ config, db, log: () => {} })
  try {
    const me = await member()
    const { run } = await page(command)
    const url = `ws://127.0.0.1:${api.port}/ws/notifications`
    const hold = (name: string, ...how: unknown[]) =>
      run(`{
      const socket = new WebSocket(...${JSON.stringify(how)})
      window.${name} = { socket, heard: [], closed: new Promise((done) => (socket.onclose = ({ code }) => done(code))) }
      socket.onmessage = ({ data }) => {
        window.${name}.heard.push(JSON.parse(data))
        window.${name}.wake?.()
      }
    }`)
    const nth = (name: string, n: number) =>
      run(`(async () => {
        while (${name}.heard.length <= ${n}) await new Promise((done) => (${name}.wake = done))
        return ${name}.heard[${n}]
      })()`)
    await hold('news', url, ['bearer', me.token])
    expect(await nth('news', 0)).toMatchObject({ type: 'connected', data: { unread: 0 } })
    expect(await run('news.socket.protocol')).toBe('bearer')
    await db.transaction((tx) => tell(tx, me.id, 'account.locked', { minutes: 15 }, 'securityAlerts'))
    expect(await nth('news', 1)).toMatchObject({ type: 'notification', data: { kind: 'account.locked' } })
    await run(`news.socket.send('{"type":"ping"}')`)
    expect(await nth('news', 2)).toMatchObject({ type: 'pong' })
    await hold('forged', `${url}?token=nonsense`)
    expect(await run('forged.closed')).toBe(4401)
    await hold('watching', `ws://127.0.0.1:${api.port}/ws/terminals/terminal1`, ['bearer', me.token])
    expect(await run('watching.closed')).toBe(4403)
    await run(`for (let n = 0; n < 301; n++) news.socket.send('{"type":"ping"}')`)
    expect(await run('news.closed')).toBe(1008)
  } finally {
    await api.close()
  }
})
