import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fleet, type RunningFleet } from '../../simulators/fleet.ts'
import { boxIdOf, stationKey } from './cabinets.ts'
import { serve } from './child.ts'

const heartbeatSeconds = 30
const dialsAtOnce = 500

let running: RunningFleet | undefined
let bare: Socket[] = []

const skills = {
  /** TCP-B cabinets of 8 slots, all logged in when it resolves; they live on until `stop`. */
  async login({ port, count, banks, perSecond }: { port: number; count: number; banks: number; perSecond: number }) {
    running = fleet({
      cabinets: count,
      dialect: 'B',
      who: (index) => ({ boxId: boxIdOf(index), key: stationKey }),
      slots: 8,
      banks,
      host: '127.0.0.1',
      port,
      loginsPerSecond: perSecond,
      heartbeatSeconds,
    })
    await running.everybody
  },
  /** Connections that say nothing. */
  async dial({ port, count }: { port: number; count: number }) {
    while (bare.length < count) {
      const some = Array.from({ length: Math.min(dialsAtOnce, count - bare.length) }, () => connect(port, '127.0.0.1'))
      await Promise.all(some.map((socket) => once(socket, 'connect')))
      bare.push(...some)
    }
  },
  /** Figures that say whether the fleet lived undisturbed. */
  counts: () => ({ online: running?.online ?? 0, failures: running?.counts.failures ?? {} }),
  async stop() {
    await running?.stop()
    for (const socket of bare) socket.destroy()
    running = undefined
    bare = []
  },
}

/** For `start`. */
export type FleetChild = typeof skills

serve(skills)
