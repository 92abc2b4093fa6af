import { releaseNode } from '../db/devices/connections.ts'
import { within } from '../db/platform/patience.ts'
import { drop, finish } from './connection.ts'
import { holdAll, settle } from './device-handlers.ts'
import type { GatewayNode } from './node.ts'

/** How long devices may take to close their side when we stop. */
const goodbyeMs = 1_000

/** How long what was heard may take; what is left then was never acknowledged and is said again. */
const workMs = 5_000

/**
 * Reads nothing new, stores and acknowledges what was heard, gives the devices back in one statement and closes their
 * connections. They dial again, wherever somebody answers. Call it when nothing accepts and no clock runs any more.
 */
export async function shutDown(node: GatewayNode): Promise<void> {
  node.isClosing = true
  const connections = [...node.connections]
  const closed = Promise.all(connections.map(({ stream }) => new Promise((resolve) => stream.once('close', resolve))))
  for (const connection of connections) finish(connection, 'gateway_stopped')
  await within(workMs, Promise.all(connections.map(({ running }) => running)))
  for (const connection of connections) if (connection.running) drop(connection, 'gateway_stopped')
  // Connections that closed just before are still being written down.
  await node.limiter.idle()
  await node.dispatcher.settled()
  try {
    await node.db.transaction(async (tx) => {
      const { ended } = await releaseNode(tx, node.name, holdAll(node.kinds))
      await settle(tx, node.kinds, ended)
    })
  } catch (error) {
    node.log('node.not_released', { error })
  }
  await within(goodbyeMs, closed)
  for (const { stream } of connections) stream.destroy()
}
