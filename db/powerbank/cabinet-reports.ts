import type { Tx } from '../postgres/connect.ts'
import { write } from './change-writer.ts'
import { decide } from './decide/decide.ts'
import {
  type AbnormalReport,
  type InventoryReport,
  type Report,
  type Rules,
  type SeenBank,
  usualRules,
} from './decide/snapshot.ts'
import { load } from './snapshot-loader.ts'
import { type LockedStation, lock } from './station-lock.ts'

/** What a cabinet says or does becomes true. */
export async function work(tx: Tx, station: LockedStation, report: Report, rules: Rules = usualRules): Promise<void> {
  await write(tx, decide(await load(tx, station, report, rules), report))
}

const heard = async (tx: Tx, stationId: number, report: Report, rules?: Rules): Promise<void> =>
  work(tx, await lock(tx, stationId), report, rules)

/** A cabinet has listed all its slots, of its own accord, as an answer, or with its login. */
export const inventory = (
  tx: Tx,
  stationId: number,
  list: Omit<InventoryReport, 'kind'>,
  kind: InventoryReport['kind'],
  rules?: Rules,
): Promise<void> => heard(tx, stationId, { ...list, kind }, rules)

/** A bank was put into a slot. */
export const returned = (tx: Tx, stationId: number, bank: SeenBank): Promise<void> =>
  heard(tx, stationId, { kind: 'returned', bank })

/** A slot went wrong. */
export const abnormal = (tx: Tx, stationId: number, said: Omit<AbnormalReport, 'kind'>): Promise<void> =>
  heard(tx, stationId, { ...said, kind: 'abnormal' })
