/** Many MQTT cabinets in one process: each a whole one, because its broker's client is one anyway. */
import { bankIdsOf } from '../cabinet/box.ts'
import { mqttCabinet } from '../cabinet/cabinet-mqtt.ts'
import { kindOf } from '../cabinet/journal.ts'
import type { Cabinet } from '../cabinet/simulated-cabinet.ts'
import { doors } from '../dial.ts'
import {
  countAnswer,
  countFailure,
  countLogin,
  type FleetSettings,
  fleetLatency,
  newTally,
  type RunningFleet,
  running,
  type Tally,
} from './fleet.ts'

const tickMilliseconds = 10

interface MqttFleet extends Tally {
  settings: FleetSettings
  members: Cabinet[]
}

function switchOn(fleet: MqttFleet, index: number) {
  const { who, slots, banks, host, port, heartbeatSeconds } = fleet.settings
  const { boxId } = who(index)
  const server = { host, port: `${port}`, heartbeatSeconds }
  // Who may dial where was asked before.
  const cab = mqttCabinet(doors(true), { boxId, slots, banks: bankIdsOf(boxId, 'mqtt', banks), server })
  fleet.members.push(cab)
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
      if (fleet.stopping) return
      countFailure(fleet, entry.reason)
      if (/refused/i.test(entry.reason)) fleet.refusals++
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
      countLogin(fleet, dialledAt)
    }
    if (kind === 'heartbeat') countAnswer(fleet, beatAt)
  })
}

/** Switches on as many as the ramp allows, until all are. */
function ramp(fleet: MqttFleet): () => void {
  const { cabinets, loginsPerSecond } = fleet.settings
  const start = performance.now()
  const timer = setInterval(() => {
    const due = Math.min(cabinets, Math.floor(((performance.now() - start) / 1000) * loginsPerSecond))
    while (fleet.members.length < due) switchOn(fleet, fleet.members.length)
    if (due === cabinets) clearInterval(timer)
  }, tickMilliseconds)
  return () => clearInterval(timer)
}

/**
 * Starts a fleet of MQTT cabinets; it runs until it is stopped.
 * @param latency shared with other fleets, if given
 * @throws RangeError more banks than slots
 */
export function mqttFleet(settings: FleetSettings, latency = fleetLatency()): RunningFleet {
  const { banks, slots, cabinets } = settings
  if (banks > slots) throw new RangeError(`${banks} banks in ${slots} slots`)
  const fleet: MqttFleet = { ...newTally(cabinets, latency), settings, members: [] }
  const halt = ramp(fleet)
  return running(fleet, async () => {
    halt()
    fleet.stopping = true
    await Promise.all(fleet.members.map((cab) => cab.close()))
  })
}
