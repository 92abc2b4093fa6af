import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { serve, usage } from './child.ts'

/** As many dial at once: more would wait in the kernel's queue. */
const atOnce = 50
const hold: WebSocket[] = []

const skills = {
  /** A bare server of WebSockets, which greets and says nothing more. */
  async listen(): Promise<number> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    server.on('connection', (socket) => socket.send('{"type":"connected"}'))
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  /** Dials so many sockets, each greeted before the next of its line dials, and holds them. */
  async dial({ url, tokens, count }: { url: string; tokens: readonly string[]; count: number }): Promise<void> {
    let dialled = 0
    const line = async () => {
      while (dialled < count) {
        const token = tokens[dialled++ % tokens.length]
        const socket = new WebSocket(url, { headers: token ? { authorization: `Bearer ${token}` } : {} })
        await Promise.race([
          once(socket, 'message'),
          once(socket, 'close').then(([code]) => Promise.reject(new Error(`closed: ${code}`))),
        ])
        hold.push(socket)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, line))
  },
  /** How many of them are open still. */
  open: () => hold.filter((socket) => socket.readyState === WebSocket.OPEN).length,
  usage,
}

/** For `start`. */
export type SocketsChild = typeof skills

serve(skills)
