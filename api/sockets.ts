import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import * as events from '../db/messages/events.ts'
import { addressList, clientIp } from './client-ip.ts'
import type { AppContext } from './context.ts'
import { loggedPath } from './logged-path.ts'
import {
  type Asked,
  type Channel,
  type Holder,
  holderOf,
  isEnding,
  type SocketRoute,
  type Told,
  topicsOf,
} from './socket-holders.ts'
import { type Line, lineOf } from './socket-line.ts'

const BEAT_MS = 30_000
const SOCKETS_MAX = 5_000
/** Of one person: a board may watch many terminals. */
const SOCKETS_PER_HOLDER_MAX = 64
/** Of what a client says. */
const MESSAGE_BYTES_MAX = 4_096
/** From the handshake to the greeting. */
const GREETING_MS = 10_000
/** Of what waits to be put into words. */
const WAITING_MAX = 1_000
/** The longest that a timer of Node's can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1

const pathOf = ({ url = '/' }: IncomingMessage) => url.split('?', 1)[0]!.replace(/(?<=.)\/$/, '')

/** A token may come in three ways: a browser can send no header, and a query ends up in other people's logs. */
function tokenIn({ url = '', headers }: IncomingMessage): string {
  const [scheme, offered = ''] = (headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim())
  const [, bearer] = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  return bearer ?? query.get('token') ?? (scheme === 'bearer' ? offered : '')
}

/** Who hears what in this process. */
function register() {
  const members = new Map<string, Set<Member>>()
  return {
    of: (topic: string): ReadonlySet<Member> => members.get(topic) ?? new Set(),
    add(member: Member): void {
      for (const topic of member.topics) members.set(topic, (members.get(topic) ?? new Set()).add(member))
    },
    remove(member: Member): void {
      for (const topic of member.topics) {
        members.get(topic)?.delete(member)
        if (members.get(topic)?.size === 0) members.delete(topic)
      }
    },
  }
}

interface Member {
  topics: string[]
  hear(event: events.Event): void
}

/** What an opened socket stands on. */
interface Room {
  ground: AppContext
  members: ReturnType<typeof register>
  /** Every socket of this process, and when it has ended. */
  lines: Map<Line, Promise<void>>
  trusted: BlockList
  /** Resolves when events are heard. */
  listen(): Promise<void>
}

/** What a socket has to do with: an event, something its client said, or a bell. */
type Matter = { event: events.Event } | { said: unknown } | 'bell'

/** Matters in order, events from a position on; no more than so many wait. */
function queue(full: () => void) {
  let waiting: Matter[] = []
  let from: events.Position | null = null
  let wake = () => {}
  const isTold = (matter: Matter, position: events.Position) =>
    typeof matter === 'object' && 'event' in matter && !events.isAfter(matter.event, position)
  return {
    push(matter: Matter): void {
      if (from && isTold(matter, from)) return
      if (waiting.length < WAITING_MAX) waiting.push(matter)
      else full()
      wake()
    },
    startAfter(position: events.Position): void {
      from = position
      waiting = waiting.filter((matter) => !isTold(matter, position))
    },
    wake: () => wake(),
    async next(isOver: () => boolean): Promise<Matter | null> {
      while (!isOver() && waiting.length === 0) await new Promise<void>((done) => (wake = done))
      return isOver() ? null : waiting.shift()!
    },
  }
}
type Queue = ReturnType<typeof queue>

/** What is said of a matter. */
async function react(channel: Channel, { concerns, admit }: Holder, matter: Matter): Promise<Told> {
  if (matter === 'bell') return (await channel.look?.()) ?? []
  if ('said' in matter) return (await channel.hear?.(matter.said)) ?? []
  const { event } = matter
  const still = concerns(event) ? await admit() : channel
  return isEnding(still) ? still : await still.tell(event)
}

/** Greets a client and tells it all that it has to do with, until it is over. */
async function converse(line: Line, holder: Holder, channel: Channel, matters: Queue, greeted: () => void) {
  const data = await channel.greet()
  if (isEnding(data)) return line.end(data)
  line.say({ type: 'connected', data, timestamp: new Date() })
  greeted()
  matters.push('bell')
  for (let matter = await matters.next(line.isOver); matter; matter = await matters.next(line.isOver)) {
    const told = await react(channel, holder, matter)
    if (isEnding(told)) return line.end(told)
    const timestamp = typeof matter === 'object' && 'event' in matter ? matter.event.createdAt : new Date()
    for (const message of told) line.say({ ...message, timestamp })
    await line.breathe()
  }
}

