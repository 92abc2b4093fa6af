import type { Tx } from '../postgres/connect.ts'
import { write } from './change-writer.ts'
import { decide } from './decide/decide.ts'
import type { AbnormalReport, InventoryReport, Report, SeenBank, Snapshot } from './decide/snapshot.ts'
import { load } from './snapshot-loader.ts'
import { type LockedStation, lock } from './station-lock.ts'

/**
 * What a cabinet says or does becomes true.
 * @returns what was known before, and the orders that were written down
 */
export async function work(
  tx: Tx,
  station: LockedStation,
  report: Report,
): Promise<{ snapshot: Snapshot; written: number[] }> {
  const snapshot = await load(tx, station, report)
  return { snapshot, written: await write(tx, decide(snapshot, report)) }
}

const heard = async (tx: Tx, stationId: number, report: Report): Promise<void> => {
  await work(tx, await lock(tx, stationId), report)
}

/** A cabinet has listed all its slots, of its own accord, as an answer, or with its login. */
export const inventory = (
  tx: Tx,
  stationId: number,
  list: Omit<InventoryReport, 'kind'>,
  kind: InventoryReport['kind'],
): Promise<void> => heard(tx, stationId, { ...list, kind })

/** A bank was put into a slot. */
export const returned = (tx: Tx, stationId: number, bank: SeenBank): Promise<void> =>
  heard(tx, stationId, { kind: 'returned', bank })

/** A slot went wrong. */
export const abnormal = (tx: Tx, stationId: number, said: Omit<AbnormalReport, 'kind'>): Promise<void> =>
  heard(tx, stationId, { ...said, kind: 'abnormal' })
