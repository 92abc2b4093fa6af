import { expire } from '../db/devices/commands.ts'
import { seen } from '../db/devices/connections.ts'
import { every } from '../db/platform/patience.ts'
import { finish, tick } from './connection.ts'
import { count } from './counts.ts'
import { holdAll, settle } from './device-handlers.ts'
import type { GatewayNode } from './node.ts'

const minuteMs = 60_000

/** Writes when the devices were last heard, and learns which of them have gone to another node. */
async function writeSeen(node: GatewayNode, sinceMs: number): Promise<void> {
  const heard: number[] = []
  for (const session of node.sessions.all()) if (session.heardAt >= sinceMs) heard.push(session.deviceId)
  if (heard.length === 0) return
  const owned = new Set(await seen(node.db.sql, node.name, heard))
  for (const deviceId of heard) {
    const session = owned.has(deviceId) ? undefined : node.sessions.get(deviceId)
    if (session) finish(session.connection, 'superseded')
  }
}

/** Ends the commands that are overdue, of every kind of device. @returns how many there were */
async function endOverdue({ db, kinds, counts }: GatewayNode): Promise<number> {
  const ended = await db.transaction(async (tx) => {
    const ended = await expire(tx, holdAll(kinds))
    await settle(tx, kinds, ended)
    return ended
  })
  for (const { kind } of ended) count(counts.unanswered, kind)
  return ended.length
}

/**
 * Starts what happens by the clock: two timers for the whole node, however many devices it holds. Nothing can throw: a
 * database that is away is logged once, and once when it is back.
 * @returns what stops it, when nothing it began is under way
 */
export function startTimers(node: GatewayNode): () => Promise<void> {
  const { limits, clock } = node
  let seenAt = clock.now
  let minuteAt = clock.now

  async function work() {
    try {
      if ((await endOverdue(node)) > 0) node.dispatcher.ringAll()
      for (const { sweep } of node.kinds) await sweep?.(node.db, node.name)
      if (clock.now - seenAt >= limits.seenIntervalMs) {
        const now = clock.now
        await writeSeen(node, seenAt)
        seenAt = now
        // Costs one look; a bell that was lost costs no more than this interval.
        node.dispatcher.ringAll()
      }
      if (!node.isDatabaseThere) node.log('database.back')
      node.isDatabaseThere = true
    } catch (error) {
      if (node.isDatabaseThere) node.log('database.away', { error })
      node.isDatabaseThere = false
    }
  }

  const timer = setInterval(() => {
    clock.now = performance.now()
    for (const connection of node.connections) tick(connection)
    if (clock.now - minuteAt >= minuteMs) {
      minuteAt = clock.now
      node.quarantinesLeft = limits.quarantinePerMinuteMax
    }
    node.throttle.tick()
  }, limits.tickMs)
  const stopWriting = every(limits.tickMs, work)

  return async () => {
    clearInterval(timer)
    await stopWriting()
  }
}
