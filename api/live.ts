import { HTTPException } from 'hono/http-exception'
import * as events from '../db/messages/events.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'

/** A comment keeps proxies from closing a stream on which nothing happens. */
const KEEP_ALIVE_MS = 15_000
/** After this the client comes again, and its token is looked at again. */
const STREAM_SECONDS_MAX = 3_600
const STREAMS_MAX = 5_000
/** Of one person; the oldest gives way, for it is probably a connection that nobody has any more. */
const STREAMS_PER_USER_MAX = 8
/** What may wait for a client that does not read; more, and it is cut off. It comes again and is told the rest. */
const WAITING_BYTES_MAX = 65_536
const WAITING_EVENTS_MAX = 500
/** How soon a client that was cut off should be back. */
const RETRY_MS = 3_000
const secondMs = 1_000

/** One message of an event stream. `data` goes as JSON. */
interface Message {
  event: string
  data: unknown
}

/** What a stream tells, in its surface's words. */
export interface Feed {
  userId: number
  /** The `Last-Event-ID` of a client that was here before. */
  lastEventId?: string | undefined
  /** The whole picture: for a client that is new, or was away for too long. */
  greet(): Promise<Message>
  /** An event about the user, or null when it is not for this stream. */
  tell(event: events.Event): Promise<Message | null>
  /** Drops the connection of a client that does not read. */
  drop?(): void
}

/** Somebody who tells events in another way than by these streams. */
export interface Listener {
  hear(event: events.Event): void
  /** To how many. */
  count(): number
}

export interface Live {
  /** Opens a stream. Throws `HTTPException(503)` when there are too many. */
  open(feed: Feed): ReadableStream<Uint8Array>
  /** Hands every event from now on to a listener of this process as well; heard once, however often it is asked for. */
  attend(listener: Listener): Promise<void>
  /** How many are open, those of the listeners among them. */
  count(): number
  close(): Promise<void>
}

interface Client {
  feed: Feed
  until: number
  hear(event: events.Event): void
  write(text: string): void
  end(): void
}

/** Who listens in this process, by user. */
function register() {
  const clients = new Map<number, Set<Client>>()
  let count = 0
  return {
    count: () => count,
    all: () => [...clients.values()].flatMap((theirs) => [...theirs]),
    of: (userId: number) => clients.get(userId) ?? [],
    add(client: Client): void {
      const theirs = clients.get(client.feed.userId) ?? new Set()
      if (theirs.size >= STREAMS_PER_USER_MAX) [...theirs][0]!.end()
      clients.set(client.feed.userId, theirs.add(client))
      count++
    },
    remove(client: Client): void {
      const theirs = clients.get(client.feed.userId)
      if (!theirs?.delete(client)) return
      count--
      if (theirs.size === 0) clients.delete(client.feed.userId)
    },
  }
}

/**
 * Streams of events to people, fed by one tail of the log per process (docs/decisions.md "Events are written by the
 * transaction that made them true"). Dialled when the first one opens.
 */
export function live(db: Db, log: Log, { keepAliveMs = KEEP_ALIVE_MS } = {}): Live {
  const { count, all, of, add, remove } = register()
  const failed = (error: unknown) => log('live.failed', { error })
  let tail: Promise<{ close(): Promise<void> }> | null = null
  const listeners = new Set<Listener>()

  function hear(event: events.Event): void {
    for (const listener of listeners) listener.hear(event)
    if (event.userId === null) return
    for (const client of of(event.userId)) {
      if (event.kind === 'user.signed_out') client.end()
      else client.hear(event)
    }
  }

  /** Retried by the next stream if the database is away. */
  const listen = () =>
    (tail ??= events.tail(db, hear, failed).catch((error: unknown) => {
      tail = null
      throw error
    }))

  const beat = setInterval(() => {
    for (const client of all()) {
      if (performance.now() > client.until) client.end()
      else client.write(': here\n\n')
    }
  }, keepAliveMs)

  return {
    open(feed) {
      if (count() >= STREAMS_MAX) throw new HTTPException(503)
      return streamOf(db, feed, { add, remove, listen, failed })
    },
    async attend(listener) {
      listeners.add(listener)
      await listen()
    },
    count: () => [...listeners].reduce((sum, listener) => sum + listener.count(), count()),
    async close() {
      clearInterval(beat)
      for (const client of all()) client.end()
      await (await tail?.catch(() => null))?.close()
    },
  }
}

