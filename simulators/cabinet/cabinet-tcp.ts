import { once } from 'node:events'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Acknowledgement, Command, DeviceCodec, Report } from '../../protocol/cabinet.ts'
import type { Framer } from '../../protocol/cabinet-tcp/index.ts'
import { deviceCodec, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import type { ServerAddress } from './box.ts'
import { banksOf } from './box.ts'
import { flipped } from './faults.ts'
import type { Actor, ActorSettings, Wire } from './machine.ts'
import { forget, makeActor, makeCabinet, perform, reachOf, sayAgain } from './machine.ts'
import type { Cabinet } from './simulated-cabinet.ts'

/** Behind length, command and version (docs/protocol.md 2.1). */
const checksumAt = 4
/** What TCP-A cabinets say where TCP-B says milliseconds since power-up (docs/protocol.md 0x60). */
const nonceA = 0x55667788

export interface CabinetSettings extends ActorSettings {
  dialect: 'A' | 'B'
  /** TCP-B's secret. */
  key?: string
  /** From a closed link to the next dial; 5 unless told. */
  redialSeconds?: number
  /** From power-off to the next dial; 8 unless told. */
  bootSeconds?: number
  /** After so many unanswered heartbeats the next one is a new dial: 60–91 s at 30 s each (section 4). 2 unless told. */
  missedHeartbeatsMax?: number
}

/** One link for one life, or a way to dial: a cabinet that can dial does so again whenever its link ends. */
export type Link = Duplex | ((server: ServerAddress) => Duplex)

interface Line {
  settings: CabinetSettings
  actor: Actor
  wire: Wire
  link: Link
  codec: DeviceCodec
  stream: Duplex | undefined
  /** Half-open links: ours no more, but open for whoever is on the other end. */
  forsaken: Duplex[]
  online: boolean
  /** Written once more after the next login. */
  again: { frame: Buffer; report: Report }[]
  hushed: boolean
  /** Why the link is about to end and how long until the next, when that is our own doing. */
  farewell: { reason: string; seconds: number } | undefined
  unanswered: number
  heartbeats: NodeJS.Timeout | undefined
  redial: NodeJS.Timeout | undefined
  /** The time handed out by the last login answer: the next login says it (0x60). */
  unixSeconds: number
  bootedAt: number
}

const errorReason = (error: NodeJS.ErrnoException) => error.code ?? error.message

function dial(line: Line) {
  const { link, actor } = line
  const { server } = actor.box
  let stream: Duplex
  try {
    stream = typeof link === 'function' ? link(server) : link
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return ended(line, undefined, errorReason(error))
  }
  line.stream = stream
  line.hushed = false
  line.unanswered = 0
  line.farewell = undefined
  let reason = 'closed by the server'
  const framer = newFramer()
  stream.on('data', (chunk) => received(line, stream, framer, chunk))
  stream.on('error', (error) => {
    reason = errorReason(error)
  })
  stream.on('end', () => stream.destroy())
  stream.once('close', () => ended(line, stream, reason))
  line.heartbeats = setInterval(() => tick(line), server.heartbeatSeconds * 1000)
  if (stream instanceof Socket && stream.connecting) stream.once('connect', () => login(line))
  else login(line)
}

function login(line: Line) {
  line.actor.journal.add({ event: 'connected' })
  const { boxId, slots } = line.actor.box
  say(line, { kind: 'login', boxId, slots, banks: banksOf(line.actor.box) })
}

function ended(line: Line, stream: Duplex | undefined, reason: string) {
  // A forsaken link may end whenever it likes.
  if (stream !== line.stream) return
  clearInterval(line.heartbeats)
  const { redialSeconds = 5 } = line.settings
  const farewell = line.farewell ?? { reason, seconds: redialSeconds }
  line.stream = undefined
  line.online = false
  line.farewell = undefined
  line.actor.journal.add({ event: 'closed', reason: farewell.reason })
  if (line.actor.end.signal.aborted || typeof line.link !== 'function') return
  line.redial = setTimeout(() => dial(line), farewell.seconds * 1000)
}

function hangUp(line: Line, reason: string, seconds = line.settings.redialSeconds ?? 5) {
  line.farewell ??= { reason, seconds }
  line.stream?.destroy()
}

// Heartbeats run from the dial on: a server that never answers the login is a silent server too.
function tick(line: Line) {
  const { missedHeartbeatsMax = 2 } = line.settings
  if (line.unanswered >= missedHeartbeatsMax) hangUp(line, 'the server is silent', 0)
  else beat(line)
}

function beat(line: Line) {
  line.unanswered++
  if (line.online) say(line, { kind: 'heartbeat' })
}

function frameOf({ codec, settings, bootedAt, unixSeconds }: Line, report: Report): Buffer {
  const bootMilliseconds = settings.dialect === 'A' ? nonceA : Math.round(performance.now() - bootedAt) >>> 0
  return codec.encode(report, { bootMilliseconds, unixSeconds })
}

function say(line: Line, report: Report) {
  const { stream, actor, wire } = line
  if (!stream || stream.destroyed || line.hushed) return
  const frame = frameOf(line, report)
  const reach = reachOf(actor, wire)
  let writes = [frame]
  for (const { out } of actor.faults.values())
    if (out) writes = writes.flatMap((bytes) => out(bytes, report, reach) ?? [bytes])
  write(line, report, frame, writes)
}

function write({ stream, actor }: Line, report: Report, frame: Buffer, writes: Buffer[]) {
  for (const bytes of writes) stream?.write(bytes)
  actor.journal.add({ event: 'said', report, frame })
}

function received(line: Line, stream: Duplex, framer: Framer, chunk: Buffer) {
  // A forsaken link hears nothing.
  if (stream !== line.stream) return
  try {
    for (const frame of framer.push(chunk)) hear(line, frame)
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error
    hangUp(line, error.message)
  }
}

function hear(line: Line, frame: Buffer) {
  const { actor, wire } = line
  let words: Command | Acknowledgement
  try {
    words = line.codec.decode(frame)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    return actor.journal.add({ event: 'unreadable', reason: error.message, frame })
  }
  actor.journal.add({ event: 'heard', words, frame })
  if (words.kind === 'acknowledged') acknowledged(line, words)
  else perform(actor, wire, words)
}

function acknowledged(line: Line, words: Acknowledgement) {
  if (words.report === 'returned') forget(line.actor, words.slot)
  if (words.report === 'heartbeat') {
    // The bytes of a probe are those of an answer. Ours counts as unanswered, so that a server which answers every
    // heartbeat does not play ping-pong with us.
    const probe = line.unanswered === 0
    line.unanswered = 0
    if (probe) beat(line)
  }
  if (words.report !== 'login') return
  if (words.result !== 1) return hangUp(line, 'the login was refused')
  line.online = true
  line.unanswered = 0
  line.unixSeconds = words.unixSeconds ?? 0
  for (const { frame, report } of line.again.splice(0)) write(line, report, frame, [frame])
  sayAgain(line.actor, line.wire)
}

function restart(line: Line) {
  const { settings, stream, actor } = line
  const { box, journal } = actor
  if (box.nextServer) box.server = box.nextServer
  delete box.nextServer
  line.bootedAt = performance.now()
  line.farewell = { reason: 'restarted', seconds: settings.bootSeconds ?? 8 }
  journal.add({ event: 'did', act: 'restarted' })
  // What was said before is still sent.
  stream?.end(() => stream.destroy())
}

function halfOpen(line: Line) {
  const { stream } = line
  if (!stream) return
  line.forsaken.push(stream)
  line.farewell = { reason: 'half open', seconds: 0 }
  ended(line, stream, '')
}

async function close(line: Line) {
  line.actor.end.abort()
  clearTimeout(line.redial)
  for (const stream of line.forsaken) stream.destroy()
  const { stream } = line
  hangUp(line, 'switched off')
  if (stream && !stream.closed) await once(stream, 'close')
}

/**
 * A cabinet of TCP dialect A or B, dialled at once and well-behaved unless told otherwise.
 * @throws RangeError TCP-B without a key, or a box that cannot be
 */
export function cabinet(link: Link, settings: CabinetSettings): Cabinet {
  const { dialect, key } = settings
  const actor = makeActor(settings)
  const wire: Wire = {
    get online() {
      return line.online
    },
    say: (report) => say(line, report),
    frameOf: (report) => frameOf(line, report),
    spoiled: (frame) => flipped(frame, checksumAt),
    again: (frame, report) => void line.again.push({ frame, report }),
    hush: () => void (line.hushed = true),
    beat: () => beat(line),
    restart: () => restart(line),
    drop: () => hangUp(line, 'dropped'),
    halfOpen: () => halfOpen(line),
    send: (bytes) => void line.stream?.write(bytes),
    close: () => close(line),
  }
  const line: Line = {
    settings,
    actor,
    wire,
    link,
    codec: deviceCodec(dialect, key === undefined ? {} : { key }),
    stream: undefined,
    forsaken: [],
    online: false,
    again: [],
    hushed: false,
    farewell: undefined,
    unanswered: 0,
    heartbeats: undefined,
    redial: undefined,
    unixSeconds: 0,
    bootedAt: performance.now(),
  }
  dial(line)
  return makeCabinet(actor, wire, typeof link === 'function')
}
