import { once } from 'node:events'
import type { Socket } from 'node:net'
import { MqttClient } from 'mqtt'
import type * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import type { Ask } from '../dial.ts'
import type { ServerAddress } from './box.ts'
import type { Web } from './cabinet-http.ts'
import * as http from './cabinet-http.ts'
import type { Actor } from './machine.ts'

const keepaliveSeconds = 120
const connackMilliseconds = 30_000

/** How a cabinet finds its broker and keeps its link. */
export interface LineSettings {
  /** Absent: it asks `server` over HTTP for its broker and what lets it in. Given: `server` is the broker. */
  login?: { username: string; password: string; clientId?: string }
  /** Has the broker remember what was published while it was away. False unless told. */
  isPersistent?: boolean
  /** From a closed link to the next dial; 5 unless told. */
  redialSeconds?: number
  /** From power-off to the next bootstrap; 8 unless told. */
  bootSeconds?: number
}

/** The doors such a cabinet uses. */
export interface Doors {
  dial(server: Pick<ServerAddress, 'host' | 'port'>): Socket
  /** Absent: it cannot speak HTTP. */
  ask?: Ask
}

/** A connection to the broker: one life. */
export interface Link {
  client: MqttClient
  socket: Socket
}

/** The links of one cabinet, one after the other. */
export interface Line {
  settings: LineSettings
  actor: Actor
  topics: Record<mqtt.Channel, string>
  doors: Doors
  /** Undefined: it has a broker and speaks no HTTP. */
  web: Web | undefined
  /** Known until the next boot, or until it is refused. */
  broker: mqtt.BrokerLogin | undefined
  link: Link | undefined
  /** Half-open links: ours no more, but open for whoever is on the other end. */
  forsaken: Socket[]
  online: boolean
  /** Nothing is written any more, until the next dial. */
  hushed: boolean
  /** Why the link is about to end and how long until the next, when that is our own doing. */
  farewell: { reason: string; seconds: number } | undefined
  redial: NodeJS.Timeout | undefined
  /** What the cabinet does at the turns of its line. */
  on: { dialled(): void; ready(): void; heard(topic: string, payload: Buffer): void; ended(): void }
}

const reasonOf = (error: unknown) => {
  if (!(error instanceof Error)) return `${error}`
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

/** Boots, or only dials again: without a broker it asks for one first. */
export async function wake(line: Line): Promise<void> {
  const { web, actor } = line
  const { signal } = actor.end
  try {
    if (!line.broker && web) line.broker = await http.connect(web)
  } catch (error) {
    if (!signal.aborted) later(line, { reason: `bootstrap: ${reasonOf(error)}` })
    return
  }
  if (!signal.aborted && line.broker) dial(line, line.broker)
}

function later(
  line: Line,
  { reason, seconds = line.settings.redialSeconds ?? 5 }: { reason: string; seconds?: number },
) {
  line.actor.journal.add({ event: 'closed', reason })
  if (!line.actor.end.signal.aborted) line.redial = setTimeout(() => void wake(line), seconds * 1000)
}

function dial(line: Line, broker: mqtt.BrokerLogin) {
  let socket: Socket
  try {
    socket = line.doors.dial({ host: broker.host, port: `${broker.port}` })
  } catch (error) {
    return later(line, { reason: reasonOf(error) })
  }
  const link = { client: clientOn(socket, broker, line.settings), socket }
  let reason = 'closed by the server'
  line.link = link
  line.hushed = false
  line.farewell = undefined
  socket.once('connect', () => line.on.dialled())
  socket.on('error', (error) => {
    reason = reasonOf(error)
  })
  socket.once('close', () => ended(line, link, reason))
  link.client.on('error', (error) => {
    reason = reasonOf(error)
    // Refused by the broker: its secret may have been changed.
    if (line.web && 'code' in error && typeof error.code === 'number') line.broker = undefined
    socket.destroy()
  })
  link.client.on('connect', () => subscribe(line, link))
  link.client.on('message', (topic, payload) => {
    if (isOurs(line, link)) line.on.heard(topic, payload)
  })
}

/** True until it is forsaken or about to end: after that it hears nothing. */
export const isOurs = (line: Line, link: Link): boolean => line.link === link && !line.farewell

const clientOn = (socket: Socket, { clientId, username, password }: mqtt.BrokerLogin, settings: LineSettings) =>
  new MqttClient(() => socket, {
    protocolVersion: 4,
    clientId,
    username,
    password,
    clean: !settings.isPersistent,
    keepalive: keepaliveSeconds,
    connectTimeout: connackMilliseconds,
    // A link for one life: what is said again, and when, is the firmware's to decide.
    reconnectPeriod: 0,
    resubscribe: false,
  })

function subscribe(line: Line, link: Link) {
  const { get, heart } = line.topics
  line.actor.journal.add({ event: 'connected' })
  link.client.subscribe([get, heart], { qos: 1 }, (error, granted = []) => {
    if (!isOurs(line, link)) return
    if (error || granted.some(({ qos }) => qos > 2)) return hangUp(line, 'the subscription was refused')
    line.online = true
    line.on.ready()
  })
}

function ended(line: Line, link: Link, reason: string) {
  link.client.end(true)
  // A forsaken link may end whenever it likes.
  if (line.link === link) gone(line, line.farewell ?? { reason })
}

function gone(line: Line, farewell: { reason: string; seconds?: number }) {
  line.link = undefined
  line.online = false
  line.on.ended()
  later(line, farewell)
}

/** Ends the link, if there is one, after what was written on it; dials again, unless switched off. */
export function hangUp(line: Line, reason: string, seconds = line.settings.redialSeconds ?? 5): void {
  const { link } = line
  line.farewell ??= { reason, seconds }
  line.online = false
  // mqtt.js holds back what it writes until the end of the turn.
  setImmediate(() => (link?.socket.connecting ? link.socket.destroy() : link?.socket.destroySoon()))
}

/** Power off and on: a boot begins with asking for the broker. */
export function reboot(line: Line, reason: string): void {
  if (line.web) line.broker = undefined
  hangUp(line, reason, line.settings.bootSeconds ?? 8)
}

/** Leaves the link as it is, deaf and dumb, and dials another. */
export function forsake(line: Line): void {
  if (!line.link) return
  const { client, socket } = line.link
  client.keepaliveManager?.destroy()
  socket.unpipe()
  socket.pause()
  line.forsaken.push(socket)
  gone(line, { reason: 'half open', seconds: 0 })
}

/** The end of all links. */
export async function switchOff(line: Line): Promise<void> {
  line.actor.end.abort()
  clearTimeout(line.redial)
  for (const socket of line.forsaken) socket.destroy()
  const { link } = line
  hangUp(line, 'switched off')
  if (link && !link.socket.closed) await once(link.socket, 'close')
}
