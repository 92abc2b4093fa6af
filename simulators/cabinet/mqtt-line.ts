import type { Socket } from 'node:net'
import type { MqttClient } from 'mqtt'
import type * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import type { Doors } from '../dial.ts'
import { begin, hangUp, type LineSettings, later, reasonOf } from '../line.ts'
import { clientOn } from '../mqtt-client.ts'
import type { Web } from './cabinet-http.ts'
import * as http from './cabinet-http.ts'
import type { Machine, MachineSettings } from './machine.ts'

/** How a cabinet finds its broker and keeps its link. */
export interface MqttLineSettings extends LineSettings {
  /** Absent: it asks `server` over HTTP for its broker and what lets it in. Given: `server` is the broker. */
  login?: { username: string; password: string; clientId?: string }
  /** Has the broker remember what was published while it was away. False unless told. */
  isPersistent?: boolean
}

/** A machine on a broker. */
export interface MqttMachine extends Machine {
  settings: MachineSettings & MqttLineSettings
  topics: Record<mqtt.Channel, string>
  doors: Doors
  /** Undefined: it has a broker and speaks no HTTP. */
  web: Web | undefined
  /** Known until the next boot, or until it is refused. */
  broker: mqtt.BrokerLogin | undefined
  /** On the stream of now. */
  client: MqttClient | undefined
  /** What the cabinet does at the turns of its line. */
  on: { dialled(): void; ready(): void; heard(topic: string, payload: Buffer): void }
}

/** Boots, or only dials again: without a broker it asks for one first. */
export async function wake(line: MqttMachine): Promise<void> {
  const { web, end } = line
  try {
    if (!line.broker && web) line.broker = await http.connect(web)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (!end.signal.aborted) later(line, { reason: `bootstrap: ${reasonOf(error)}` })
    return
  }
  if (!end.signal.aborted && line.broker) dial(line, line.broker)
}

function dial(line: MqttMachine, broker: mqtt.BrokerLogin) {
  const socket = begin(line, () => line.doors.dial({ host: broker.host, port: `${broker.port}` }))
  if (!socket) return
  const client = clientOn(socket, { ...broker, isPersistent: line.settings.isPersistent })
  line.client = client
  socket.once('connect', () => line.on.dialled())
  socket.once('close', () => client.end(true))
  client.on('error', (error) => {
    // Refused by the broker: its secret may have been changed.
    if (line.web && 'code' in error && typeof error.code === 'number') line.broker = undefined
    if (line.stream === socket) line.farewell ??= { reason: reasonOf(error) }
    socket.destroy()
  })
  client.on('connect', () => subscribe(line, client, socket))
  client.on('message', (topic, payload) => {
    if (isOurs(line, socket)) line.on.heard(topic, payload)
  })
}

/** True until it is forsaken or about to end: after that it hears nothing. */
export const isOurs = (line: Machine, stream: Machine['stream']): boolean => line.stream === stream && !line.farewell

function subscribe(line: MqttMachine, client: MqttClient, socket: Socket) {
  const { get, heart } = line.topics
  line.journal.add({ event: 'connected' })
  client.subscribe([get, heart], { qos: 1 }, (error, granted = []) => {
    if (!isOurs(line, socket)) return
    if (error || granted.some(({ qos }) => qos > 2)) return hangUp(line, 'the subscription was refused')
    line.on.ready()
  })
}

/** Power off and on: a boot begins with asking for the broker. */
export function reboot(line: MqttMachine, reason: string): void {
  if (line.web) line.broker = undefined
  hangUp(line, reason, line.settings.bootSeconds ?? 8)
}
