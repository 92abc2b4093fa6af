import type { Ended } from '../db/devices/commands.ts'
import type { DeviceKind } from '../db/devices/words.ts'
import type { Tx } from '../db/postgres/connect.ts'
import { afterwards } from '../db/powerbank/aftermath.ts'

/** What it means for a kind of device that its commands ended without an answer, in the transaction that ended them. */
export type Aftermaths = Partial<Record<DeviceKind, (tx: Tx, ended: readonly Ended[]) => Promise<void>>>

/** The kinds that we know. */
export const aftermaths: Aftermaths = { cabinet: afterwards }

/** Hands what ended to the businesses it concerns. */
export async function settle(tx: Tx, aftermaths: Aftermaths, ended: readonly Ended[]): Promise<void> {
  for (const [kind, some] of Map.groupBy(ended, ({ deviceKind }) => deviceKind)) await aftermaths[kind]?.(tx, some)
}
