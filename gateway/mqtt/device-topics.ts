import type { DeviceKind } from '../../db/devices/words.ts'
import type { AnyCommand } from '../../protocol/any-device.ts'
import type { Command as CabinetCommand } from '../../protocol/cabinet.ts'
import * as cabinets from '../../protocol/cabinet-mqtt/index.ts'
import * as terminals from '../../protocol/terminal-iso8583/topics.ts'

/** What a topic carries, whatever its kind of device calls it: what it is told, what it says, its heartbeats both ways. */
export type Channel = cabinets.Channel

/** A topic of a device: whose it is, and what it carries. */
export interface DeviceTopic {
  kind: DeviceKind
  /** As topics have it: a cabinet's IMEI, a terminal's code. */
  name: string
  channel: Channel
}

/** Null for all other topics. */
export function deviceTopicOf(topic: string): DeviceTopic | null {
  const cabinet = cabinets.topicOf(topic)
  if (cabinet) return { kind: 'cabinet', name: cabinet.uuid, channel: cabinet.channel }
  const terminal = terminals.topicOf(topic)
  if (!terminal) return null
  return { kind: 'terminal', name: terminal.terminalCode, channel: terminal.direction === 'up' ? 'update' : 'get' }
}

/** Whose connection this is at a broker, and how it is told something. */
export interface Owner {
  kind: DeviceKind
  name: string
  /** Where it listens. */
  down: string
  qosOf(command: AnyCommand): 0 | 1
}

/** A cabinet by its IMEI. */
export const cabinetOwner = (uuid: string): Owner => ({
  kind: 'cabinet',
  name: uuid,
  down: cabinets.topics(uuid).get,
  qosOf: (command) => cabinets.qosOf(command as CabinetCommand),
})

/** A terminal by its code. What it does not hear is said again, by whoever said it (docs/protocol.md 7.8). */
export const terminalOwner = (terminalCode: string): Owner => ({
  kind: 'terminal',
  name: terminalCode,
  down: terminals.topics(terminalCode).down,
  qosOf: () => 0,
})
