import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../../db/postgres/connect.ts'
import type { HonoChild } from './hono-child.ts'
import { alternate, compared, spread } from './pairs.ts'
import { oneRowCommits } from './pgbench.ts'
import type { ProviderChild } from './provider-child.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { milliseconds, type Row, thousands } from './table.ts'
import type { Teller, WebhooksChild } from './webhooks-child.ts'

const clients = 16
const ratioMin = 0.7
const hangingRatioMax = 2
const lookMs = 50
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

/** A house that hears providers, and who tells it. */
async function open(bench: Bench, given: Record<string, string> = {}) {
  const secret = randomBytes(32).toString('hex')
  const { db, url } = await bench.database()
  const house = bench.start<HouseChild>('server-child.ts', { isUnderTest: true })
  const about = { url, keysSecret: secret, jwtSecret: secret, hasApi: true, settings: { ...settings, ...given } }
  const { apiPort: port } = await house.ask('open', about)
  return { db, url, house, port, tellers: bench.start<WebhooksChild>('webhooks-child.ts') }
}

/** Resolves when all that was told is worked, so that nothing of it stands in the way of what is measured next. */
async function worked(db: Db): Promise<void> {
  for (;;) {
    const [left] = await db.sql<{ rows: number }[]>`select count(*) as rows from inbox where state = 'received'`
    if (left!.rows === 0) return
    await pause(lookMs)
  }
}

/**
 * Authentic notices that are answered when their rows are durable, against the least that PostgreSQL can commit, and against
 * a handler that keeps nothing. They are of payments that nobody began, and are worked meanwhile, as in production.
 */
export async function webhooks(bench: Bench): Promise<Row[]> {
  const { quick, start, progress, note } = bench
  const { db, url, house, port, tellers } = await open(bench)
  const bare = start<HonoChild>('hono-child.ts')
  const barePort = await bare.ask('listen', undefined)
  const tool = await oneRowCommits(db)
  if (!tool) note('webhooks: pgbench is not installed here, so nothing is compared with it.')
  const rows: Row[] = []
  const each = quick ? 32 : 128
  let told = 0
  for (const teller of ['yookassa', 'cryptopay'] as const) {
    progress(`  ${names[teller]}`)
    const late: number[] = []
    const tell = (to: number) => tellers.ask('run', { port: to, cryptopayToken, tellers: [teller], clients, each })
    const ours = async () => {
      const { perSecond, done } = await tell(port)
      told += done
      const answered = performance.now()
      await worked(db)
      late.push(performance.now() - answered)
      return perSecond
    }
    const commits = async () => (tool ? await tool.run({ url, clients, each }) : Number.NaN)
    const hono = async () => (await tell(barePort)).perSecond
    const rounds = await alternate(quick ? 2 : 6, { ours, commits, hono })
    const figures = compared(rounds, (rate) => rate, ['ours', 'commits'])
    const unkept = compared(rounds, (rate) => rate, ['ours', 'hono'])
    rows.push({
      what: `notices of ${names[teller]} answered after the durable row, ${clients} connections`,
      ours: `${thousands(figures.ours)}/s`,
      ...(tool && { baseline: `pgbench one-row commits, ${clients} clients ${thousands(figures.baseline)}/s` }),
      ...(tool && { ratio: figures.ratio }),
      goal: `≥ ${ratioMin}×`,
      met: figures.ratio.median >= ratioMin,
    })
    const { median, min, max } = unkept.ratio
    note(
      `webhooks: a bare Hono handler answers ${thousands(unkept.baseline)}/s of ${names[teller]}, ours are ` +
        `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}) of that; the last of ${clients * each} was worked ` +
        `${Math.round(spread(late).median)} ms after all were answered.`,
    )
  }
  const [kept] = await db.sql<{ rows: number }[]>`select count(*) as rows from inbox`
  if (kept!.rows !== told) throw new Error(`${told} notices were answered, ${kept!.rows} are in the inbox`)
  tool?.end()
  for (const child of [tellers, bare, house]) await child.end()
  return rows
}

/**
 * Notices of two providers, half of each, while the API that those of the first are asked at hangs, and while it answers
 * at once.
 */
export async function webhooksHang(bench: Bench): Promise<Row[]> {
  const { quick, start } = bench
  const provider = start<ProviderChild>('provider-child.ts')
  const apiPort = await provider.ask('listen', undefined)
  const api = { YOOKASSA_VERIFY_BY_API: 'true', YOOKASSA_API_URL: `http://127.0.0.1:${apiPort}` }
  const { house, port, tellers } = await open(bench, api)
  const run = (hangs: boolean) => async () => {
    await provider.ask('hang', hangs)
    const about = { cryptopayToken, tellers: ['yookassa', 'cryptopay'] as const, clients, each: quick ? 32 : 128 }
    return (await tellers.ask('run', { port, ...about })).p99
  }
  const rounds = await alternate(quick ? 2 : 6, { hangs: run(true), answers: run(false) })
  const { ours, baseline, ratio } = compared(rounds, (p99) => p99, ['hangs', 'answers'])
  for (const child of [tellers, house, provider]) await child.end()
  return [
    {
      what: `p99 of a notice while the API of one provider hangs, ${clients} connections`,
      ours: milliseconds(ours),
      baseline: `it answers ${milliseconds(baseline)}`,
      ratio,
      goal: `≤ ${hangingRatioMax}×`,
      met: ratio.median <= hangingRatioMax,
    },
  ]
}
