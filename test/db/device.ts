import { claim, waiting } from '../../db/devices/commands.ts'
import { Refused } from '../../db/platform/refused.ts'
import type { Db, Tx } from '../../db/postgres/connect.ts'
import { unlessTaken } from '../../db/postgres/rows.ts'
import { answer } from '../../db/powerbank/answers.ts'
import { inventory, returned } from '../../db/powerbank/cabinet-reports.ts'
import { open } from '../../db/powerbank/cabinets.ts'
import { NODE, seen, type TestBank } from './world.ts'

/** What a cabinet says on its connection. */
type Frame =
  | { kind: 'eject' | 'force_eject'; slot: number; bankId: string | null; ok: boolean }
  | { kind: 'inventory' | 'login'; banks: { slot: number; bankId: string; levelPercent: number }[] }
  | { kind: 'returned'; slot: number; bankId: string }

/** A cabinet as metal: what really sits in its slots, what is on the line, and which returns were not acknowledged. */
export interface Metal {
  station: number
  slots: Map<number, TestBank>
  line: Frame[]
  unacknowledged: Frame[]
  /** How long something has been on the line. */
  stalledSeconds: number
}

/** After this a stalled connection is given up. */
const LINE_SECONDS_MAX = 60

/** Who carries a bank: the order whose eject let it out, or nobody we know. */
export type Carried = Map<TestBank, { orderId: number | null }>

const list = ({ slots }: Metal) =>
  [...slots].map(([slot, bank]) => seen(slot, bank)).toSorted((a, b) => a.slot - b.slot)

async function orderOfCommand(db: Db, id: number): Promise<number | null> {
  const [order] = await db.sql<
    { id: number }[]
  >`select id from orders where command_id = ${id} and status <> 'force_eject'`
  return order?.id ?? null
}

/**
 * Whether this worker may say it. Of two nodes that claim two questions of one kind in the moment of a take-over the index
 * lets one through, as in the gateway's own dispatcher, whose next round finds the other still waiting.
 */
async function isClaimed(db: Db, { id, epoch }: { id: number; epoch: number }): Promise<boolean> {
  const claimed = unlessTaken(claim(db.sql, NODE, [{ id, epoch, hex: '00' }]), { device_commands_one_query: 'kind' })
  const sent = await claimed.catch((error) => {
    if (error instanceof Refused) return []
    throw error
  })
  return sent.length > 0
}

/** The gateway sends what waits; the cabinet does it and puts its answer on the line, unless `isLost`. */
export async function deliver(db: Db, device: Metal, carried: Carried, isLost: () => boolean): Promise<void> {
  for (const { id, epoch, kind, args } of await waiting(db.sql, NODE, [device.station])) {
    if (!(await isClaimed(db, { id, epoch }))) continue
    if (kind === 'inventory') {
      if (!isLost()) device.line.push({ kind, banks: list(device) })
      continue
    }
    const slot = args.slot as number
    const bank = device.slots.get(slot)
    device.slots.delete(slot)
    if (bank) carried.set(bank, { orderId: kind === 'eject' ? await orderOfCommand(db, id) : null })
    const frame = { kind: kind as 'eject', slot, bankId: bank?.bankId ?? null, ok: bank !== undefined }
    if (!isLost()) device.line.push(frame)
  }
}

/** Somebody puts a bank into a slot. */
export function insert(device: Metal, slot: number, bank: TestBank, carried: Carried): void {
  carried.delete(bank)
  device.slots.set(slot, bank)
  const frame: Frame = { kind: 'returned', slot, bankId: bank.bankId }
  device.line.push(frame)
  device.unacknowledged.push(frame)
}

/** What the gateway does with a frame, in the frame's transaction. */
async function work(tx: Tx, station: number, frame: Frame): Promise<void> {
  if (frame.kind === 'returned') return returned(tx, station, seen(frame.slot, frame, 0))
  if (frame.kind === 'inventory') await answer(tx, station, { kind: 'inventory' }, 'FF')
  if (frame.kind === 'inventory' || frame.kind === 'login') return inventory(tx, station, frame, frame.kind)
  await answer(tx, station, { ...frame }, 'FF')
}

/** The gateway works the next frame of the line. What a cabinet says again, it hears again. */
export async function hear(
  db: Db,
  device: Metal,
  { isAcknowledged = true, isSaidTwice = false } = {},
): Promise<boolean> {
  const frame = device.line.shift()
  if (!frame) return false
  const times = isSaidTwice && frame.kind !== 'inventory' && frame.kind !== 'login' ? 2 : 1
  for (let n = 0; n < times; n++) await db.transaction((tx) => work(tx, device.station, frame), 1)
  if (device.line.length === 0) device.stalledSeconds = 0
  if (isAcknowledged) device.unacknowledged = device.unacknowledged.filter((other) => other !== frame)
  return true
}

/** The link broke: what was on the line is lost. The cabinet logs in, lists its slots, and says again what was not acknowledged. */
export async function dialAgain(db: Db, device: Metal): Promise<void> {
  device.stalledSeconds = 0
  device.line = [{ kind: 'login', banks: list(device) }, ...device.unacknowledged]
  const about = { stationId: device.station, node: NODE, dialect: 'B', address: '::1', vsn: 2 }
  await db.transaction((tx) => open(tx, about))
  await hear(db, device)
}

/** Time has passed. A line that stood still for a minute is given up by either side (docs/protocol.md 4). */
export async function stall(db: Db, metals: readonly Metal[], seconds: number): Promise<void> {
  for (const device of metals) {
    if (device.line.length > 0) device.stalledSeconds += seconds
    if (device.stalledSeconds >= LINE_SECONDS_MAX) await dialAgain(db, device)
  }
}
