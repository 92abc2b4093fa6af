import { releaseNode } from '../db/devices/connections.ts'
import { holdStations } from '../db/powerbank/station-lock.ts'
import { settle } from './aftermaths.ts'
import { drop, finish } from './connection.ts'
import type { GatewayNode } from './node.ts'

/** How long cabinets may take to close their side when we stop. */
const goodbyeMs = 1_000

/** How long what was heard may take; what is left then was never acknowledged and is said again. */
const workMs = 5_000

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
      const { ended } = await releaseNode(tx, node.name, holdStations)
      await settle(tx, node.aftermaths, ended)
    })
  } catch (error) {
    node.log('node.not_released', { error })
  }
  await within(goodbyeMs, closed)
  for (const { stream } of connections) stream.destroy()
}
