import { releaseNode } from '../db/devices/connections.ts'
import type { GatewayNode } from './node.ts'
import type { Link } from './tcp/tcp-connection.ts'

/** How long cabinets may take to close their side when we stop. */
const goodbyeMs = 1_000

/** How long what was heard may take; what is left then was never acknowledged and is said again. */
const workMs = 5_000

/** What ends here: a TCP connection, or one of the broker's. */
type Farewell = Pick<Link, 'stream' | 'carrier' | 'running'>

/** Waits for work, or for so long. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const patience = Promise.withResolvers<void>()
  const timer = setTimeout(patience.resolve, milliseconds)
  await Promise.race([patience.promise, work])
  clearTimeout(timer)
}

/**
 * Reads nothing new, stores and acknowledges what was heard, gives the cabinets back in one statement and closes their
 * connections. They dial again, wherever somebody answers. Call it when nothing accepts and no clock runs any more.
 */
export async function shutDown(node: GatewayNode): Promise<void> {
  node.isClosing = true
  const links: Farewell[] = [...node.links, ...node.lines]
  const closed = Promise.all(links.map(({ stream }) => new Promise((resolve) => stream.once('close', resolve))))
  for (const link of links) link.carrier.finish('gateway_stopped')
  await within(workMs, Promise.all(links.map((link) => link.running)))
  for (const link of links) if (link.running) link.carrier.cut('gateway_stopped')
  // Connections that closed just before are still being written down.
  await node.limiter.idle()
  await node.dispatcher.settled()
  try {
    await node.db.transaction((tx) => releaseNode(tx, node.name))
  } catch (error) {
    node.log('node.not_released', { error })
  }
  await within(goodbyeMs, closed)
  for (const link of links) link.stream.destroy()
}
