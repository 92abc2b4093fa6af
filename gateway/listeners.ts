import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { GatewayConfig } from './config.ts'
import { count } from './counts.ts'
import { family, networks, plain } from './networks.ts'
import type { GatewayNode } from './node.ts'
import { serve } from './tcp/tcp-frames.ts'

/** Connections the kernel holds for us when all cabinets dial at once. */
const backlog = 4_096
const keepAliveMs = 60_000
export const handshakeMs = 15_000

/** How every device's connection is held. */
export const line = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs, allowHalfOpen: true }

/** The open doors. */
export interface Listeners {
  ports: { cabinet: number; cabinetTls: number | null }
  /** Takes no new connection; the ones there are stay. */
  close(): void
}

/** Who may come in at any of the doors: by address, by number, by number of one address. Counts it until it is closed. */
export type MayEnter = (socket: Socket) => boolean

/** @throws RangeError */
export function connectionGuard(node: GatewayNode, allow: readonly string[]): MayEnter {
  const { connectionsMax, connectionsPerAddressMax } = node.limits
  const allowed = networks(allow)
  const perAddress = new Map<string, number>()
  let all = 0
  const reasonToRefuse = (address: string) => {
    if (allowed && !allowed.check(address, family(address))) return 'address_not_allowed'
    if (all >= connectionsMax) return 'too_many_connections'
    return (perAddress.get(address) ?? 0) >= connectionsPerAddressMax ? 'too_many_of_one_address' : null
  }
  return (socket) => {
    const address = plain(socket.remoteAddress ?? '')
    const reason = reasonToRefuse(address)
    if (reason !== null) {
      count(node.counts.turnedAway, reason)
      socket.destroy()
      return false
    }
    node.counts.accepted += 1
    all += 1
    perAddress.set(address, (perAddress.get(address) ?? 0) + 1)
    // It comes once; `once` would keep two more functions for every connection.
    socket.on('close', () => {
      all -= 1
      const left = perAddress.get(address)! - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
    return true
  }
}

/** The port it listens on. Rejects with the system's error when it is taken. */
export const listening = (
  server: Server,
  port: number,
  { host, reusePort }: Pick<GatewayConfig, 'host' | 'reusePort'>,
) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog, reusePort }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })

/** Opens the cabinets' ports. Rejects with the system's error when one is taken. */
export async function listen(node: GatewayNode, config: GatewayConfig, mayEnter: MayEnter): Promise<Listeners> {
  const enter = (socket: Socket) => serve(socket, plain(socket.remoteAddress ?? ''), node)
  const tcp = createServer(line, (socket) => {
    if (mayEnter(socket)) enter(socket)
  })
  const servers = [tcp]
  const ports = { cabinet: await listening(tcp, config.cabinetPort, config), cabinetTls: null as number | null }
  if (config.tls) {
    const { cert, key, port } = config.tls
    const tls = createTlsServer({ ...line, cert, key, handshakeTimeout: handshakeMs })
    // Counted before the handshake, which costs more than all that follows.
    tls.on('connection', mayEnter)
    tls.on('secureConnection', enter)
    tls.on('tlsClientError', () => count(node.counts.turnedAway, 'tls_failed'))
    ports.cabinetTls = await listening(tls, port, config)
    servers.push(tls)
  }
  // An accept that fails (out of file descriptors) costs that connection, not the process.
  for (const server of servers) server.on('error', (error) => node.log('accept.failed', { error }))
  return {
    ports,
    close() {
      for (const server of servers) server.close()
    },
  }
}
