import type { Ended } from '../devices/commands.ts'
import type { Tx } from '../postgres/connect.ts'
import { write } from './change-writer.ts'
import { ended } from './decide/ended.ts'
import { ordersOf } from './snapshot-loader.ts'

/** Commands to cabinets ended without an answer: what that means becomes true. The caller holds the cabinets. */
export async function afterwards(tx: Tx, over: readonly Ended[]): Promise<void> {
  await write(tx, ended(await ordersOf(tx, over), over))
}
