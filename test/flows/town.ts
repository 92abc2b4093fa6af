import { onTestFinished } from 'vitest'
import type { Db } from '../../db/connect.ts'
import * as keys from '../../db/keys.ts'
import { cabinet } from '../../simulators/cabinet-tcp.ts'
import { dialer } from '../../simulators/dial.ts'
import type { FaultName } from '../../simulators/faults.ts'
import { house } from '../api/house.ts'
import { gatewayOn, keysSecret } from '../gateway/ground.ts'

const secret = 'INVENTED-STATION-KEY'
let boxes = 0
let banks = 0

/** An invented power bank's id. */
export const newBank = () => `54455354${(++banks).toString(16).padStart(8, '0').toUpperCase()}`

/** Waits until the cabinet's slots have been listed. */
const inventoried = (db: Db, id: number) =>
  until(async () => (await db.sql`select 1 from stations where id = ${id} and inventory_at is not null`).length > 0)

/** Time travel: the cabinet dialled in a minute ago, and all that was sent was sent then. */
const travel = (db: Db, id: number) =>
  db.transaction(async (tx) => {
    await tx`update device_sessions set connected_at = connected_at - interval '1 minute' where station_id = ${id}`
    await tx`update device_commands set sent_at = sent_at - interval '1 minute' where station_id = ${id}`
    await tx`update orders set borrowed_at = borrowed_at - interval '1 minute' where station_id = ${id}`
  })

/**
 * The whole house over one database: API, gateway on a real socket, simulated cabinets that dial in. Each test
 * takes its own gateway, stations and people.
 */
export async function town(change: Parameters<typeof house>[0] = {}) {
  const built = await house({ keysSecret, borrowWaitSeconds: 4, ...change })
  const { db, unit, person } = built

  /** A gateway of one test. */
  const open = () => gatewayOn(db)

  /** A registered station and a simulated cabinet with these banks, logged in and settled, its banks active. */
  async function station(
    port: number,
    {
      orgUnitId,
      dialect = 'B',
      bankIds = [],
      faults = [],
    }: { orgUnitId: number; dialect?: 'A' | 'B'; bankIds?: string[]; faults?: FaultName[] },
  ) {
    const boxId = `FLOW${String(++boxes).padStart(12, '0')}`
    const id = await db.transaction(async (tx) => {
      const [row] = await tx<{ id: number }[]>`
        insert into stations (org_unit_id, box_id, slots_declared, status) values (${orgUnitId}, ${boxId}, 8, 'active') returning id`
      if (dialect === 'B') await keys.add(tx, null, { stationId: row!.id, value: secret }, keysSecret)
      return row!.id
    })
    const box = cabinet(dialer(false), {
      dialect,
      boxId,
      key: secret,
      slots: 8,
      banks: bankIds,
      faults,
      redialSeconds: 0.05,
      bootSeconds: 0.05,
      server: { host: '127.0.0.1', port: String(port), heartbeatSeconds: 30 },
    })
    onTestFinished(() => box.close())
    await box.loggedIn
    await inventoried(db, id)
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
