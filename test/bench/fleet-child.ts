import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { RunningFleet } from '../../simulators/fleet/fleet.ts'
import { fleet } from '../../simulators/fleet/tcp-fleet.ts'
import { boxIdOf, stationKey } from './cabinets.ts'
import { serve } from './child.ts'

const heartbeatSeconds = 30
/** So many dial together, and the next when all of these are in: a slow machine takes longer, and drops nobody. */
const dialsAtOnce = 250
const dialsPerSecond = 2_000

let fleets: RunningFleet[] = []
let bare: Socket[] = []

const skills = {
  /** TCP-B cabinets of 8 slots, all logged in when it resolves; they live on until `stop`. */
  async login({ port, count, banks }: { port: number; count: number; banks: number }) {
    for (let first = 0; first < count; first += dialsAtOnce) {
      const some = fleet({
        cabinets: Math.min(dialsAtOnce, count - first),
        dialect: 'B',
        who: (index) => ({ boxId: boxIdOf(first + index), key: stationKey }),
        slots: 8,
        banks,
        host: '127.0.0.1',
        port,
        loginsPerSecond: dialsPerSecond,
        heartbeatSeconds,
      })
      fleets.push(some)
      await some.everybody
    }
  },
  /** Connections that say nothing. */
  async dial({ port, count }: { port: number; count: number }) {
    while (bare.length < count) {
      const some = Array.from({ length: Math.min(dialsAtOnce, count - bare.length) }, () => connect(port, '127.0.0.1'))
      await Promise.all(some.map((socket) => once(socket, 'connect')))
      bare.push(...some)
    }
  },
  /** How many are logged in now. */
  online: () => fleets.reduce((sum, { online }) => sum + online, 0),
  async stop() {
    await Promise.all(fleets.map((some) => some.stop()))
    for (const socket of bare) socket.destroy()
    fleets = []
    bare = []
  },
}

/** For `start`. */
export type FleetChild = typeof skills

serve(skills)
