import { type Asked, type Said, wordsOf } from './api-server.ts'
import { hmac, md5 } from './notice.ts'
import { type ApiSettings, hereOf, type ProviderApi, payers, payPage, text } from './provider-api.ts'

interface Order {
  merchant_order_id: string
  fk_order_id: number
  amount: number
  currency: string
  /** 0 new, 1 paid, 9 cancelled. */
  status: number
  email: string
  date: string
}

interface Shop {
  merchantId: string
  firstSecret: string
  orders: Map<number, Order>
  /** The greatest so far. */
  nonce: number
  settings: ApiSettings
  expect(id: string): void
}

const firstId = 123_456
const minorPerUnit = 100

const wrong = (status: number, message: string): Said => ({ status, body: { type: 'error', message } })

function add(shop: Shop, order: Pick<Order, 'merchant_order_id' | 'amount' | 'currency' | 'email'>): Order {
  const id = firstId + shop.orders.size
  const made = { ...order, fk_order_id: id, status: 0, date: new Date().toISOString().replace('T', ' ').slice(0, 19) }
  shop.orders.set(id, made)
  shop.expect(String(id))
  return made
}

/** Values by the order of their names, numbers as JSON writes them. */
function isSigned(words: Record<string, unknown>, apiKey: string): boolean {
  const { signature, ...signed } = words
  const names = Object.keys(signed).sort()
  return signature === hmac(apiKey, names.map((name) => String(signed[name])).join('|'))
}

async function pay(shop: Shop, id: string, act: 'pay' | 'cancel' = 'pay') {
  const order = shop.orders.get(Number(id))
  if (order?.status !== 0) return
  order.status = act === 'pay' ? 1 : 9
  if (act === 'cancel') return
  const fields = {
    MERCHANT_ID: shop.merchantId,
    AMOUNT: String(order.amount),
    intid: id,
    MERCHANT_ORDER_ID: order.merchant_order_id,
    P_EMAIL: order.email,
    CUR_ID: '44',
  }
  return shop.settings.tell('paid', new URLSearchParams(fields).toString())
}

function create(shop: Shop, asked: Asked, words: Record<string, unknown>): Said {
  const { paymentId, i, email, ip, amount, currency } = words
  if (!text(paymentId) || !text(i) || !text(email) || !text(ip)) return wrong(400, 'A required field is missing')
  if (ip === '127.0.0.1') return wrong(400, 'ip is wrong')
  if (typeof amount !== 'number' || amount <= 0) return wrong(400, 'amount is wrong')
  const order = add(shop, { merchant_order_id: text(paymentId), amount, currency: text(currency), email: text(email) })
  const location = `${hereOf(asked)}/pay/${order.fk_order_id}`
  const body = { type: 'success', orderId: order.fk_order_id, orderHash: md5(location), location }
  return { status: 200, body }
}

function answer(shop: Shop, asked: Asked): Said {
  const words = wordsOf(asked)
  if (text(words.shopId) !== shop.merchantId || !isSigned(words, shop.settings.credential))
    return wrong(401, 'Wrong signature')
  if (!(Number(words.nonce) > shop.nonce)) return wrong(400, 'Request with same (or bigger) nonce already exist')
  shop.nonce = Number(words.nonce)
  if (asked.path === '/orders/create') return create(shop, asked, words)
  if (asked.path !== '/orders') return wrong(400, 'No such method')
  const orders = [...shop.orders.values()].filter(
    (order) =>
      (!text(words.paymentId) || order.merchant_order_id === text(words.paymentId)) &&
      (!text(words.orderId) || order.fk_order_id === Number(words.orderId)),
  )
  return { status: 200, body: { type: 'success', pages: 1, orders } }
}

/** The payment form: a signed link makes an order, and goes to where it is paid. */
function form(shop: Shop, asked: Asked): Said {
  const field = (name: string) => asked.query.get(name) ?? ''
  const signed = [field('m'), field('oa'), shop.firstSecret, field('currency'), field('o')].join(':')
  if (field('m') !== shop.merchantId || field('s') !== md5(signed)) return { status: 400, body: '<h1>Wrong sign</h1>' }
  const known = [...shop.orders.values()].find((order) => order.merchant_order_id === field('o'))
  const amount = Math.round(Number(field('oa')) * minorPerUnit) / minorPerUnit
  const email = field('em') || 'payer@example.org'
  const order = known ?? add(shop, { merchant_order_id: field('o'), amount, currency: field('currency'), email })
  return { status: 302, headers: { location: `${hereOf(asked)}/pay/${order.fk_order_id}` } }
}

/** A shop at FreeKassa; its credential is the key of its API. */
export function freekassaApi(settings: ApiSettings, merchantId: string, firstSecret: string): ProviderApi {
  const crowd = payers(settings.payMs, (id) => void pay(shop, id))
  const shop: Shop = { merchantId, firstSecret, orders: new Map(), nonce: 0, settings, expect: crowd.expect }
  return {
    pay: (id, act) => pay(shop, id, act),
    close: crowd.close,
    isApi: (path) => path !== '/' && !path.startsWith('/pay/'),
    async answer(asked) {
      if (asked.method === 'GET' && asked.path === '/') return form(shop, asked)
      const back = (id: string) => (shop.orders.has(Number(id)) ? null : undefined)
      return (await payPage(asked, (id, act) => pay(shop, id, act), back)) ?? answer(shop, asked)
    },
  }
}
