import { randomBytes } from 'node:crypto'
import { alternate, compared } from './pairs.ts'
import { oneRowCommits } from './pgbench.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { type Row, thousands } from './table.ts'
import type { Teller, WebhooksChild } from './webhooks-child.ts'

const clients = 16
const ratioMin = 0.7
const names: Record<Teller, string> = { yookassa: 'YooKassa', cryptopay: 'CryptoPay' }
const cryptopayToken = '12345:AAexampletoken'

/** Nobody outside is asked or told anything. */
const settings = {
  YOOKASSA_SHOP_ID: '505373',
  YOOKASSA_SECRET_KEY: 'live_example_of_the_benchmark',
  YOOKASSA_ALLOWED_IPS: '127.0.0.1',
  YOOKASSA_VERIFY_BY_API: 'false',
  YOOKASSA_API_URL: 'http://127.0.0.1:9',
  CRYPTOPAY_TOKEN: cryptopayToken,
  CRYPTOPAY_API_URL: 'http://127.0.0.1:9',
}

/**
 * Authentic notices that are answered when their rows are durable, against the least that PostgreSQL can commit. They are
 * of payments that nobody began, and are worked meanwhile, as in production.
 */
export async function webhooks(bench: Bench): Promise<Row[]> {
  const { quick, start, progress, note } = bench
  const secret = randomBytes(32).toString('hex')
  const { db, url } = await bench.database()
  const house = start<HouseChild>('server-child.ts', { isUnderTest: true })
  const about = { url, keysSecret: secret, jwtSecret: randomBytes(32).toString('hex'), hasApi: true, settings }
  const { apiPort: port } = await house.ask('open', about)
  const tellers = start<WebhooksChild>('webhooks-child.ts')
  const tool = await oneRowCommits(db)
  if (!tool) note('webhooks: pgbench is not installed here, so nothing is compared with it.')
  const rows: Row[] = []
  let told = 0
  for (const teller of ['yookassa', 'cryptopay'] as const) {
    progress(`  ${names[teller]}`)
    const ours = async () => {
      const run = await tellers.ask('run', { port, cryptopayToken, teller, clients, ms: quick ? 500 : 1_500 })
      told += run.done
      return run.perSecond
    }
    const commits = async () => (tool ? await tool.run({ url, clients, each: quick ? 32 : 128 }) : Number.NaN)
    const figures = compared(await alternate(quick ? 2 : 4, { ours, commits }), (rate) => rate, ['ours', 'commits'])
    rows.push({
      what: `notices of ${names[teller]} answered after the durable row, ${clients} connections`,
      ours: `${thousands(figures.ours)}/s`,
      ...(tool && { baseline: `pgbench one-row commits, ${clients} clients ${thousands(figures.baseline)}/s` }),
      ...(tool && { ratio: figures.ratio }),
      goal: `≥ ${ratioMin}×`,
      met: figures.ratio.median >= ratioMin,
    })
  }
  const [kept] = await db.sql<{ rows: number }[]>`select count(*) as rows from inbox`
  if (kept!.rows !== told) throw new Error(`${told} notices were answered, ${kept!.rows} are in the inbox`)
  tool?.end()
  for (const child of [tellers, house]) await child.end()
  return rows
}
