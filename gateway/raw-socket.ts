import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

const under = new WeakMap<Duplex, Socket>()

/** Remembers which socket carries a stream that is more than a socket: TLS, WebSocket. */
export const carries = (socket: Socket, stream: Duplex): void => void under.set(stream, socket)

/** Ends a stream by a reset of the socket that carries it: what the kernel still has to send is thrown away. */
export function resetStream(stream: Duplex): void {
  const socket = under.get(stream) ?? stream
  // First: the one below ends by itself with the one above, and politely.
  if (socket instanceof Socket) socket.resetAndDestroy()
  if (socket !== stream) stream.destroy()
}

/** Tells for a TLS server which socket came before which secure one: Node hands over both, and no link between them. */
export function pairs() {
  const coming = new Map<string, Socket>()
  const name = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`
  return {
    came(socket: Socket): void {
      const key = name(socket)
      coming.set(key, socket)
      socket.once('close', () => coming.get(key) === socket && coming.delete(key))
    },
    secured(secure: Socket): void {
      const socket = coming.get(name(secure))
      coming.delete(name(secure))
      if (socket) carries(socket, secure)
    },
  }
}
