import { expect, test } from 'vitest'
import { paymentApis } from '../../../api/providers/payment-apis.ts'
import type { NoticeFault } from '../../../simulators/provider/fault.ts'
import type { ProviderName } from '../../../simulators/provider/provider-simulator.ts'
import { receiver } from '../providers/receiver.ts'
import { credentials, limits, misbehave, simulated, value } from '../providers/simulated.ts'
import { heard, merchantId, notices, secrets, shopId, stored, tell } from './stage.ts'

const peers: Partial<Record<ProviderName, string>> = { yookassa: '185.71.76.1', freekassa: '168.119.157.136' }
const firstSecret = 'secret word 1'
const secretOf = (name: ProviderName) => (name === 'yookassa' ? '' : secrets[name])
const house = await heard({ yookassa: { ...notices().yookassa!, shopId: credentials.yookassa.split(':')[0]! } })
const apisAt = (url: string) => {
  const at = { ...limits, url }
  const [number = shopId, secretKey = ''] = credentials.yookassa.split(':')
  return paymentApis({
    yookassa: { ...at, shopId: number, secretKey, receipts: null },
    cryptopay: { ...at, token: credentials.cryptopay, currencyType: 'fiat', currency: 'RUB' },
    freekassa: {
      ...at,
      payUrl: url,
      merchantId,
      firstSecret,
      apiKey: credentials.freekassa,
      payerAddress: '177.7.34.106',
    },
    tribute: { ...at, apiKey: credentials.tribute },
    telegram: { ...at, token: credentials.stars },
    panel: { ...at, apiKey: credentials.panel, version: '3', newcomers: { tag: null, squads: [], devicesMax: null } },
  })
}
type Apis = ReturnType<typeof apisAt>

/** Makes something that can be paid there, and says by which id it is paid. */
const made: Partial<Record<ProviderName, (apis: Apis, order: string) => Promise<string>>> = {
  yookassa: async ({ yookassa }, order) => {
    const by = { returnUrl: 'https://example.org', save: false }
    const about = { description: 'Подписка', capture: true, metadata: { payment_db_id: order } }
    const buyer = { email: null, phone: null }
    return value(await yookassa!.create({ key: order, amountMinor: 29_900, buyer, by, ...about })).id
  },
  cryptopay: async ({ cryptopay }, order) => {
    const about = { amount: '299.00', description: 'Подписка', expiresInSeconds: 60, returnUrl: null }
    return String(value(await cryptopay!.create({ ...about, payload: order })).id)
  },
  freekassa: async ({ freekassa }, order) => {
    const about = { amountMinor: 29_900, email: 'payer@example.org', method: 44, address: null }
    return value(await freekassa!.create({ ...about, orderId: order, nonce: 1 })).id
  },
  tribute: async ({ tribute }, order) => {
    const urls = { successUrl: 'https://example.org', failUrl: 'https://example.org' }
    const about = { amountMinor: 29_900, currency: 'rub', title: 'Подписка', description: '', email: null }
    return value(await tribute!.create({ ...about, ...urls, reference: order, customerId: '123456' })).id
  },
  panel: async ({ panel }, order) => {
    const about = { expiresAt: new Date(Date.now() + 86_400_000), telegramId: 123_456, description: '', tag: null }
    const limits = { trafficLimitBytes: 0, devicesMax: null, squads: [] }
    return value(await panel!.create({ ...about, ...limits, username: order })).username
  },
}

const faults: (NoticeFault | null)[] = [null, 'duplicate', 'late', 'out-of-order']
const cases = Object.keys(made).flatMap((name) => faults.map((fault) => [name as ProviderName, fault] as const))

test.each(cases)(
  'what is asked of %s and paid there is told to us and kept once (notices: %s)',
  async (name, fault) => {
    const peer = peers[name]
    const answers: Promise<{ status: number }>[] = []
    const door = await receiver(async (body, _, headers) => {
      const { host: __, connection: ___, 'transfer-encoding': ____, ...said } = headers
      const asked = { body, headers: said as Record<string, string>, ...(peer && { peer }) }
      const answer = tell(house, `/webhook/${name}`, asked)
      answers.push(answer)
      const { status, text } = await answer
      return { status, body: text }
    })
    const there = await simulated(name, { merchantId, firstSecret, notices: { url: door.url, secret: secretOf(name) } })
    if (fault) misbehave(there, fault)
    const order = `order-${fault ?? 'plain'}`
    const before = new Set((await stored(house)).map(({ id }) => id))
    const id = await made[name]!(apisAt(there.url), order)
    await there.pay(id)
    await there.notices!.idle()
    expect(there.notices!.told.map(({ isTaken }) => isTaken)).not.toContain(false)
    const rows = (await stored(house)).filter((row) => !before.has(row.id))
    const kept = rows.filter(({ raw }) => raw.toString().includes(order))
    // The panel tells that somebody was made, and that they expired.
    expect(kept).toHaveLength(name === 'panel' ? 2 : 1)
    expect(kept[0]!.repeats).toBe(fault === 'duplicate' ? 1 : 0)
    expect(answers.length).toBe(kept.length * (fault === 'duplicate' ? 2 : 1))
  },
)
