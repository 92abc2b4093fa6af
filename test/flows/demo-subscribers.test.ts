import { expect, onTestFinished, test } from 'vitest'
import { apiConfig, apiSettings } from '../../api/config.ts'
import { demoShops } from '../../api/demo-shops.ts'
import { startApi } from '../../api/main.ts'
import { DEMO_PASSWORD, demo } from '../../db/demo.ts'
import { parseSettings } from '../../db/platform/config.ts'
import { demoShops as openShops } from '../../simulators/demo/demo-shops.ts'
import { subscribers as live } from '../../simulators/demo/subscribers.ts'
import { testDb } from '../postgres.ts'

const { db } = await testDb()
const secrets = { jwtSecret: 'j'.repeat(32), keysSecret: 'k'.repeat(32), cardKey: Buffer.alloc(32) }

test('people of the demo pay at every provider, renew, give up and cancel, through the doors of everybody', async () => {
  const given = parseSettings(apiSettings, { API_PORT: '0', HOST: '127.0.0.1', RATE_LIMIT_ENABLED: 'false' })
  const { settings, shops } = await demoShops(given)
  expect(shops.map(({ name }) => name)).toEqual(['yookassa', 'cryptopay', 'stars'])
  const lines: string[] = []
  const log = (event: string) => void lines.push(event)
  const api = await startApi({ config: apiConfig(settings, secrets), db, log })
  onTestFinished(() => api.close())
  const { subscribers } = await demo(db, secrets.keysSecret)
  const url = `http://127.0.0.1:${api.port}`
  const telegramId = subscribers.find(({ provider }) => provider === 'stars')!.telegramId
  const providers = await openShops({ shops, url, telegramId })
  onTestFinished(() => providers.close())
  const people = live({ url, subscribers, password: DEMO_PASSWORD, pauseSeconds: [0.01, 0.05] })
  onTestFinished(() => people.close())

  const paid = async () => {
    const rows = await db.sql<{ provider: string; count: number }[]>`
      select provider, count(*) as count from subscription_payments where status = 'succeeded' group by provider`
    return rows.filter(({ count }) => count >= 2).map(({ provider }) => provider)
  }
  const all = expect.arrayContaining(['yookassa', 'cryptopay', 'stars'])
  await expect.poll(paid, { timeout: 60_000 }).toEqual(all)
  // Somebody left YooKassa's page without paying, and somebody wants it to renew no more.
  const left = async () => (await db.sql`select 1 from subscription_payments where status = 'canceled'`).length
  await expect.poll(left, { timeout: 60_000 }).toBeGreaterThan(0)
  const cancelled = async () => (await db.sql`select 1 from subscriptions where cancelled_at is not null`).length
  await expect.poll(cancelled, { timeout: 60_000 }).toBeGreaterThan(0)
  people.close()
  const [longest] = await db.sql`select max(anchor_months) as months from subscriptions`
  expect(longest!.months).toBeGreaterThanOrEqual(2)
  expect(lines).not.toContain('webhook.forged')
}, 120_000)

test('a provider that the settings name is not simulated', async () => {
  const given = parseSettings(apiSettings, {
    CRYPTOPAY_TOKEN: '1:AAreal',
    YOOKASSA_SHOP_ID: '1',
    YOOKASSA_SECRET_KEY: 'x',
  })
  const { settings, shops } = await demoShops(given)
  expect(shops.map(({ name }) => name)).toEqual(['stars'])
  expect(settings).toMatchObject({ CRYPTOPAY_TOKEN: '1:AAreal', CRYPTOPAY_API_URL: given.CRYPTOPAY_API_URL })
  expect(given.TELEGRAM_BOT_TOKEN).toBeUndefined()
})
