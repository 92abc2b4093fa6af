import { setTimeout as after } from 'node:timers/promises'
import type { BankId } from '../../protocol/cabinet.ts'
import { bankIdsOf, charge, fits, freeSlots } from '../cabinet/box.ts'
import { mqttCabinet } from '../cabinet/cabinet-mqtt.ts'
import { cabinet } from '../cabinet/cabinet-tcp.ts'
import { between, type Latency, type Range, realLatency } from '../cabinet/latency.ts'
import type { Cabinet } from '../cabinet/simulated-cabinet.ts'
import { dialer, doors, mayDial } from '../dial.ts'

/** A bank at somebody's comes back this much later, with this much charge left. */
const returnSecondsStandard: Range = [20, 90]
const leftPercent: Range = [10, 80]
/** No cabinet with a free slot in reach: tried again after this. */
const againSeconds = 5
const chargeSeconds = 10
/** Of an MQTT cabinet (docs/protocol.md 5.6, 5.7). */
const heartbeatSecondsMqtt = 540
const uploadSeconds = 60
const chargePercent = 2
const stationsMax = 1_000

/** One cabinet of the demo; `banks` are so many generated ones, or those. */
export interface DemoStation {
  boxId: string
  key?: string | undefined
  dialect: 'A' | 'B' | 'mqtt'
  slots: number
  banks?: number | readonly BankId[]
}

export interface DemoSettings {
  host: string
  port: number
  /** Where MQTT cabinets ask for their broker. */
  bootstrapPort?: number | null
  stations: readonly DemoStation[]
  /** Of TCP cabinets. */
  heartbeatSeconds?: number
  returnSeconds?: Range
  allowRemote?: boolean
  /** Real unless told. */
  latency?: Latency
}

/** A fleet that lives, until it is closed. */
export interface DemoFleet {
  cabinets: readonly Cabinet[]
  close(): Promise<void>
}

function station(
  settings: DemoSettings,
  { boxId, key, dialect, slots, banks: given = slots >> 1 }: DemoStation,
): Cabinet {
  const { host, port, bootstrapPort, heartbeatSeconds = 30, allowRemote = false, latency } = settings
  const banks = typeof given === 'number' ? bankIdsOf(boxId, dialect, given) : given
  const box = { boxId, slots, banks }
  if (dialect === 'mqtt') {
    if (typeof bootstrapPort !== 'number') throw new RangeError(`${boxId} needs a bootstrapPort`)
    const server = { host, port: `${bootstrapPort}`, heartbeatSeconds: heartbeatSecondsMqtt }
    return mqttCabinet(doors(allowRemote), { ...box, server, uploadSeconds, latency: latency ?? realLatency.mqtt })
  }
  return cabinet(dialer(allowRemote), {
    ...box,
    dialect,
    key,
    server: { host, port: `${port}`, heartbeatSeconds },
    latency: latency ?? realLatency.tcp,
  })
}

/** Somebody carries a bank about and puts it into the emptiest cabinet that takes it: one that lends most would stay empty. */
async function carry(cabinets: readonly Cabinet[], bankId: BankId, seconds: Range, signal: AbortSignal) {
  let wait = between(seconds)
  for (;;) {
    await after(wait * 1000, undefined, { signal })
    const open = cabinets.filter(({ online, box }) => online && fits(box, bankId) && freeSlots(box).length > 0)
    const [chosen] = open.sort((one, other) => one.box.banks.size - other.box.banks.size)
    if (chosen) return chosen.insert(bankId, undefined, Math.round(between(leftPercent)))
    wait = againSeconds
  }
}

/**
 * Cabinets that live, and people who bring banks back: driven from the outside through the wire alone.
 * @throws RangeError a host that may not be dialled, or a station that cannot be
 */
export function demoFleet(settings: DemoSettings): DemoFleet {
  const { host, stations, returnSeconds = returnSecondsStandard, allowRemote = false } = settings
  mayDial(host, allowRemote)
  if (stations.length > stationsMax) throw new RangeError(`${stations.length} stations: at most ${stationsMax}`)
  const cabinets = stations.map((one) => station(settings, one))
  const end = new AbortController()
  for (const { journal } of cabinets)
    journal.watch((entry) => {
      if (entry.event !== 'did' || entry.act !== 'ejected' || entry.bankId === undefined) return
      carry(cabinets, entry.bankId, returnSeconds, end.signal).catch((error: unknown) => {
        if (!end.signal.aborted) throw error
      })
    })
  const charger = setInterval(() => {
    for (const { box } of cabinets) charge(box, chargePercent)
  }, chargeSeconds * 1000)
  return {
    cabinets,
    async close() {
      end.abort()
      clearInterval(charger)
      await Promise.all(cabinets.map((one) => one.close()))
    },
  }
}
