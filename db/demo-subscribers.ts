import * as customers from './getpro/accounts.ts'
import * as plans from './getpro/plans.ts'
import type { PaymentProvider } from './getpro/words.ts'
import type { Queryable, Tx } from './postgres/connect.ts'

const PLANS = [
  { name: 'Месяц', months: 1, priceKopecks: 19_900, priceStars: 150 },
  { name: 'Квартал', months: 3, priceKopecks: 49_900, priceStars: 375 },
]

/** A customer of 2GETPRO in the demo, and at whom they pay. */
export interface DemoSubscriber {
  email: string
  provider: PaymentProvider
  /** Whose stars they are. */
  telegramId: number
}

/** Who they are is the caller's to say: the login of each. */
export interface Subscribers {
  adminId: number
  customers: { userId: number; email: string; provider: PaymentProvider }[]
}

/** Numbers at Telegram that nobody has: they are given out from below. */
const telegramIdOf = (n: number) => 9_000_000_000_001 + n

/** Has 2GETPRO sell, and these people be its customers; what is there already stays. */
export async function openSubscriptions(tx: Tx, { adminId, customers: people }: Subscribers): Promise<void> {
  const actor = { userId: adminId, roles: [{ role: 'admin', orgUnitId: null }] }
  const { rows: sold } = await plans.list(tx, actor, { limit: 100, offset: 0 })
  for (const plan of PLANS) if (!sold.some(({ name }) => name === plan.name)) await plans.create(tx, actor, plan)
  for (const [n, { userId }] of people.entries()) {
    if (await customers.byTelegramId(tx, telegramIdOf(n))) continue
    const { id } = await customers.register(tx, actor, { telegramId: telegramIdOf(n), username: `demo${n + 1}` })
    await customers.link(tx, actor, id, userId)
  }
}

/** Those whose account is still there. */
export async function demoSubscribers(q: Queryable, people: Subscribers['customers']): Promise<DemoSubscriber[]> {
  const found: DemoSubscriber[] = []
  for (const [n, { email, provider }] of people.entries()) {
    const telegramId = telegramIdOf(n)
    if (await customers.byTelegramId(q, telegramId)) found.push({ email, provider, telegramId })
  }
  return found
}
