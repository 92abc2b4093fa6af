import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import * as identity from '../db/identity/identity.ts'
import type { Surface } from '../db/identity/words.ts'
import * as events from '../db/messages/events.ts'
import type { Actor } from '../db/platform/actor.ts'
import type { Db } from '../db/postgres/connect.ts'
import { bearerIn } from './auth.ts'
import { addressList, clientIp } from './client-ip.ts'
import type { AppContext } from './context.ts'
import { loggedPath } from './logged-path.ts'
import { type Ending, type Line, lineOf, type Message } from './socket-line.ts'
import { verifyLasting } from './token.ts'

const BEAT_MS = 30_000
const SOCKETS_MAX = 5_000
/** Of one person: a board may watch many terminals. */
const SOCKETS_PER_USER_MAX = 64
/** Of what a client says. */
const MESSAGE_BYTES_MAX = 4_096
/** From the handshake to the greeting. */
const GREETING_MS = 10_000
/** Events that wait to be put into words. */
const WAITING_EVENTS_MAX = 1_000
/** The longest that a timer of Node's can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** What one socket is about. */
export interface Channel {
  /** `data` of the first message, or why there is none. */
  greet(): Promise<object | Ending>
  /** What is to be said of an event, if anything; or why the socket ends with it. */
  tell(event: events.Event): Promise<Omit<Message, 'timestamp'>[] | Ending>
}

/** A WebSocket that a surface serves. */
export interface SocketRoute {
  surface: Surface
  /** Of the whole path; its one group, if it has one, is `id`. */
  path: RegExp
  /** Whose events it hears, beside those about its user: `terminal 5`. */
  topic?(id: string): string
  /** Asked when it opens, and again whenever something happens to its user. */
  open(db: Db, actor: Actor, id: string): Channel | Ending
}

const isEnding = (one: unknown): one is Ending => typeof one === 'number'
const topicOfUser = (userId: number) => `user ${userId}`
/** For whom an event is. */
const topicsOf = ({ userId, data }: events.Event) => [
  ...(userId === null ? [] : [topicOfUser(userId)]),
  ...(typeof data.terminalId === 'number' ? [`terminal ${data.terminalId}`] : []),
]

const pathOf = ({ url = '/' }: IncomingMessage) => url.split('?', 1)[0]!.replace(/(?<=.)\/$/, '')

/** A token may come in three ways: a browser can send no header, and a query ends up in other people's logs. */
function tokenIn({ url = '', headers }: IncomingMessage): string {
  const [scheme, offered = ''] = (headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim())
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  return bearerIn(headers.authorization) ?? query.get('token') ?? (scheme === 'bearer' ? offered : '')
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

/** Events in order, from a position on; no more than so many wait. */
function queue(full: () => void) {
  let waiting: events.Event[] = []
  let from: events.Position | null = null
  let wake = () => {}
  return {
    push(event: events.Event): void {
      if (from && !events.isAfter(event, from)) return
      if (waiting.length < WAITING_EVENTS_MAX) waiting.push(event)
      else full()
      wake()
    },
    startAfter(position: events.Position): void {
      from = position
      waiting = waiting.filter((event) => events.isAfter(event, position))
    },
    wake: () => wake(),
    async next(isOver: () => boolean): Promise<events.Event | null> {
      while (!isOver() && waiting.length === 0) await new Promise<void>((done) => (wake = done))
      return isOver() ? null : waiting.shift()!
    },
  }
}

/** One socket, from its token to its end. `greeted` is called when its client has been told where it is. */
async function serve(room: Room, line: Line, asked: Asked, over: Promise<void>, greeted: () => void): Promise<void> {
  const { ground, members } = room
  const { route, id, token } = asked
  const claims = await verifyLasting(token, ground.config.jwtSecret)
  if (!claims) return line.end(4401)
  const own = topicOfUser(claims.userId)
  if (members.of(own).size >= SOCKETS_PER_USER_MAX) return line.end(1013)
  const happened = queue(() => line.end(1013))
  const topic = route.topic?.(id)
  const member: Member = { topics: topic === undefined ? [own] : [own, topic], hear: happened.push }
  members.add(member)
  const expiry = setTimeout(() => line.end(4401), Math.min(claims.expiresAt.getTime() - Date.now(), TIMER_MS_MAX))
  over.then(() => {
    clearTimeout(expiry)
    members.remove(member)
    happened.wake()
  })
  await room.listen()
  // Before anything is read: what is committed later is told later, and nothing falls between.
  happened.startAfter(await events.end(ground.db.sql))
  const admit = async () => {
    const actor = await identity.actor(ground.db.sql, { ...claims, surface: route.surface })
    return actor ? route.open(ground.db, actor, id) : 4401
  }
  const channel = await admit()
  if (isEnding(channel)) return line.end(channel)
  const data = await channel.greet()
  if (isEnding(data)) return line.end(data)
  line.say({ type: 'connected', data, timestamp: new Date() })
  greeted()
  for (let event = await happened.next(line.isOver); event; event = await happened.next(line.isOver)) {
    const isAboutUser = event.kind.startsWith('user.') && event.userId === claims.userId
    const still = isAboutUser ? await admit() : channel
    const told = isEnding(still) ? still : await still.tell(event)
    if (isEnding(told)) return line.end(told)
    for (const message of told) line.say({ ...message, timestamp: event.createdAt })
    await line.breathe()
  }
}

interface Asked {
  route: SocketRoute
  id: string
  token: string
}

/** Lets a client in; whether it may stay is seen then. */
function enter(room: Room, request: IncomingMessage, asked: Asked, webSocket: WebSocket): void {
  const { ground, lines, trusted } = room
  const began = performance.now()
  const greeting = Promise.withResolvers<void>()
  const line = lineOf(webSocket, greeting.promise)
  const over = new Promise<void>((done) => webSocket.once('close', () => done()))
  lines.set(line, over)
  const late = setTimeout(() => line.end(1011), GREETING_MS)
  const greeted = () => {
    clearTimeout(late)
    greeting.resolve()
  }
  const address = clientIp(request.socket.remoteAddress, String(request.headers['x-forwarded-for'] ?? ''), trusted)
  const path = loggedPath(pathOf(request))
  webSocket.once('close', (code: number) => {
    clearTimeout(late)
    lines.delete(line)
    ground.log('socket.closed', { address, path, code, ms: Math.round(performance.now() - began) })
  })
  if (lines.size > SOCKETS_MAX) line.end(1013)
  else
    serve(room, line, asked, over, greeted).catch((error: unknown) => {
      ground.log('socket.failed', { address, path, error })
      line.end(1011)
    })
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
  const find = (request: IncomingMessage): Asked | null => {
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
