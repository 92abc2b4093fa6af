import { randomUUID } from 'node:crypto'
import { type Asked, type Said, wordsOf } from './api-server.ts'
import { type ApiSettings, hereOf, type ProviderApi, payers, payPage, text } from './provider-api.ts'

interface Order extends Record<string, unknown> {
  uuid: string
  status: 'pending' | 'paid' | 'failed' | 'refunded'
  amount: number
  currency: string
  createdAt: string
}

interface Shop {
  orders: Map<string, Order>
  settings: ApiSettings
  expect(id: string): void
}

const titleCharactersMax = 100
const descriptionCharactersMax = 300
const currencies = ['rub', 'eur', 'usd']

const wrong = (status: number, error: string, message: string): Said => ({ status, body: { error, message } })

function tell({ settings }: Shop, name: string, payload: object) {
  const at = new Date().toISOString()
  return settings.tell(name, JSON.stringify({ name, created_at: at, sent_at: at, payload }))
}

async function pay(shop: Shop, id: string, act: 'pay' | 'cancel' = 'pay') {
  const order = shop.orders.get(id)
  if (order?.status !== 'pending') return
  order.status = act === 'pay' ? 'paid' : 'failed'
  return tell(shop, act === 'pay' ? 'shop_order' : 'shop_order_payment_failed', order)
}

function create(shop: Shop, asked: Asked): Said {
  const words = wordsOf(asked)
  const { amount, currency, title, description } = words
  if (typeof amount !== 'number' || !Number.isInteger(amount) || amount < 1)
    return wrong(400, 'error_bad_request', 'amount is wrong')
  if (!currencies.includes(text(currency))) return wrong(400, 'error_bad_request', 'currency is wrong')
  if (!text(title) || text(title).length > titleCharactersMax || text(description).length > descriptionCharactersMax)
    return wrong(400, 'error_bad_request', 'title or description is wrong')
  const uuid = randomUUID()
  const order: Order = {
    ...words,
    uuid,
    status: 'pending',
    amount,
    currency: text(currency),
    fee: 0,
    paymentUrl: `${hereOf(asked)}/pay/${uuid}`,
    webappPaymentUrl: `${hereOf(asked)}/pay/${uuid}`,
    createdAt: new Date().toISOString(),
  }
  shop.orders.set(uuid, order)
  shop.expect(uuid)
  return { status: 200, body: order }
}

function refund(shop: Shop, order: Order): Said {
  if (order.status !== 'paid') return wrong(400, 'error_bad_request', `the order is ${order.status}`)
  order.status = 'refunded'
  void tell(shop, 'shop_order_refunded', { ...order, status: 'completed' })
  return { status: 200, body: { success: true } }
}

function answer(shop: Shop, asked: Asked): Said {
  if (asked.headers['api-key'] !== shop.settings.credential) return wrong(401, 'no_access', 'the key is wrong')
  if (asked.path === '/shop/orders' && asked.method === 'POST') return create(shop, asked)
  if (asked.path === '/shop/orders') {
    const since = asked.query.get('dateFrom') ?? ''
    return { status: 200, body: [...shop.orders.values()].reverse().filter(({ createdAt }) => createdAt >= since) }
  }
  const [, id = '', act] = /^\/shop\/orders\/([\w-]+)(\/transactions\/[\w-]+\/refund)?$/.exec(asked.path) ?? []
  const order = shop.orders.get(id)
  if (!order) return wrong(404, 'error_not_found', 'there is no such order')
  return act ? refund(shop, order) : { status: 200, body: order }
}

/** A shop at Tribute; its credential is the key of the account, which signs its notices too. */
export function tributeApi(settings: ApiSettings): ProviderApi {
  const crowd = payers(settings.payMs, (id) => void pay(shop, id))
  const shop: Shop = { orders: new Map(), settings, expect: crowd.expect }
  return {
    pay: (id, act) => pay(shop, id, act),
    close: crowd.close,
    isApi: (path) => !path.startsWith('/pay/'),
    async answer(asked) {
      const back = (id: string) => {
        const order = shop.orders.get(id)
        return order && (text(order.status === 'failed' ? order.failUrl : order.successUrl) || null)
      }
      return (await payPage(asked, (id, act) => pay(shop, id, act), back)) ?? answer(shop, asked)
    },
  }
}
