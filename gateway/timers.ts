import { expire } from '../db/devices/commands.ts'
import { seen } from '../db/devices/connections.ts'
import { sweep } from '../db/powerbank/janitor.ts'
import { holdStations } from '../db/powerbank/station-lock.ts'
import { settle } from './aftermaths.ts'
import { finish, tick } from './connection.ts'
import type { LogThrottle } from './log-throttle.ts'
import type { GatewayNode } from './node.ts'

const minuteMs = 60_000

/** What happens by the clock: one timer for the whole node, however many cabinets it holds. */
export interface Timers {
  /** Resolves when nothing it began is under way. */
  stop(): Promise<void>
}

/** Writes when the cabinets were last heard, and learns which of them have gone to another node. */
async function writeSeen(node: GatewayNode, sinceMs: number): Promise<void> {
  const heard: number[] = []
  for (const session of node.sessions.all()) if (session.heardAt >= sinceMs) heard.push(session.stationId)
  if (heard.length === 0) return
  const owned = new Set(await seen(node.db.sql, node.name, heard))
  for (const stationId of heard) {
    const session = owned.has(stationId) ? undefined : node.sessions.get(stationId)
    if (session) finish(session.connection, 'superseded')
  }
}

/** Ends the commands that are overdue, of every kind of device. @returns how many there were */
const endOverdue = ({ db, aftermaths }: GatewayNode) =>
  db.transaction(async (tx) => {
    const ended = await expire(tx, holdStations)
    await settle(tx, aftermaths, ended)
    return ended.length
  })

/** Starts the clock. Nothing it does can throw: a database that is away is logged once, and once when it is back. */
export function startTimers(node: GatewayNode, logThrottle: LogThrottle): Timers {
  const { limits, clock } = node
  let writing: Promise<void> | null = null
  let seenAt = clock.now
  let minuteAt = clock.now

  async function work() {
    try {
      if ((await endOverdue(node)) > 0) node.dispatcher.ringAll()
      await sweep(node.db, node.name)
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
    logThrottle.tick()
    writing ??= work().finally(() => {
      writing = null
    })
  }, limits.tickMs)

  return {
    async stop() {
      clearInterval(timer)
      await writing
    },
  }
}
