import { acquirerOf } from '../../db/paygo/acquirer-settings.ts'
import type { Carrier } from '../../protocol/terminal-iso8583/index.ts'
import type { GatewayConfig } from '../config.ts'
import { connectionGuard } from '../connection-guard.ts'
import { count } from '../counts.ts'
import { type Listener, listen } from '../listeners.ts'
import type { GatewayNode, NodeParts } from '../node.ts'
import type { TcpHandlers } from '../tcp/tcp-connection.ts'
import { serve } from '../tcp/tcp-frames.ts'
import type { TerminalConfig } from './config.ts'
import { mayCarryCards } from './plain-lines.ts'
import { terminal } from './terminal.ts'
import { openTill } from './till.ts'

/** What the gateway knows of terminals; null where it listens for none. */
export async function terminals({ db, log, config }: Pick<NodeParts, 'db' | 'log' | 'config'>) {
  const { terminal: settings } = config
  if (!settings) return null
  const acquirer = acquirerOf(db, settings.acquirer, (error) => log('settlement.failed', { error }))
  const till = await openTill({ db, log, acquirer })
  const over = (carrier: Carrier) => terminal({ ...settings, carrier }, till)
  return { till, handlers: over('tcp'), mqtt: { handlers: over('mqtt'), config: settings } }
}

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
