import { enqueueOnce } from '../devices/commands.ts'
import type { CommandOrigin } from '../devices/words.ts'
import type { Tx } from '../postgres/connect.ts'

/** Asks a cabinet what it holds, unless that question is waiting already. */
export const askInventory = (tx: Tx, stationId: number, origin: CommandOrigin) =>
  enqueueOnce(tx, { deviceId: stationId, kind: 'inventory', origin })

/** Has a cabinet looked into in so many seconds; a look that is due sooner stays due. */
export const lookWithin = (tx: Tx, stationId: number, seconds: number) => tx`
  update stations set inventory_due_at = least(inventory_due_at, now() + make_interval(secs => ${seconds}))
  where id = ${stationId}`
