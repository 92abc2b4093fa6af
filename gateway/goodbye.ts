import { releaseNode } from '../db/connections.ts'
import type { GatewayNode } from './node.ts'

/** How long cabinets may take to close their side when we stop. */
const goodbyeMs = 1_000

/**
 * Reads nothing new, stores and acknowledges what was heard, gives the cabinets back in one statement and closes their
 * connections. They dial again, wherever somebody answers. Call it when nothing accepts and no clock runs any more.
 */
export async function goodbye(node: GatewayNode): Promise<void> {
  node.isClosing = true
  const links = [...node.links]
  const closed = Promise.all(links.map(({ stream }) => new Promise((resolve) => stream.once('close', resolve))))
  for (const link of links) link.carrier.finish('gateway_stopped')
  await Promise.all(links.map((link) => link.running))
  // Connections that closed just before are still being written down.
  await node.gate.idle()
  await node.courier.settled()
  try {
    await node.db.transaction((tx) => releaseNode(tx, node.name))
  } catch (error) {
    node.log('node.not_released', { error })
  }
  const patience = Promise.withResolvers<void>()
  const timer = setTimeout(patience.resolve, goodbyeMs)
  await Promise.race([patience.promise, closed])
  clearTimeout(timer)
  for (const link of links) link.stream.destroy()
}
