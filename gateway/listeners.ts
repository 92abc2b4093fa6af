import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { GatewayConfig } from './config.ts'
import type { MayEnter } from './connection-guard.ts'
import { count } from './counts.ts'
import { plain } from './networks.ts'
import type { GatewayNode } from './node.ts'
import { pairs } from './raw-socket.ts'

/** Connections the kernel holds for us when all cabinets dial at once. */
const backlog = 4_096
const keepAliveMs = 60_000
const handshakeMs = 15_000

/** How every device's connection is held. */
const line = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs, allowHalfOpen: true }

type Where = Pick<GatewayConfig, 'host' | 'reusePort'>

/** The port it listens on. Rejects with the system's error when it is taken. */
export const listening = (server: Server, port: number, { host, reusePort }: Where) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog, reusePort }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })

/** An open port, and its twin for TLS, where one was asked for. */
export interface Listener {
  port: number
  tlsPort: number | null
  /** Takes no new connection; the ones there are stay. */
  close(): void
}

/**
 * Opens a port for devices of any kind, and hands over who may `enter`. Rejects with the system's error when it is taken.
 * @param tls the same over TLS, on a port of its own
 */
export async function listen(
  node: GatewayNode,
  { port, tls, ...where }: Where & Pick<GatewayConfig, 'tls'> & { port: number },
  mayEnter: MayEnter,
  enter: (socket: Socket, address: string) => void,
): Promise<Listener> {
  const admit = (socket: Socket) => enter(socket, plain(socket.remoteAddress ?? ''))
  const servers = [createServer(line, (socket) => mayEnter(socket) && admit(socket))]
  if (tls) {
    const { cert, key } = tls
    const secure = createTlsServer({ ...line, cert, key, handshakeTimeout: handshakeMs })
    const { came, secured } = pairs()
    // Counted before the handshake, which costs more than all that follows.
    secure.on('connection', (socket: Socket) => mayEnter(socket) && came(socket))
    secure.on('secureConnection', (socket) => {
      secured(socket)
      admit(socket)
    })
    secure.on('tlsClientError', () => count(node.counts.turnedAway, 'tls_failed'))
    servers.push(secure)
  }
  const close = () => {
    for (const server of servers) server.close()
  }
  try {
    const ports = await Promise.all(servers.map((server, n) => listening(server, n === 0 ? port : tls!.port, where)))
    acceptsOn(node, servers)
    return { port: ports[0]!, tlsPort: ports[1] ?? null, close }
  } catch (error) {
    close()
    throw error
  }
}

/** An accept that fails (out of file descriptors) costs that connection, not the process. */
export function acceptsOn(node: GatewayNode, servers: readonly Server[]): void {
  for (const server of servers) server.on('error', (error) => node.log('accept.failed', { error }))
}
