import { z } from 'zod'
import { databaseSettings, readSettings, startOrExit } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import { open } from './open.ts'

/** `npm run migrate`: brings the database to the schema of this version, and says so. */
const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(z.object(databaseSettings))
await startOrExit(async () => {
  const { migrated, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  await stop()
  console.log(migrated.length > 0 ? `applied ${migrated.join(', ')}` : 'nothing to apply')
})
