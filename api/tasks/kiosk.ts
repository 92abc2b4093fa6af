import { setTimeout as pause } from 'node:timers/promises'
import * as rentals from '../../db/kiosk/rentals.ts'
import type { Acquirer } from '../../db/paygo/acquirer.ts'
import { settleWithin } from '../../db/paygo/settle.ts'
import type { Log } from '../../db/platform/log.ts'
import { EVENT_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { startRounds } from './rounds.ts'

const ROUND_RENTALS = 20
/** Any event rings; a house where much happens is looked at so often at most. */
const SPARED_MS = 50
/** Whoever stops does not wait longer for the acquirer: what it was to be told is a row. */
const SETTLE_MS = 2_000

export interface KioskOptions {
  db: Db
  log: Log
  acquirer: Acquirer
}

/**
 * Takes the next steps of rentals at kiosks, whenever something has happened. Any number of processes may; each step is one's. A
 * silent acquirer holds up its own rental only.
 */
export async function startKiosk({ db, log, acquirer }: KioskOptions): Promise<{ close(): Promise<void> }> {
  const settling = new Set<Promise<void>>()
  const failed = (error: unknown) => log('rental.failed', { error })

  async function step(id: number): Promise<void> {
    try {
      const told = await rentals.goOn(db, id)
      if (told.length === 0) return
      const settled = settleWithin(db, acquirer, told, SETTLE_MS, failed).finally(() => settling.delete(settled))
      settling.add(settled)
    } catch (error) {
      // It is due again when the lease is over.
      log('rental.failed', { rentalId: id, error })
    }
  }

  const rounds = await startRounds({
    db,
    bell: EVENT_CHANNEL,
    async round(isClosed) {
      await pause(SPARED_MS)
      for (let ids = await rentals.claim(db.sql, ROUND_RENTALS); ids.length > 0 && !isClosed(); ) {
        await Promise.all(ids.map(step))
        ids = await rentals.claim(db.sql, ROUND_RENTALS)
      }
    },
    failed,
  })
  return {
    async close() {
      await rounds.close()
      await Promise.all(settling)
    },
  }
}
