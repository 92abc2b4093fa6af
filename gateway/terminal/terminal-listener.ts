import type { GatewayConfig } from '../config.ts'
import { connectionGuard } from '../connection-guard.ts'
import { count } from '../counts.ts'
import { type Listener, listen } from '../listeners.ts'
import type { GatewayNode } from '../node.ts'
import type { TcpHandlers } from '../tcp/tcp-connection.ts'
import { serve } from '../tcp/tcp-frames.ts'
import type { TerminalConfig } from './config.ts'
import { mayCarryCards } from './plain-lines.ts'
import { terminal } from './terminal.ts'

/** What the gateway knows of terminals; nothing where it listens for none. */
export const terminalsOf = ({ terminal: config }: GatewayConfig): TcpHandlers[] =>
  config ? [terminal({ ...config, carrier: 'tcp' })] : []

/** Opens the port of payment terminals, and its twin for TLS. Rejects with the system's error when it is taken. */
export function listenTerminals(
  node: GatewayNode,
  { host, reusePort }: Pick<GatewayConfig, 'host' | 'reusePort'>,
  config: TerminalConfig,
): Promise<Listener> {
  const { port, tls } = config
  // It is there, for it was made with the node.
  const handlers = node.kinds.find(({ kind }) => kind === 'terminal') as TcpHandlers
  // Cabinets have networks of their own; terminals are let in by their keys.
  return listen(node, { host, reusePort, port, tls }, connectionGuard(node, []), (socket, address) => {
    if (mayCarryCards(config, socket, address)) return void serve(node, handlers, socket, address)
    count(node.counts.turnedAway, 'plain_line')
    socket.destroy()
  })
}
