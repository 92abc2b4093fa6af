import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { deviceCodec, topics } from '../../protocol/cabinet-mqtt/index.ts'
import { serve } from './child.ts'
import { bankOf, imeiOf, shownBy, slotsEach } from './mqtt-cabinets.ts'
import * as wire from './mqtt-wire.ts'

const readBytes = 65_536
const nanosecondsPerMillisecond = 1e6
/** So many dial together, and the next when all of these are in. Mosquitto lets a hundred wait at its door. */
const dialsAtOnce = 50

/** What a link publishes and waits for the acknowledgement of. */
export type Saying = 'heartbeat' | 'returned'

/** Which broker, and how its links subscribe. */
interface Side {
  name: string
  port: number
  /** Of the cabinets of this side; no two sides of one broker share any. */
  firstIndex: number
  /** Its heartbeats come back, and a run is not over before they have. */
  isEchoed: boolean
  links: Link[]
}

interface Link {
  index: number
  side: Side
  socket: Socket
  topic: ReturnType<typeof topics>
  rest: Buffer | null
  beat: ReturnType<typeof wire.publish>
  id: number
  saidAt: number
  slot: number
  ready: () => void
}

/** A run: every link says the next when the last was acknowledged, until the time is up. */
interface Run {
  until: number
  say: (link: Link) => void
  /** Links whose last word is not acknowledged yet. */
  open: number
  acknowledged: number
  echoes: number
  done: () => void
}

const codec = deviceCodec()
const heartbeat = codec.say({ kind: 'heartbeat' })
const buffer = Buffer.alloc(readBytes)
const sides = new Map<string, Side>()
const latency = createHistogram()
let run: Run | undefined

function heard(link: Link, first: number, bytes: Buffer, from: number, to: number) {
  const type = first & 0xf0
  if (type === wire.type.puback) acknowledged(link, bytes.readUInt16BE(from))
  else if (type === wire.type.publish) told(link, wire.openPublish(first, bytes, from, to))
  else if (type === wire.type.connack && bytes[from + 1] !== 0) link.socket.destroy(new Error('not let in'))
  else if (type === wire.type.suback) link.ready()
}

function acknowledged(link: Link, id: number) {
  if (!run || !wire.isMeasured(id)) return
  if (id !== link.id) throw new Error(`${id} acknowledged instead of ${link.id}`)
  const now = performance.now()
  latency.record(Math.max(1, Math.round((now - link.saidAt) * nanosecondsPerMillisecond)))
  run.acknowledged++
  if (now < run.until) say(link, run, now)
  else run.open--
  endOf(run, link.side)
}

function endOf(run: Run, { isEchoed }: Side) {
  if (run.open === 0 && (!isEchoed || run.echoes >= run.acknowledged)) run.done()
}

/** A heartbeat that comes back, or a command, of which only a question for the slots is sent here. */
function told(link: Link, { id, payload }: { id: number; payload: Buffer }) {
  if (id !== 0) link.socket.write(wire.puback(id))
  if (payload.equals(heartbeat)) {
    if (!run) return
    run.echoes++
    endOf(run, link.side)
  } else if (codec.listen(payload).command?.kind === 'inventory') {
    const banks = [{ slot: link.slot, bankId: bankOf(link.index), levelPercent: 90 }]
    const said = codec.say({ kind: 'inventory', slots: slotsEach, banks })
    link.socket.write(wire.publish(link.topic.update, said).bytes)
  }
}

function say(link: Link, { say }: Run, now: number) {
  link.id = wire.nextId(link.id)
  link.saidAt = now
  say(link)
}

const sayings: Record<Saying, (link: Link) => void> = {
  heartbeat({ socket, beat, id }) {
    beat.bytes.writeUInt16BE(id, beat.idAt)
    socket.write(beat.bytes)
  },
  /** The same bank each time, in the next slot. */
  returned(link) {
    link.slot = (link.slot % slotsEach) + 1
    const bank = { slot: link.slot, bankId: bankOf(link.index), levelPercent: 90 }
    const { bytes, idAt } = wire.publish(link.topic.update, codec.say({ kind: 'returned', bank }))
    bytes.writeUInt16BE(link.id, idAt)
    link.socket.write(bytes)
  },
}

function dial(side: Side): Promise<void> {
  const ready = Promise.withResolvers<void>()
  const index = side.firstIndex + side.links.length
  const topic = topics(imeiOf(index))
  const socket = connect({
    host: '127.0.0.1',
    port: side.port,
    noDelay: true,
    onread: {
      buffer,
      callback(length) {
        const chunk = buffer.subarray(0, length)
        const bytes = link.rest ? Buffer.concat([link.rest, chunk]) : chunk
        // What one read makes it say goes in one write, as the brokers' answers do.
        socket.cork()
        link.rest = wire.cut(bytes, (first, all, from, to) => heard(link, first, all, from, to))
        socket.uncork()
        return true
      },
    },
  })
  const beat = wire.publish(topic.heart, heartbeat)
  const state = { rest: null, beat, id: wire.firstId, saidAt: 0, slot: 1, ready: ready.resolve }
  const link: Link = { index, side, socket, topic, ...state }
  side.links.push(link)
  socket.once('error', ({ message }) => ready.reject(new Error(`a link to ${side.name}: ${message}`)))
  socket.once('close', () => {
    ready.reject(new Error(`a link to ${side.name} was closed`))
    // A run would wait for it for ever.
    if (run) throw new Error(`a link to ${side.name} was closed during a run`)
  })
  socket.once('connect', () => {
    const wanted = side.isEchoed ? [topic.get, topic.heart] : [topic.get]
    for (const packet of wire.greeting(shownBy(index), wanted)) socket.write(packet)
  })
  return ready.promise
}

const skills = {
  /** Dials until a side has so many links, subscribed to their commands and, where it echoes, to their heartbeats. */
  async dial({ count, ...about }: Omit<Side, 'links'> & { count: number }) {
    const side = sides.get(about.name) ?? { ...about, links: [] }
    sides.set(side.name, side)
    while (side.links.length < count) {
      const some = Math.min(dialsAtOnce, count - side.links.length)
      await Promise.all(Array.from({ length: some }, () => dial(side)))
    }
  },
  /** One run over the first so many links of a side; latencies to the acknowledgement in milliseconds. */
  async say({ side: name, count, ms, saying }: { side: string; count: number; ms: number; saying: Saying }) {
    const links = sides.get(name)!.links.slice(0, count)
    const { promise, resolve } = Promise.withResolvers<void>()
    const from = performance.now()
    const mine: Run = {
      until: from + ms,
      say: sayings[saying],
      open: links.length,
      acknowledged: 0,
      // Returns do not come back.
      echoes: saying === 'heartbeat' ? 0 : Number.POSITIVE_INFINITY,
      done: resolve,
    }
    run = mine
    latency.reset()
    for (const link of links) say(link, mine, performance.now())
    await promise
    run = undefined
    const at = (percent: number) => latency.percentile(percent) / nanosecondsPerMillisecond
    const perSecond = (mine.acknowledged * 1_000) / (performance.now() - from)
    return { perSecond, acknowledged: mine.acknowledged, p50: at(50), p99: at(99) }
  },
  /** How many of a side are connected now. */
  open: (name: string) => sides.get(name)!.links.filter(({ socket }) => socket.readyState === 'open').length,
}

/** For `start`. */
export type MqttLinksChild = typeof skills

serve(skills)
