/** Many MQTT cabinets in one process: each a whole one, because its broker's client is one anyway. */
import type { BankId } from '../../protocol/cabinet.ts'
import { bankIdsOf } from '../cabinet/box.ts'
import { mqttCabinet } from '../cabinet/cabinet-mqtt.ts'
import type { Entry } from '../cabinet/journal.ts'
import { kindOf } from '../cabinet/journal.ts'
import type { Cabinet } from '../cabinet/simulated-cabinet.ts'
import { asker, dialer } from '../dial.ts'
import type { FleetCounts } from './member.ts'
import type { FleetLatency, RunningFleet } from './tcp-fleet.ts'
import { fleetLatency } from './tcp-fleet.ts'

const tickMilliseconds = 10

/** A fleet that asks for its broker at `port`. */
export interface MqttFleetSettings {
  cabinets: number
  /** The IMEI of the nth cabinet, from 0 on. */
  who(index: number): string
  slots: number
  banks: number
  host: string
  /** Of the bootstrap. */
  port: number
  loginsPerSecond: number
  heartbeatSeconds: number
}

interface MqttFleet extends FleetCounts {
  settings: MqttFleetSettings
  cabinets: Cabinet[]
  online: number
  latency: FleetLatency
  stopping: boolean
  everybody: PromiseWithResolvers<void>
}

const micros = (since: number) => Math.max(1, Math.round((performance.now() - since) * 1000))

function switchOn(fleet: MqttFleet, index: number) {
  const { who, slots, banks, host, port, heartbeatSeconds } = fleet.settings
  const boxId = who(index)
  const ids: BankId[] = bankIdsOf(boxId, 'mqtt', banks)
  const server = { host, port: `${port}`, heartbeatSeconds }
  // Who may dial where was asked before.
  const doors = { dial: dialer(true), ask: asker(true) }
  const cab = mqttCabinet(doors, { boxId, slots, banks: ids, server })
  fleet.cabinets.push(cab)
  watch(fleet, cab)
}

function watch(fleet: MqttFleet, { journal }: Cabinet) {
  let isOnline = false
  let dialledAt = performance.now()
  let beatAt = 0
  journal.watch((entry) => {
    const kind = kindOf(entry)
    if (entry.event === 'closed') {
      if (isOnline) fleet.online--
      isOnline = false
      dialledAt = performance.now()
      if (!fleet.stopping) failed(fleet, entry)
    }
    if (entry.event === 'unreadable') fleet.unreadable++
    if (entry.event === 'said' && kind === 'heartbeat') {
      beatAt = performance.now()
      fleet.heartbeats++
    }
    if (entry.event !== 'heard') return
    if (entry.words.kind !== 'acknowledged') fleet.commands++
    if (kind === 'login') {
      isOnline = true
      loggedIn(fleet, dialledAt)
    }
    if (kind === 'heartbeat') answered(fleet, beatAt)
  })
}

function failed(fleet: MqttFleet, { reason }: Extract<Entry, { event: 'closed' }>) {
  fleet.failures[reason] = (fleet.failures[reason] ?? 0) + 1
  if (/refused/i.test(reason)) fleet.refusals++
}

function loggedIn(fleet: MqttFleet, dialledAt: number) {
  fleet.latency.login.record(micros(dialledAt))
  fleet.logins++
  fleet.online++
  if (fleet.online === fleet.settings.cabinets) fleet.everybody.resolve()
}

function answered(fleet: MqttFleet, beatAt: number) {
  fleet.answered++
  for (const histogram of [fleet.latency.heartbeat, fleet.latency.now]) histogram.record(micros(beatAt))
}

/** Switches on as many as the ramp allows, until all are. */
function ramp(fleet: MqttFleet): () => void {
  const { cabinets, loginsPerSecond } = fleet.settings
  const start = performance.now()
  const timer = setInterval(() => {
    const due = Math.min(cabinets, Math.floor(((performance.now() - start) / 1000) * loginsPerSecond))
    while (fleet.cabinets.length < due) switchOn(fleet, fleet.cabinets.length)
    if (due === cabinets) clearInterval(timer)
  }, tickMilliseconds)
  return () => clearInterval(timer)
}

/**
 * Starts a fleet of MQTT cabinets; it runs until it is stopped.
 * @param latency shared with other fleets, if given
 * @throws RangeError more banks than slots
 */
export function mqttFleet(settings: MqttFleetSettings, latency = fleetLatency()): RunningFleet {
  if (settings.banks > settings.slots) throw new RangeError(`${settings.banks} banks in ${settings.slots} slots`)
  const fleet: MqttFleet = {
    settings,
    cabinets: [],
    online: 0,
    latency,
    stopping: false,
    everybody: Promise.withResolvers<void>(),
    logins: 0,
    refusals: 0,
    heartbeats: 0,
    answered: 0,
    commands: 0,
    unreadable: 0,
    failures: {},
  }
  const halt = ramp(fleet)
  return {
    get online() {
      return fleet.online
    },
    counts: fleet,
    latency,
    everybody: fleet.everybody.promise,
    async stop() {
      halt()
      fleet.stopping = true
      await Promise.all(fleet.cabinets.map((cab) => cab.close()))
    },
  }
}

const sums = ['logins', 'refusals', 'heartbeats', 'answered', 'commands', 'unreadable'] as const

/** Fleets as one; they share their latencies. @throws RangeError none */
export function together(fleets: readonly RunningFleet[]): RunningFleet {
  const [first] = fleets
  if (!first) throw new RangeError('a fleet of no cabinets')
  const sum = (of: (fleet: RunningFleet) => number) => fleets.reduce((total, fleet) => total + of(fleet), 0)
  return {
    get online() {
      return sum(({ online }) => online)
    },
    get counts() {
      const failures: Record<string, number> = {}
      for (const { counts } of fleets)
        for (const [reason, count] of Object.entries(counts.failures))
          failures[reason] = (failures[reason] ?? 0) + count
      const [logins, refusals, heartbeats, answered, commands, unreadable] = sums.map((name) =>
        sum(({ counts }) => counts[name]),
      ) as [number, number, number, number, number, number]
      return { logins, refusals, heartbeats, answered, commands, unreadable, failures }
    },
    latency: first.latency,
    everybody: Promise.all(fleets.map(({ everybody }) => everybody)).then(() => {}),
    stop: async () => void (await Promise.all(fleets.map((fleet) => fleet.stop()))),
  }
}
