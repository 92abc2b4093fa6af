/**
 * Ten thousand cabinets and more in one process. A member is a socket and a few numbers: no timer, no box, no journal of
 * its own. What one holds is computed when somebody asks, and its behaviours are those of a single cabinet.
 */
import { once } from 'node:events'
import { setTimeout as after } from 'node:timers/promises'
import type { DeviceCodec } from '../../protocol/cabinet.ts'
import { deviceCodec } from '../../protocol/cabinet-tcp/index.ts'
import { type FleetLatency, fleetLatency, newTally, type RunningFleet, running } from './fleet.ts'
import { beat, dial, type Fleet, type Member, type TcpFleetSettings } from './member.ts'

const tickMilliseconds = 10
const lastAnswersMilliseconds = 2_000
const readBytes = 65_536
/** What a member holds is a bit for each slot. */
export const fleetSlotsMax = 32

/** One timer for everybody: dials as fast as the ramp allows, and beats each member at its own moment of the interval. */
function conduct(fleet: Fleet): () => void {
  const { loginsPerSecond, heartbeatSeconds, cabinets } = fleet.settings
  const start = performance.now()
  let dialled = 0
  let dialsFrom = start
  let turn = 0
  const timer = setInterval(() => {
    const now = performance.now()
    while (fleet.pausing[0] && fleet.pausing[0].until <= now) fleet.waiting.push(fleet.pausing.shift()!.index)
    // What nobody waited for is not saved up for a burst.
    const allowed = Math.floor(((now - dialsFrom) / 1000) * loginsPerSecond) - dialled
    for (const index of fleet.waiting.splice(0, allowed)) {
      dialled++
      const member = fleet.members[index]
      if (member) dial(fleet, member)
    }
    if (fleet.waiting.length === 0) [dialsFrom, dialled] = [now, 0]
    const due = Math.floor(((now - start) / 1000 / heartbeatSeconds) * cabinets)
    for (; turn < due; turn++) {
      const member = fleet.members[turn % cabinets]
      if (member) beat(fleet, member)
    }
  }, tickMilliseconds)
  return () => clearInterval(timer)
}

function made(settings: TcpFleetSettings, latency: FleetLatency): Fleet {
  const { cabinets, dialect, banks, who } = settings
  // A codec with one key remembers nothing: members of one key share it.
  const codecs = new Map<string | undefined, DeviceCodec>()
  const members = Array.from({ length: cabinets }, (_, index): Member => {
    const { key } = who(index)
    const codec = codecs.get(key) ?? deviceCodec(dialect, { key })
    codecs.set(key, codec)
    return {
      index,
      codec,
      socket: undefined,
      online: false,
      unanswered: 0,
      saidAt: 0,
      heartbeat: codec.encode({ kind: 'heartbeat' }),
      present: banks === fleetSlotsMax ? -1 : (1 << banks) - 1,
      framer: undefined,
      farewell: undefined,
    }
  })
  const waiting = members.map(({ index }) => index)
  return { ...newTally(cabinets, latency), settings, members, waiting, pausing: [], buffer: Buffer.alloc(readBytes) }
}

async function stop(fleet: Fleet) {
  const deadline = performance.now() + lastAnswersMilliseconds
  const owed = () => fleet.members.some(({ online, unanswered }) => online && unanswered > 0)
  while (owed() && performance.now() < deadline) await after(tickMilliseconds)
  fleet.stopping = true
  const open = fleet.members.flatMap(({ socket }) => (socket && !socket.destroyed ? [socket] : []))
  await Promise.all(open.map((socket) => once(socket.destroy(), 'close')))
}

/**
 * Starts a fleet; it runs until it is stopped.
 * @param latency shared with other fleets, if given
 * @throws RangeError more slots than 32, more banks than slots, or TCP-B without keys
 */
export function fleet(settings: TcpFleetSettings, latency = fleetLatency()): RunningFleet {
  const { slots, banks } = settings
  if (slots > fleetSlotsMax || banks > slots) throw new RangeError(`${banks} banks in ${slots} slots, at most 32`)
  const fleet = made(settings, latency)
  const halt = conduct(fleet)
  return running(fleet, () => {
    halt()
    return stop(fleet)
  })
}
