import { connect, type Socket } from 'node:net'
import type { Acknowledgement, Command, DeviceCodec, Report } from '../../protocol/cabinet.ts'
import { type Framer, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { obey } from '../cabinet/behaviours.ts'
import { type Box, banksOf, makeBox } from '../cabinet/box.ts'
import { reasonOf } from '../line.ts'
import { countAnswer, countFailure, countLogin, type FleetSettings, type Tally } from './fleet.ts'

/** A source address has some 28,000 ports on loopback; beyond this many cabinets another address is used. */
const cabinetsPerSourceMax = 20_000
/** As a real cabinet: after so many unanswered heartbeats the next one is a new dial (docs/protocol.md 4). */
const missedHeartbeatsMax = 2
const redialSecondsStandard = 5

/** Of at most 32 slots. */
export interface TcpFleetSettings extends FleetSettings {
  dialect: 'A' | 'B'
  /** How many 127.0.0.x addresses to dial from; as many as needed unless told. */
  sources?: number
}

/** One cabinet of a fleet: a socket and a few numbers. */
export interface Member {
  index: number
  codec: DeviceCodec
  socket: Socket | undefined
  online: boolean
  unanswered: number
  /** When the login or the last heartbeat was written, in performance.now() milliseconds. */
  saidAt: number
  heartbeat: Buffer
  /** A bit for each slot with its bank in it. */
  present: number
  /** Only once a read was not exactly one frame. */
  framer: Framer | undefined
  /** Why the link is about to end, when that is our own doing. */
  farewell: string | undefined
}

/** All that the members of a fleet share. */
export interface Fleet extends Tally {
  settings: TcpFleetSettings
  members: Member[]
  waiting: number[]
  /** Who was turned away or reached nobody, and when their pause is over, in rising order. */
  pausing: { index: number; until: number }[]
  /** Shared by all sockets: a read is handled before the next begins. */
  buffer: Buffer
}

const bankIdOf = (index: number, slot: number) =>
  `53494D46${index.toString(16).padStart(6, '0')}${slot.toString(16).padStart(2, '0')}`.toUpperCase()

// Bank n of a member lives in slot n: its id says so, so a bit is enough.
function boxOf({ settings }: Fleet, { index, present }: Member): Box {
  const banks = Array.from({ length: settings.banks }, (_, at) => bankIdOf(index, at + 1))
  const box = makeBox({ boxId: settings.who(index).boxId, slots: settings.slots, banks })
  for (const slot of box.banks.keys()) if (!(present & (1 << (slot - 1)))) box.banks.delete(slot)
  return box
}

const presentIn = (box: Box) => [...box.banks.keys()].reduce((bits, slot) => bits | (1 << (slot - 1)), 0)

/** One more link for a member. */
export function dial(fleet: Fleet, member: Member) {
  const { host, port, sources } = fleet.settings
  const among = sources ?? Math.ceil(fleet.members.length / cabinetsPerSourceMax)
  const socket = connect({
    host,
    port,
    noDelay: true,
    ...(among > 1 && { localAddress: `127.0.0.${1 + (member.index % among)}` }),
    onread: {
      buffer: fleet.buffer,
      callback(length) {
        received(fleet, member, fleet.buffer.subarray(0, length))
        return true
      },
    },
  })
  let reason = 'closed by the server'
  member.socket = socket
  member.unanswered = 0
  member.framer = undefined
  member.farewell = undefined
  socket.once('connect', () => login(fleet, member))
  socket.on('error', (error) => {
    reason = reasonOf(error)
  })
  socket.once('close', () => ended(fleet, member, socket, reason))
}

function login(fleet: Fleet, member: Member) {
  const box = boxOf(fleet, member)
  member.saidAt = performance.now()
  say(member, { kind: 'login', boxId: box.boxId, slots: box.slots, banks: banksOf(box) })
}

function say({ socket, codec }: Member, report: Report) {
  socket?.write(codec.encode(report, { bootMilliseconds: Math.round(performance.now()) }))
}

function ended(fleet: Fleet, member: Member, socket: Socket, reason: string) {
  if (member.socket !== socket) return
  member.socket = undefined
  const { online, index } = member
  if (online) fleet.online--
  member.online = false
  if (fleet.stopping) return
  countFailure(fleet, member.farewell ?? reason)
  const { redialSeconds = redialSecondsStandard } = fleet.settings
  if (online) fleet.waiting.push(index)
  else fleet.pausing.push({ index, until: performance.now() + redialSeconds * 1000 })
}

/** Most reads are one heartbeat's answer, known by its bytes. */
function received(fleet: Fleet, member: Member, chunk: Buffer) {
  if (!member.framer && member.online && chunk.equals(member.heartbeat)) return beaten(fleet, member)
  member.framer ??= newFramer()
  try {
    for (const frame of member.framer.push(chunk)) hear(fleet, member, frame)
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error
    member.farewell = 'broken stream'
    member.socket?.destroy()
  }
  if (member.framer.rest().length === 0) member.framer = undefined
}

function hear(fleet: Fleet, member: Member, frame: Buffer) {
  let words: Command | Acknowledgement
  try {
    words = member.codec.decode(frame)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    fleet.unreadable++
    return
  }
  if (words.kind === 'acknowledged') return acknowledged(fleet, member, words)
  fleet.commands++
  const box = boxOf(fleet, member)
  say(member, obey(box, words))
  member.present = presentIn(box)
  if (words.kind !== 'restart') return
  member.farewell = 'restarted'
  member.socket?.end()
}

function acknowledged(fleet: Fleet, member: Member, words: Acknowledgement) {
  if (words.report === 'heartbeat') beaten(fleet, member)
  if (words.report !== 'login') return
  if (words.result !== 1) {
    fleet.refusals++
    return
  }
  member.unanswered = 0
  // A server may say it twice.
  if (!member.online) countLogin(fleet, member.saidAt)
  member.online = true
}

function beaten(fleet: Fleet, member: Member) {
  // A probe has the same bytes. Our answer counts as unanswered: a server may answer answers.
  if (member.unanswered === 0) return beat(fleet, member)
  member.unanswered = 0
  countAnswer(fleet, member.saidAt)
}

/** A heartbeat, or after too many unanswered ones the end of the link and another turn to dial. */
export function beat(fleet: Fleet, member: Member) {
  const { socket } = member
  if (!socket) return
  if (member.unanswered >= missedHeartbeatsMax) {
    member.farewell = member.online ? 'heartbeats unanswered' : 'login unanswered'
    socket.destroy()
    return
  }
  member.unanswered++
  if (!member.online) return
  member.saidAt = performance.now()
  socket.write(member.heartbeat)
  fleet.heartbeats++
}
