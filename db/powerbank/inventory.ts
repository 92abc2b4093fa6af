import type { Tx } from '../postgres/connect.ts'
import { write } from './change-writer.ts'
import { decide } from './decide/decide.ts'
import type { AbnormalReport, InventoryReport, Report, SeenBank } from './decide/snapshot.ts'
import { load } from './snapshots.ts'

export type { SeenBank } from './decide/snapshot.ts'

/** A cabinet reports something: what it means becomes true. */
async function report(tx: Tx, stationId: number, said: Report): Promise<void> {
  await write(tx, decide(await load(tx, stationId, said), said))
}

/** A cabinet has listed all its slots, of its own accord, as an answer, or with its login. */
export const inventory = (
  tx: Tx,
  stationId: number,
  list: Omit<InventoryReport, 'kind'>,
  kind: InventoryReport['kind'],
): Promise<void> => report(tx, stationId, { ...list, kind })

/** A bank was put into a slot. */
export const returned = (tx: Tx, stationId: number, bank: SeenBank): Promise<void> =>
  report(tx, stationId, { kind: 'returned', bank })

/** A slot went wrong. */
export const abnormal = (tx: Tx, stationId: number, said: Omit<AbnormalReport, 'kind'>): Promise<void> =>
  report(tx, stationId, { ...said, kind: 'abnormal' })