/** One socket, from its token to its end. `greeted` is called when its client has been told where it is. */
async function serve(room: Room, line: Line, asked: Asked, { matters, over, greeted }: Visit): Promise<void> {
  const { ground, members } = room
  const holder = await holderOf(ground, asked)
  if (isEnding(holder)) return line.end(holder)
  const { topics, expiresAt } = holder
  if (members.of(topics[0]!).size >= SOCKETS_PER_HOLDER_MAX) return line.end(1013)
  const member: Member = { topics, hear: (event) => matters.push({ event }) }
  members.add(member)
  const leftMs = expiresAt ? expiresAt.getTime() - Date.now() : TIMER_MS_MAX
  const expiry = setTimeout(() => line.end(4401), Math.min(leftMs, TIMER_MS_MAX))
  over.then(() => {
    clearTimeout(expiry)
    members.remove(member)
    matters.wake()
  })
  await room.listen()
  // Before anything is read: what is committed later is told later, and nothing falls between.
  matters.startAfter(await events.end(ground.db.sql))
  const channel = await holder.admit()
  if (isEnding(channel)) return line.end(channel)
  const deafen = await channel.attend?.(() => matters.push('bell'))
  try {
    await converse(line, holder, channel, matters, greeted)
  } finally {
    await Promise.all([deafen?.(), channel.close?.()])
  }
}

/** What goes with a socket while it is there. */
interface Visit {
  matters: Queue
  over: Promise<void>
  greeted(): void
}

/** Lets a client in; whether it may stay is seen then. */
function enter(room: Room, request: IncomingMessage, found: Omit<Asked, 'address'>, webSocket: WebSocket): void {
  const { ground, lines, trusted } = room
  const began = performance.now()
  const greeting = Promise.withResolvers<void>()
  const matters = queue(() => line.end(1013))
  const line: Line = lineOf(webSocket, greeting.promise, (said) => matters.push({ said }))
  const over = new Promise<void>((done) => webSocket.once('close', () => done()))
  const late = setTimeout(() => line.end(1011), GREETING_MS)
  const greeted = () => {
    clearTimeout(late)
    greeting.resolve()
  }
  const address = clientIp(request.socket.remoteAddress, String(request.headers['x-forwarded-for'] ?? ''), trusted)
  const path = loggedPath(pathOf(request))
  webSocket.once('close', (code: number) => {
    clearTimeout(late)
    ground.log('socket.closed', { address, path, code, ms: Math.round(performance.now() - began) })
  })
  const serveOrEnd = async () => {
    if (lines.size > SOCKETS_MAX) return line.end(1013)
    try {
      await serve(room, line, { ...found, address }, { matters, over, greeted })
    } catch (error) {
      ground.log('socket.failed', { address, path, error })
      line.end(1011)
    }
  }
  // Counted before it is served.
  lines.set(line, over)
  lines.set(
    line,
    Promise.all([over, serveOrEnd()]).then(() => void lines.delete(line)),
  )
}

/** Only where Node cannot be told beforehand whom to upgrade. */
function notFound(socket: Duplex): void {
  socket.on('error', () => {})
  socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n', () => socket.destroy())
}

export interface Sockets {
  /** Whether a request asks for one of ours; all else is no business of this. */
  isAsked(request: IncomingMessage): boolean
  /** The listener of a server's `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  count(): number
  close(): Promise<void>
}

/**
 * The WebSockets of this process (docs/contracts.md 1.7), fed by its one tail of the log, so that any process serves
 * whatever happens in another. Who is refused is let in and told why: a browser shows nothing of a failed handshake.
 */
export function sockets(ground: AppContext, routes: readonly SocketRoute[], { beatMs = BEAT_MS } = {}): Sockets {
  const members = register()
  const lines = new Map<Line, Promise<void>>()
  const trusted = addressList(ground.config.trustedProxies)
  const hear = (event: events.Event) => {
    for (const member of new Set(topicsOf(event).flatMap((topic) => [...members.of(topic)]))) member.hear(event)
  }
  const listener = { hear, count: () => lines.size }
  const room: Room = { ground, members, lines, trusted, listen: () => ground.live.attend(listener) }
  const server = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX },
    handleProtocols: (offered) => offered.has('bearer') && 'bearer',
  })
  let isClosing = false
  const beat = setInterval(() => {
    for (const line of lines.keys()) line.beat()
  }, beatMs)
  const find = (request: IncomingMessage): Omit<Asked, 'address'> | null => {
    for (const route of routes) {
      const [match, id = ''] = route.path.exec(pathOf(request)) ?? []
      if (match !== undefined) return { route, id, token: tokenIn(request) }
    }
    return null
  }

  return {
    isAsked: (request) =>
      !isClosing && request.headers.upgrade?.toLowerCase() === 'websocket' && find(request) !== null,
    upgrade(request, socket, head) {
      const asked = isClosing ? null : find(request)
      if (asked) server.handleUpgrade(request, socket, head, (webSocket) => enter(room, request, asked, webSocket))
      else notFound(socket)
    },
    count: () => lines.size,
    async close() {
      isClosing = true
      clearInterval(beat)
      for (const line of lines.keys()) line.end(1001)
      await Promise.all(lines.values())
    },
  }
}
