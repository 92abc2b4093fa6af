import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Acknowledgement, Command, DeviceCodec, Report } from '../../protocol/cabinet.ts'
import { open, seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { deviceCodec, type Framer, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { begin, hangUp } from '../line.ts'
import { banksOf, type ServerAddress } from './box.ts'
import { flipped } from './frame-faults.ts'
import {
  beat,
  forget,
  heardBy,
  inItsTime,
  isMovement,
  loggedIn,
  type Machine,
  type MachineSettings,
  newMachine,
  perform,
  say,
  startHeartbeats,
} from './machine.ts'
import { type Cabinet, simulated } from './simulated-cabinet.ts'

/** Behind length, command and version (docs/protocol.md 2.1). */
const checksumAt = 4
/** What TCP-A cabinets say where TCP-B says milliseconds since power-up (docs/protocol.md 0x60). */
const nonceA = 0x55667788

export interface CabinetSettings extends MachineSettings {
  dialect: 'A' | 'B'
  /** TCP-B's secret. */
  key?: string | undefined
}

/** One link for one life, or a way to dial: a cabinet that can dial does so again whenever its link ends. */
export type Link = Duplex | ((server: ServerAddress) => Duplex)

interface TcpCabinet extends Machine {
  settings: CabinetSettings
  link: Link
  codec: DeviceCodec
  /** The time handed out by the last login answer: the next login says it (0x60). */
  unixSeconds: number
  bootedAt: number
}

function dial(cab: TcpCabinet) {
  const { link, box } = cab
  const stream = begin(cab, () => (typeof link === 'function' ? link(box.server) : link))
  if (!stream) return
  const framer = newFramer()
  stream.on('data', (chunk) => received(cab, stream, framer, chunk))
  // Behind what is held back.
  stream.on('end', () => inItsTime(cab, false, () => stream.destroy()))
  startHeartbeats(cab)
  if (stream instanceof Socket && stream.connecting) stream.once('connect', () => login(cab))
  else login(cab)
}

function login(cab: TcpCabinet) {
  cab.journal.add({ event: 'connected' })
  const { boxId, slots } = cab.box
  say(cab, { kind: 'login', boxId, slots, banks: banksOf(cab.box) })
}

function frameOf({ codec, settings, bootedAt, unixSeconds }: TcpCabinet, report: Report): Buffer {
  const bootMilliseconds = settings.dialect === 'A' ? nonceA : Math.round(performance.now() - bootedAt) >>> 0
  return codec.encode(report, { bootMilliseconds, unixSeconds })
}

/** The token is that of the longer frame. */
function longer({ settings: { dialect, key } }: TcpCabinet, frame: Buffer): Buffer {
  const { code, vsn, token, payload } = open(frame)
  const more = Buffer.concat([payload, Buffer.alloc(1)])
  return seal(code, vsn, dialect === 'A' || key === undefined ? token : tokenOf(more, Buffer.from(key)), more)
}

function received(cab: TcpCabinet, stream: Duplex, framer: Framer, chunk: Buffer) {
  // A forsaken link hears nothing.
  if (stream !== cab.stream) return
  try {
    for (const frame of framer.push(chunk)) hear(cab, frame)
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error
    hangUp(cab, error.message)
  }
}

function hear(cab: TcpCabinet, frame: Buffer) {
  let words: Command | Acknowledgement
  try {
    words = cab.codec.decode(frame)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    return cab.journal.add({ event: 'unreadable', reason: error.message, frame })
  }
  inItsTime(cab, isMovement(words), () => {
    cab.journal.add({ event: 'heard', words, frame })
    const heard = heardBy(cab, words)
    if (heard.kind === 'acknowledged') acknowledged(cab, heard)
    else perform(cab, heard)
  })
}

function acknowledged(cab: TcpCabinet, words: Acknowledgement) {
  if (words.report === 'returned') forget(cab, words.slot)
  if (words.report === 'heartbeat') {
    // The bytes of a probe are those of an answer. Ours counts as unanswered, so that a server which answers every
    // heartbeat does not play ping-pong with us.
    const probe = cab.unanswered === 0
    cab.unanswered = 0
    if (probe) beat(cab)
  }
  if (words.report !== 'login') return
  if (words.result !== 1) return hangUp(cab, 'the login was refused')
  cab.unixSeconds = words.unixSeconds ?? 0
  loggedIn(cab)
}

function restart(cab: TcpCabinet) {
  const { box, settings, stream } = cab
  if (box.nextServer) box.server = box.nextServer
  delete box.nextServer
  cab.bootedAt = performance.now()
  cab.farewell = { reason: 'restarted', seconds: settings.bootSeconds ?? 8 }
  cab.journal.add({ event: 'did', act: 'restarted' })
  // What was said before is still sent.
  stream?.end(() => stream.destroy())
}

/**
 * A cabinet of TCP dialect A or B, dialled at once and well-behaved unless told otherwise.
 * @throws RangeError TCP-B without a key, or a box that cannot be
 */
export function cabinet(link: Link, settings: CabinetSettings): Cabinet {
  const { dialect, key } = settings
  const cab: TcpCabinet = {
    ...newMachine(settings, typeof link === 'function'),
    wire: {
      dial: () => dial(cab),
      hangUp: (stream) => void stream.destroy(),
      canSay: () => cab.stream?.destroyed === false,
      frameOf: (report) => frameOf(cab, report),
      spoiled: (frame) => flipped(frame, checksumAt),
      longer: (frame) => longer(cab, frame),
      write: (frame) => void cab.stream?.write(frame),
      send: (bytes) => void cab.stream?.write(bytes),
      restart: () => restart(cab),
      giveUp: (reason) => hangUp(cab, reason, 0),
    },
    settings,
    link,
    codec: deviceCodec(dialect, { key }),
    unixSeconds: 0,
    bootedAt: performance.now(),
  }
  dial(cab)
  return simulated(cab)
}
