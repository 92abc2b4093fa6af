import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import type { DeviceCodec } from '../../protocol/cabinet.ts'
import { deviceCodec, type Framer, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { obey } from '../../simulators/cabinet/behaviours.ts'
import { makeBox } from '../../simulators/cabinet/box.ts'
import { boxIdOf, stationKey } from './cabinets.ts'
import { serve } from './child.ts'

const readBytes = 65_536
const nanosecondsPerMillisecond = 1e6

/** Whom the links lead to: the gateway, or a server that says back what it hears. */
type Side = 'ours' | 'echo'

interface Link {
  index: number
  socket: Socket
  /** Only while something else than a heartbeat is under way. */
  framer: Framer | undefined
  saidAt: number
  loggedIn: () => void
}

/** A run: every link says its next heartbeat when the last one was answered, until the time is up. */
interface Run {
  until: number
  /** Links whose last heartbeat is still on its way. */
  open: number
  beats: number
  done: () => void
}

const codec: DeviceCodec = deviceCodec('B', { key: stationKey })
const heartbeat = codec.encode({ kind: 'heartbeat' })
const buffer = Buffer.alloc(readBytes)
const links: Record<Side, Link[]> = { ours: [], echo: [] }
const latency = createHistogram()
let run: Run | undefined

/** Both sides answer a heartbeat with its own bytes; this path is the same for both. */
function received(link: Link, chunk: Buffer) {
  if (link.framer === undefined && chunk.length === heartbeat.length && chunk.equals(heartbeat)) return answered(link)
  link.framer ??= newFramer()
  for (const frame of link.framer.push(chunk)) {
    const words = codec.decode(frame)
    if (words.kind !== 'acknowledged') link.socket.write(codec.encode(obey(boxOf(link.index), words)))
    else if (words.report === 'heartbeat') answered(link)
    else if (words.report === 'login' && words.result === 1) link.loggedIn()
  }
  if (link.framer.rest().length === 0) link.framer = undefined
}

const boxOf = (index: number) => makeBox({ boxId: boxIdOf(index), slots: 8, banks: [] })

function answered(link: Link) {
  if (!run) return
  const now = performance.now()
  latency.record(Math.max(1, Math.round((now - link.saidAt) * nanosecondsPerMillisecond)))
  run.beats++
  if (now < run.until) say(link, now)
  else if (--run.open === 0) run.done()
}

function say(link: Link, now: number) {
  link.saidAt = now
  link.socket.write(heartbeat)
}

function dial(side: Side, port: number): Promise<void> {
  const ready = Promise.withResolvers<void>()
  const socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    onread: {
      buffer,
      callback(length) {
        received(link, buffer.subarray(0, length))
        return true
      },
    },
  })
  const link: Link = { index: links[side].length, socket, framer: undefined, saidAt: 0, loggedIn: ready.resolve }
  links[side].push(link)
  socket.once('error', ready.reject)
  socket.once('close', () => ready.reject(new Error(`a link to ${side} was closed`)))
  socket.once('connect', () => {
    if (side === 'echo') ready.resolve()
    else socket.write(codec.encode({ kind: 'login', boxId: boxIdOf(link.index), slots: 8, banks: [] }))
  })
  return ready.promise
}

const skills = {
  /** Dials until there are so many links, logged in where that is to be done. */
  async dial({ side, port, count }: { side: Side; port: number; count: number }): Promise<void> {
    await Promise.all(Array.from({ length: count - links[side].length }, () => dial(side, port)))
  },
  /** One run over all links of a side; latencies in milliseconds. */
  async beat({
    side,
    ms,
  }: {
    side: Side
    ms: number
  }): Promise<{ perSecond: number; beats: number; p50: number; p99: number }> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const from = performance.now()
    run = { until: from + ms, open: links[side].length, beats: 0, done: resolve }
    latency.reset()
    for (const link of links[side]) say(link, performance.now())
    await promise
    const { beats } = run
    run = undefined
    const at = (percent: number) => latency.percentile(percent) / nanosecondsPerMillisecond
    return { perSecond: (beats * 1_000) / (performance.now() - from), beats, p50: at(50), p99: at(99) }
  },
}

/** For `start`. */
export type LinksChild = typeof skills

serve(skills)
