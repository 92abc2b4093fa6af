import { onTestFinished } from 'vitest'
import * as keys from '../../db/devices/keys.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { type MqttCabinetSettings, mqttCabinet } from '../../simulators/cabinet/cabinet-mqtt.ts'
import { type CabinetSettings, cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'
import { asker, dialer } from '../../simulators/dial.ts'
import { startApiServer } from '../api/server.ts'
import { brokerOn, mqtt, type Running } from '../gateway/mqtt/mqtt-stage.ts'
import { hasMosquitto, mosquitto } from '../gateway/mqtt-cluster/mosquitto.ts'
import { accessTo, nodeBehind } from '../gateway/mqtt-cluster/mqtt-brokers.ts'
import { keysSecret } from '../gateway/stage.ts'

const secret = 'INVENTED-STATION-KEY'
let boxes = 0
let banks = 0

/** What a cabinet may speak. */
export type Dialect = 'A' | 'B' | 'mqtt'

/** An invented power bank's id, of those that fit a cabinet. */
export const newBank = (dialect: Dialect = 'B') =>
  dialect === 'mqtt' ? hexOf(serialsFrom + ++banks) : `54455354${hexOf(++banks)}`

/** What its label says, where nobody has typed another. */
export const labelOf = (bankId: string) => (bankId.length === 8 ? `${Number.parseInt(bankId, 16)}` : bankId)

const serialsFrom = 40_000_000
const hexOf = (number: number) => number.toString(16).padStart(8, '0').toUpperCase()

/** A gateway with the broker inside. */
const embedded = (db: Db): Promise<Running> => brokerOn(db)

/** A gateway at a Mosquitto of its own, which is where cabinets are sent. */
async function behindMosquitto(db: Db): Promise<Running> {
  const { url, port } = await mosquitto()
  const directions = { publicHost: '127.0.0.1', publicPort: port }
  return await nodeBehind(db, accessTo(url), { mqtt: { ...mqtt, ...directions } })
}

/** Waits until the cabinet's slots have been listed. */
const inventoried = (db: Db, id: number) =>
  until(async () => (await db.sql`select 1 from stations where id = ${id} and inventory_at is not null`).length > 0)

/** Time travel: the cabinet dialled in a minute ago, and all that was sent was sent then. */
const travel = (db: Db, id: number) =>
  db.transaction(async (tx) => {
    await tx`update device_sessions set connected_at = connected_at - interval '1 minute' where device_id = ${id}`
    await tx`update device_commands set sent_at = sent_at - interval '1 minute' where device_id = ${id}`
    await tx`update orders set borrowed_at = borrowed_at - interval '1 minute' where station_id = ${id}`
  })

/** A way a cabinet comes to the house. */
interface Way {
  way: string
  dialect: Dialect
  where: typeof embedded
  /** What is acknowledged has been committed: a broker that is not ours acknowledges in front of us. */
  isCommitted: boolean
  /** Its broker is not installed. */
  missing: boolean
}

const ours = { where: embedded, isCommitted: true, missing: false }
const theirs = { where: behindMosquitto, isCommitted: false, missing: !hasMosquitto }

/** All there are, for `describe.each`. */
export const ways: Way[] = [
  { way: 'TCP-A', dialect: 'A', ...ours },
  { way: 'TCP-B', dialect: 'B', ...ours },
  { way: 'MQTT', dialect: 'mqtt', ...ours },
  { way: `MQTT by a Mosquitto${theirs.missing ? ' (not installed here: not run)' : ''}`, dialect: 'mqtt', ...theirs },
]

/** What a station of a test is to be. */
type Wanted = { dialect?: Dialect; bankIds?: string[] } & Pick<CabinetSettings, 'faults'> &
  Pick<MqttCabinetSettings, 'firmware' | 'returnFrameBytes' | 'holesPerBoard' | 'isPersistent' | 'unixSeconds'>

/** MQTT cabinets are named by an IMEI, here of a range nobody is given. */
const newBoxId = (dialect: Dialect) =>
  dialect === 'mqtt' ? `00101002${String(++boxes).padStart(7, '0')}` : `FLOW${String(++boxes).padStart(12, '0')}`

type Placed = Omit<MqttCabinetSettings, 'server'>

/** Switches a cabinet on where it has to look for its server. */
function placed(ports: Running['ports'], dialect: Dialect, settings: Placed) {
  const server = { host: '127.0.0.1', heartbeatSeconds: 30 }
  if (dialect === 'mqtt')
    return mqttCabinet(
      { dial: dialer(false), ask: asker(false) },
      { ...settings, server: { ...server, port: String(ports.calls) } },
    )
  const tcp = { ...settings, dialect, key: secret, server: { ...server, port: String(ports.cabinet) } }
  return cabinet(dialer(false), tcp)
}

/**
 * The whole house over one database: API, gateway on a real socket, simulated cabinets that dial in. Each test
 * takes its own gateway, stations and people.
 */
export async function town(change: Parameters<typeof startApiServer>[0] = {}) {
  const built = await startApiServer({ keysSecret, borrowWaitSeconds: 4, ...change })
  const { db, unit, person } = built

  /** A gateway of one test. */
  const open = (where = embedded) => where(db)

  /** A registered station and a simulated cabinet with these banks, logged in and settled, its banks active. */
  async function station(
    ports: Running['ports'],
    { orgUnitId, dialect = 'B', bankIds = [], faults = [], ...how }: Wanted & { orgUnitId: number },
  ) {
    const boxId = newBoxId(dialect)
    const id = await db.transaction(async (tx) => {
      const [row] = await tx<{ id: number }[]>`
        insert into stations (org_unit_id, box_id, slots_declared, status) values (${orgUnitId}, ${boxId}, 8, 'active') returning id`
      if (dialect === 'B') await keys.add(tx, null, { deviceId: row!.id, value: secret }, keysSecret)
      return row!.id
    })
    const box = placed(ports, dialect, {
      boxId,
      slots: 8,
      banks: bankIds,
      redialSeconds: 0.05,
      bootSeconds: 0.05,
      ...how,
    })
    onTestFinished(() => box.close())
    await box.loggedIn
    // A broker that is not ours tells nobody who has come.
    if (dialect === 'mqtt') box.heartbeat()
    await inventoried(db, id)
    // A fault that kept its slots from being listed would keep everybody from borrowing.
    for (const fault of faults) box.toggle(fault)
    await db.sql`update powerbanks set status = 'active' where device_id = any(${bankIds})`
    await travel(db, id)
    return {
      id,
      boxId,
      box,
      slotOf: (bankId: string) => [...box.box.banks.values()].find((bank) => bank.bankId === bankId)!.slot,
    }
  }

  const order = async (id: number) =>
    (
      await db.sql<{ status: string; evidence: string | null; returnStationId: number | null; powerbankId: number }[]>`
      select status, evidence, return_station_id, powerbank_id from orders where id = ${id}`
    )[0]!

  /** Waits for an order to stand so. */
  const becomes = (id: number, status: string) => until(async () => (await order(id)).status === status)

  return {
    ...built,
    open,
    station,
    settled: (id: number) => travel(db, id),
    order,
    becomes,
    customer: async (unitId: number) => person('user', unitId),
    unit,
  }
}

const untilSeconds = 12

/** Looks until it is so: rows are written by another process as far as a test can tell, and have no event of their own. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + untilSeconds * 1000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within ${untilSeconds} s`)
    await new Promise((again) => setTimeout(again, 10))
  }
}
