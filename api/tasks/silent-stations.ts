import * as tickets from '../../db/diagnosis/tickets.ts'
import type { Log } from '../../db/platform/log.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { Work } from '../schedule.ts'

/** What the clock asks for: tickets of stations that fall silent, and of those that are back. `minutes` 0: none. */
export const silentStations =
  ({ db, log, minutes }: { db: Db; log: Log; minutes: number }): Work =>
  async () => {
    if (minutes === 0) return
    const resolved = await tickets.resolveRecovered(db)
    const opened = await tickets.openForSilent(db, minutes)
    if (opened + resolved > 0) log('stations.ticketed', { opened, resolved })
  }