interface Room {
  add(client: Client): void
  remove(client: Client): void
  listen(): Promise<unknown>
  failed(error: unknown): void
}

const encoder = new TextEncoder()

/** The bytes of one client. `over` is called once, however it ends; a client that lets too much wait is cut off. */
function pipeOf(over: () => void, drop: () => void) {
  let isOver = false
  let controller: ReadableStreamDefaultController<Uint8Array>
  const finish = () => {
    isOver = true
    over()
  }
  const end = () => {
    if (isOver) return
    finish()
    controller.close()
  }
  /** It has everything still to come when it returns. */
  const cut = () => {
    if (isOver) return
    end()
    drop()
  }
  const body = new ReadableStream<Uint8Array>(
    { start: (own) => void (controller = own), cancel: finish },
    new ByteLengthQueuingStrategy({ highWaterMark: WAITING_BYTES_MAX }),
  )
  const write = (text: string) => {
    if (isOver) return
    controller.enqueue(encoder.encode(text))
    if ((controller.desiredSize ?? 0) <= 0) cut()
  }
  return { body, write, end, cut, isOver: () => isOver }
}

/** One client: events wait in order, are put into words one after the other, and are written. */
function streamOf(db: Db, feed: Feed, room: Room): ReadableStream<Uint8Array> {
  let waiting: events.Event[] = []
  /** What is not after this has been told already, or is in the page. */
  let position: events.Position | null = null
  let wake = () => {}
  const over = () => {
    room.remove(client)
    wake()
  }
  const { body, write, end, cut, isOver } = pipeOf(over, () => feed.drop?.())
  const client: Client = {
    feed,
    until: performance.now() + STREAM_SECONDS_MAX * secondMs,
    hear(event) {
      if (position && !events.isAfter(event, position)) return
      if (waiting.push(event) > WAITING_EVENTS_MAX) cut()
      wake()
    },
    write,
    end,
  }

  async function serve() {
    room.add(client)
    await room.listen()
    write(`retry: ${RETRY_MS}\n\n`)
    // Before anything else is read: what is committed later is told later, and nothing falls between.
    const now = await events.end(db.sql)
    position = now
    waiting = waiting.filter((event) => events.isAfter(event, now))
    position = await begin(db, feed, client, now)
    while (!isOver()) {
      const event = waiting.shift()
      if (!event) await new Promise<void>((done) => (wake = done))
      else if (events.isAfter(event, position)) {
        position = event
        const message = await feed.tell(event)
        if (message) write(eventStreamText(message, event))
      }
    }
  }

  // Not awaited: a stream is there as soon as it is asked for. What fails ends it, and the client comes again.
  serve().catch((error: unknown) => {
    room.failed(error)
    end()
  })
  return body
}

/** What a client has missed, if that is little; else the whole picture. Returns how far it has been told. */
async function begin(db: Db, feed: Feed, client: Client, end: events.Position): Promise<events.Position> {
  const last = positionOf(feed.lastEventId)
  const missed = last && !events.isAfter(last, end) ? await events.missed(db.sql, feed.userId, last) : null
  if (!last || !missed) {
    client.write(eventStreamText(await feed.greet(), end))
    return end
  }
  for (const event of missed) {
    const message = await feed.tell(event)
    if (message) client.write(eventStreamText(message, event))
  }
  return missed.at(-1) ?? end
}

/** The reading position as `Last-Event-ID` carries it. */
const positionOf = (text = ''): events.Position | null => {
  const [, xid, id] = /^(\d{1,19})-(\d{1,16})$/.exec(text) ?? []
  return xid && id ? { xid, id: Number(id) } : null
}

const eventStreamText = ({ event, data }: Message, { xid, id }: events.Position) =>
  `id: ${xid}-${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
