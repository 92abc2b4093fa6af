import { z } from 'zod'
import { databaseSettings, describeSettings, readSettings, startOrExit } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import { open } from './open.ts'

const schema = z.object(databaseSettings)

/** `npm run migrate`: brings the database to the schema of this version, and says so. */
async function main() {
  const [asked] = process.argv.slice(2)
  if (asked !== undefined) {
    const isHelp = asked === '--help'
    const usage = `npm run migrate\n\nBrings the database to the schema of this version.\n\n${describeSettings(schema).join('\n')}\n`
    ;(isHelp ? process.stdout : process.stderr).write(isHelp ? usage : `there is no such option: ${asked}\n${usage}`)
    process.exitCode = isHelp ? 0 : 2
    return
  }
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(schema)
  const { migrated, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  await stop()
  process.stdout.write(migrated.length > 0 ? `applied ${migrated.join(', ')}\n` : 'nothing to apply\n')
}

await startOrExit(main)
