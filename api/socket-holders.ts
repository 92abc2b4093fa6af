import * as identity from '../db/identity/identity.ts'
import type { Surface } from '../db/identity/words.ts'
import type { Event } from '../db/messages/events.ts'
import type { Actor } from '../db/platform/actor.ts'
import type { Db } from '../db/postgres/connect.ts'
import type { AppContext } from './context.ts'
import type { Ending, Message } from './socket-line.ts'
import { verifyLasting } from './token.ts'

/** What is to be said, or why the socket ends. */
export type Told = Omit<Message, 'timestamp'>[] | Ending

/** What one socket is about. What is asked of it comes one after the other. */
export interface Channel {
  /** `data` of the first message, or why there is none. */
  greet(): Promise<object | Ending>
  /** What is to be said of an event, if anything. */
  tell(event: Event): Promise<Told>
  /** What is to be answered to something said. Absent: nothing a client says matters. */
  hear?(said: unknown): Promise<Told>
  /** What waits to be said: asked when it has been greeted, and whenever it is rung. */
  look?(): Promise<Told>
  /** Rings it from now on. @returns what stops that */
  attend?(ring: () => void): Promise<() => Promise<void>>
  /** The socket is over. */
  close?(): Promise<void>
}

/** Who is at the other end of a socket. */
export interface Holder {
  /** Whose events it hears; of the first there may be so many sockets. */
  topics: string[]
  expiresAt: Date | null
  /** What it may hear: asked when it opens, and again after whatever `concerns` it. */
  admit(): Promise<Channel | Ending>
  concerns(event: Event): boolean
}

/** A WebSocket that a surface serves. */
export interface SocketRoute {
  surface: Surface
  /** Of the whole path; its one group, if it has one, is `id`. */
  path: RegExp
  /** Whose events it hears, beside those about its user: `terminal 5`. */
  topic?(id: string): string
  open(db: Db, actor: Actor, id: string): Channel | Ending
  /** For devices, whose token is their key. */
  device?(ground: AppContext, asked: Asked): Holder | Ending
}

/** What a client asks for. */
export interface Asked {
  route: SocketRoute
  id: string
  token: string
  address: string
}

export const isEnding = (one: unknown): one is Ending => typeof one === 'number'
/** Keys of devices: no token of a person looks like one. */
const isKey = (token: string) => /^[0-9a-f]{64}$/i.test(token)

/** Somebody with an access token. */
async function person({ db, config }: AppContext, { route, id, token }: Asked): Promise<Holder | Ending> {
  const claims = await verifyLasting(token, config.jwtSecret)
  if (!claims) return 4401
  const { userId, expiresAt } = claims
  const topic = route.topic?.(id)
  return {
    topics: [`user ${userId}`, ...(topic === undefined ? [] : [topic])],
    expiresAt,
    async admit() {
      const actor = await identity.actor(db.sql, { ...claims, surface: route.surface })
      return actor ? route.open(db, actor, id) : 4401
    },
    concerns: (event) => event.kind.startsWith('user.') && event.userId === userId,
  }
}

/** For whom a token speaks; it may still not be let in. */
export async function holderOf(ground: AppContext, asked: Asked): Promise<Holder | Ending> {
  const { route, token } = asked
  return route.device && isKey(token) ? route.device(ground, asked) : await person(ground, asked)
}

/** For whom an event is. */
export const topicsOf = ({ userId, data }: Event) => [
  ...(userId === null ? [] : [`user ${userId}`]),
  ...(typeof data.terminalId === 'number' ? [`terminal ${data.terminalId}`] : []),
]
