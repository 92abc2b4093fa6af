import { seen } from '../../db/devices/connections.ts'
import {
  arrive,
  closeSilent,
  type MqttStation,
  stationBehind,
  stationsBehind,
} from '../../db/powerbank/mqtt-stations.ts'
import { codec } from '../../protocol/cabinet-mqtt/index.ts'
import { dialect, heartbeatSeconds, mqttCabinet } from '../cabinet/mqtt-login.ts'
import type { DeviceHandlers } from '../device-handlers.ts'
import { writeDown } from '../login.ts'
import type { GatewayNode } from '../node.ts'
import type { Addressee } from '../sessions.ts'

/** Cabinets a node remembers, at most; whoever was looked up first is looked up again. */
const knownMax = 100_000

/** A cabinet behind the broker, as this node remembers it. The rows know better. */
export interface Known extends Addressee {
  /** Its session's row is open, as far as this node knows. */
  isOpen: boolean
  /** The node's clock when this node last heard it. */
  heardAt: number
}

/** The cabinets behind a broker that is not ours. */
export interface Devices {
  /** Without a look at the rows. */
  remembered(boxId: string): Known | undefined
  get(stationId: number): Known | undefined
  /** Whose IMEI this is; an unauthorised one is written down for an operator. */
  find(boxId: string): Promise<Known | null>
  /**
   * Opens its session, unless it is open.
   * @param isLogin it dialled the broker just now
   * @returns true when it was opened
   */
  arrived(known: Known, isLogin: boolean): Promise<boolean>
  /** What is needed to bring commands to these cabinets, which other nodes may have heard. */
  prepare(rows: readonly { deviceId: number; epoch: number }[]): Promise<void>
  /** Its row has changed: it is looked up again. */
  forget(stationId: number): void
  /** Writes down who was heard since, and who has not been for too long. */
  write(sinceMs: number): Promise<void>
  count(): number
}

/** Cabinets by their two names, the longest known forgotten first. */
function memory(handlers: DeviceHandlers) {
  const byBox = new Map<string, Known>()
  const byStation = new Map<number, Known>()

  function forget(stationId: number) {
    const known = byStation.get(stationId)
    if (!known) return
    byStation.delete(stationId)
    byBox.delete(known.serial)
  }

  function remember(station: MqttStation): Known {
    forget(station.stationId)
    const known = knownOf(handlers, station)
    byBox.set(station.boxId, known)
    byStation.set(station.stationId, known)
    if (byBox.size > knownMax) forget(byStation.keys().next().value!)
    return known
  }
  return { byBox, byStation, forget, remember }
}

/** @param name of all nodes behind this broker, in the rows */
export function devices(node: GatewayNode, name: string): Devices {
  const { byBox, byStation, forget, remember } = memory(mqttCabinet(node.rules))

  async function arrived(known: Known, isLogin: boolean) {
    if (known.isOpen && !isLogin) return false
    const { deviceId: stationId } = known
    known.epoch = await node.db.transaction((tx) => arrive(tx, { stationId, node: name, heartbeatSeconds, isLogin }))
    known.isOpen = true
    known.heardAt = node.clock.now
    node.counts.logins += 1
    return true
  }

  return {
    remembered: (boxId) => byBox.get(boxId),
    get: (stationId) => byStation.get(stationId),
    async find(boxId) {
      const known = byBox.get(boxId)
      if (known) return known
      const station = await stationBehind(node.db.sql, name, boxId)
      if (station) return remember(station)
      // The broker let it in; we do not know it.
      await writeDown(node, { boxId, dialect, reason: 'unknown_box_id', address: 'broker' })
      return null
    },
    arrived,
    async prepare(rows) {
      const unknown = rows.map(({ deviceId }) => deviceId).filter((id) => !byStation.has(id))
      if (unknown.length > 0) for (const station of await stationsBehind(node.db.sql, name, unknown)) remember(station)
      for (const { deviceId, epoch } of rows) {
        const known = byStation.get(deviceId)
        if (known) known.epoch = epoch
      }
    },
    forget,
    async write(sinceMs) {
      const heard = byStation.values().filter(({ heardAt }) => heardAt >= sinceMs)
      for (const known of await closedAmong(node, name, [...heard])) {
        known.isOpen = false
        await arrived(known, false)
      }
      await node.db.transaction((tx) => closeSilent(tx, name))
    },
    count: () => byBox.size,
  }
}

/** Writes down that these were heard just now. @returns those whom somebody took for silent just before */
async function closedAmong({ db }: GatewayNode, name: string, heard: readonly Known[]): Promise<Known[]> {
  if (heard.length === 0) return []
  const ids = heard.map(({ deviceId }) => deviceId)
  const open = new Set(await seen(db.sql, name, ids))
  return heard.filter(({ deviceId }) => !open.has(deviceId))
}

const knownOf = (handlers: DeviceHandlers, { stationId, boxId, firmware, epoch }: MqttStation): Known => ({
  deviceId: stationId,
  serial: boxId,
  handlers,
  epoch: epoch ?? 0,
  isOpen: epoch !== null,
  codec: codec({ firmware }),
  heartbeatSeconds,
  movement: null,
  heardAt: Number.NEGATIVE_INFINITY,
})
