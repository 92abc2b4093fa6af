import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A database behind a wire that this test holds. */
export interface Wire {
  /** The same database, by this wire. */
  url: string
  /** Nothing passes any more, in either direction; whoever dials is let in and hears nothing, as of a stopped process. */
  freeze(): void
  /** All that waited passes. */
  thaw(): void
  /** The next connection is let in, and hears nothing. */
  loseOne(): void
  /** Every connection is cut, and no new one is taken. */
  cut(): void
}

/** Lays a wire to the database of `url`, gone with the test. */
export async function proxied(url: string): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let isFrozen = false
  let isCut = false
  let lost = 0
  const join = (socket: Socket, peer: Socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => peer.write(chunk))
    socket.once('close', () => {
      sockets.delete(socket)
      peer.destroy()
    })
    socket.on('error', () => {})
    if (isFrozen) socket.pause()
  }
  const server = createServer((near) => {
    if (isCut) return void near.destroy()
    if (lost > 0) {
      lost -= 1
      sockets.add(near.on('error', () => {}))
      return
    }
    const far = dial(Number(port), hostname)
    join(near, far)
    join(far, near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  const laid = new URL(url)
  laid.hostname = '127.0.0.1'
  laid.port = String((server.address() as AddressInfo).port)
  return {
    url: laid.href,
    freeze() {
      isFrozen = true
      for (const socket of sockets) socket.pause()
    },
    thaw() {
      isFrozen = false
      for (const socket of sockets) socket.resume()
    },
    loseOne: () => void lost++,
    cut,
  }
}
