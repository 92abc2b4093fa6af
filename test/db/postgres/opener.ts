import { connect } from '../../../db/postgres/connect.ts'
import { startEmbedded } from '../../../db/postgres/embedded.ts'

/** Holds the embedded database of argv[2] open until stdin ends: a second process for embedded.test.ts. */
const { url, found, pid, stop } = await startEmbedded({ dataDir: process.argv[2]!, log: () => {} })
const db = connect(url, { max: 1 })
await db.sql`select 1`
process.stdout.write(`${JSON.stringify({ url, found, pid: pid() })}\n`)
for await (const _ of process.stdin);
await db.close()
await stop()
