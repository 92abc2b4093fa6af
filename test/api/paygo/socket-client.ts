import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

/** A client of our WebSockets; gone with the test. */
export function client(url: string, protocols: string[] = [], headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, protocols, { headers })
  onTestFinished(() => socket.terminate())
  const messages: any[] = []
  const waiting = new Set<() => void>()
  const look = () => {
    for (const one of waiting) one()
  }
  let code: number | null = null
  const closed = new Promise<number>((done, failed) =>
    socket.on('error', failed).on('close', (given) => {
      code = given
      done(given)
      look()
    }),
  )
  closed.catch(() => {})
  socket.on('message', (bytes) => {
    messages.push(JSON.parse(String(bytes)))
    look()
  })
  let read = 0
  /** The next message of one of these types, those before it passed over. */
  const next = (...types: string[]): Promise<any> =>
    new Promise((done, failed) => {
      const one = () => {
        while (read < messages.length) {
          const message = messages[read++]
          if (types.length > 0 && !types.includes(message.type)) continue
          waiting.delete(one)
          return done(message)
        }
        if (code === null) return
        waiting.delete(one)
        failed(new Error(`closed with ${code}`))
      }
      waiting.add(one)
      one()
    })
  return { socket, messages, closed, next, say: (what: unknown) => socket.send(JSON.stringify(what)) }
}
