import { randomUUID } from 'node:crypto'
import { type Asked, type Said, wordsOf } from './api-server.ts'
import { decimal } from './notice.ts'
import { type ApiSettings, hereOf, type ProviderApi, payers, payPage, text } from './provider-api.ts'

interface Money {
  value: string
  currency: string
}
/** As the documentation has it; only what is asked about is named. */
interface Payment {
  id: string
  status: 'pending' | 'waiting_for_capture' | 'succeeded' | 'canceled'
  amount: Money
  refunded_amount?: Money
  capture: boolean
  returnUrl: string | null
  wantsSaving: boolean
  created_at: string
  words: Record<string, unknown>
}
interface Refund {
  id: string
  payment_id: string
  status: 'succeeded'
  amount: Money
  created_at: string
}

/** How the names of methods begin that exist without having been saved here: of those that pay, of those whose owner forbade it. */
export const methods = { good: 'method-good', revoked: 'method-revoked', poor: 'method-poor' }

const amountPattern = /^\d{1,12}\.\d\d$/
const keyCharactersMax = 64
const pageMax = 100
const minorPerUnit = 100
const statusesOfCode: Record<string, number> = { invalid_credentials: 401, not_found: 404, invalid_request: 400 }

const wrong = (code: string, description: string): Said => ({
  status: statusesOfCode[code] ?? 400,
  body: { type: 'error', id: randomUUID(), code, description },
})
const minor = (money: Money) => Math.round(Number(money.value) * minorPerUnit)
const moneyOf = (value: unknown): Money | null => {
  const { value: amount, currency } = (value ?? {}) as Partial<Money>
  return typeof amount === 'string' && amountPattern.test(amount) && currency ? { value: amount, currency } : null
}

/** Items of a receipt make up the amount, or it is refused. */
function receiptMistake(receipt: unknown, amount: Money): string | null {
  if (receipt === undefined) return null
  const { items, customer } = receipt as { items?: { amount: Money; quantity: string }[]; customer?: object }
  if (!customer || Object.keys(customer).length === 0) return 'Receipt has no customer'
  const sum = (items ?? []).reduce((total, item) => total + minor(item.amount) * Number(item.quantity), 0)
  return sum === minor(amount) ? null : 'Receipt amount does not match the payment amount'
}

interface Shop {
  id: string
  credential: string
  needsReceipts: boolean
  payments: Map<string, Payment>
  refunds: Map<string, Refund>
  /** What was asked with a key, and what is answered when it is asked again. */
  keys: Map<string, { asked: string; again: () => Said }>
  settings: ApiSettings
  /** Whoever pays by themselves. */
  expect(id: string): void
}

const shown = (shop: Shop, payment: Payment, here: string) => {
  const { words, capture: _, returnUrl: __, wantsSaving, ...rest } = payment
  return {
    ...rest,
    ...words,
    paid: payment.status === 'succeeded' || payment.status === 'waiting_for_capture',
    refundable: payment.status === 'succeeded',
    test: false,
    recipient: { account_id: shop.id, gateway_id: '100700' },
    ...(payment.status === 'pending' && {
      confirmation: { type: 'redirect', confirmation_url: `${here}/pay/${payment.id}` },
    }),
    payment_method: {
      type: 'bank_card',
      id: text(words.payment_method_id) || payment.id,
      saved: wantsSaving && payment.status === 'succeeded',
      title: 'Bank card *4444',
    },
  }
}

function move(shop: Shop, payment: Payment, status: Payment['status'], words: object = {}) {
  payment.status = status
  Object.assign(payment.words, words)
  const event = `payment.${status}`
  const object = shown(shop, payment, '')
  return shop.settings.tell(event, JSON.stringify({ type: 'notification', event, object }))
}

const canceled = (party: string, reason: string) => ({ cancellation_details: { party, reason } })

async function pay(shop: Shop, id: string, act: 'pay' | 'cancel' = 'pay') {
  const payment = shop.payments.get(id)
  if (payment?.status !== 'pending') return
  if (act === 'cancel') return move(shop, payment, 'canceled', canceled('payment_network', 'general_decline'))
  return move(shop, payment, payment.capture ? 'succeeded' : 'waiting_for_capture')
}

const isSaved = ({ payments }: Shop, method: string) => {
  const payment = payments.get(method)
  return (
    Object.values(methods).some((name) => method.startsWith(name)) ||
    (payment?.wantsSaving && payment.status === 'succeeded')
  )
}

function create(shop: Shop, asked: Asked): Said {
  const { amount, confirmation, capture, save_payment_method: save, receipt, ...words } = wordsOf(asked)
  const money = moneyOf(amount)
  if (!money) return wrong('invalid_request', 'Incorrect amount')
  if (shop.needsReceipts && receipt === undefined) return wrong('invalid_request', 'Receipt is missing or illegal')
  const mistake = receiptMistake(receipt, money)
  if (mistake) return wrong('invalid_request', mistake)
  const method = text(words.payment_method_id)
  if (method && !isSaved(shop, method)) return wrong('invalid_request', 'Payment method is not found')
  const returnUrl = (confirmation as { return_url?: string } | undefined)?.return_url ?? null
  if (!method && !returnUrl) return wrong('invalid_request', 'Confirmation is missing')
  const payment: Payment = {
    id: randomUUID(),
    status: 'pending',
    amount: money,
    capture: capture === true,
    returnUrl,
    wantsSaving: save === true,
    created_at: new Date().toISOString(),
    words,
  }
  shop.payments.set(payment.id, payment)
  if (method.startsWith(methods.revoked))
    void move(shop, payment, 'canceled', canceled('yoo_money', 'permission_revoked'))
  else if (method.startsWith(methods.poor))
    void move(shop, payment, 'canceled', canceled('payment_network', 'insufficient_funds'))
  else if (method) void pay(shop, payment.id)
  else shop.expect(payment.id)
  return { status: 200, body: shown(shop, payment, hereOf(asked)) }
}

function change(shop: Shop, asked: Asked, id: string, act: string): Said {
  const payment = shop.payments.get(id)
  if (!payment) return wrong('not_found', 'Payment is not found')
  if (payment.status !== 'waiting_for_capture') return wrong('invalid_request', `Payment is ${payment.status}`)
  if (act === 'cancel') {
    void move(shop, payment, 'canceled', canceled('merchant', 'canceled_by_merchant'))
  } else {
    const { amount, receipt } = wordsOf(asked)
    const money = moneyOf(amount) ?? payment.amount
    const mistake = receiptMistake(receipt, money)
    if (mistake) return wrong('invalid_request', mistake)
    if (minor(money) > minor(payment.amount)) return wrong('invalid_request', 'Amount is too large')
    payment.amount = money
    void move(shop, payment, 'succeeded', { captured_at: new Date().toISOString() })
  }
  return { status: 200, body: shown(shop, payment, hereOf(asked)) }
}

function refund({ payments, refunds, settings }: Shop, asked: Asked): Said {
  const { payment_id: paymentId, amount, receipt } = wordsOf(asked)
  const payment = payments.get(text(paymentId))
  if (!payment) return wrong('not_found', 'Payment is not found')
  const money = moneyOf(amount)
  const back = payment.refunded_amount ? minor(payment.refunded_amount) : 0
  if (!money || payment.status !== 'succeeded' || back + minor(money) > minor(payment.amount))
    return wrong('invalid_request', 'The refund is not possible')
  const mistake = receiptMistake(receipt, money)
  if (mistake) return wrong('invalid_request', mistake)
  payment.refunded_amount = { value: decimal(back + minor(money)), currency: money.currency }
  const created = { created_at: new Date().toISOString() }
  const made: Refund = { id: randomUUID(), payment_id: payment.id, status: 'succeeded', amount: money, ...created }
  refunds.set(made.id, made)
  void settings.tell(
    'refund.succeeded',
    JSON.stringify({ type: 'notification', event: 'refund.succeeded', object: made }),
  )
  return { status: 200, body: made }
}

function write(shop: Shop, asked: Asked): Said {
  const [, id = '', act = ''] = /^\/payments\/([\w-]+)\/(capture|cancel)$/.exec(asked.path) ?? []
  if (act) return change(shop, asked, id, act)
  if (asked.path === '/payments') return create(shop, asked)
  if (asked.path === '/refunds') return refund(shop, asked)
  if (asked.path === '/receipts')
    return { status: 200, body: { id: `rt-${randomUUID()}`, type: 'payment', status: 'pending' } }
  return wrong('not_found', 'No such path')
}

/** The same key and body are answered as the first time, with the object as it is by now. */
function writeOnce(shop: Shop, asked: Asked): Said {
  const key = text(asked.headers['idempotence-key'])
  if (!key || key.length > keyCharactersMax) return wrong('invalid_request', 'Idempotence-Key is missing or too long')
  const said = `${asked.path} ${asked.body}`
  const known = shop.keys.get(key)
  if (known) return known.asked === said ? known.again() : wrong('invalid_request', 'Idempotence key duplicated')
  const first = write(shop, asked)
  const { id = '' } = (first.body ?? {}) as { id?: string }
  const again = () => {
    const payment = first.status === 200 && shop.payments.get(id)
    return payment ? { status: 200, body: shown(shop, payment, hereOf(asked)) } : first
  }
  shop.keys.set(key, { asked: said, again })
  return first
}

function read(shop: Shop, asked: Asked): Said {
  if (asked.path === '/payments') return list(shop, asked)
  const [, kind, id = ''] = /^\/(payments|refunds)\/([\w-]+)$/.exec(asked.path) ?? []
  const payment = kind === 'payments' && shop.payments.get(id)
  if (payment) return { status: 200, body: shown(shop, payment, hereOf(asked)) }
  const found = kind === 'refunds' && shop.refunds.get(id)
  return found ? { status: 200, body: found } : wrong('not_found', 'Nothing has this id')
}

function list(shop: Shop, asked: Asked): Said {
  const since = asked.query.get('created_at.gte') ?? ''
  const from = Number(asked.query.get('cursor') ?? 0)
  const limit = Math.min(Number(asked.query.get('limit') ?? 10), pageMax)
  const all = [...shop.payments.values()].reverse().filter((payment) => payment.created_at >= since)
  const items = all.slice(from, from + limit).map((payment) => shown(shop, payment, hereOf(asked)))
  const next = all.length > from + limit ? { next_cursor: String(from + limit) } : {}
  return { status: 200, body: { type: 'list', items, ...next } }
}

/** A shop at YooKassa; its credential is `shopId:secretKey`. */
export function yookassaApi(settings: ApiSettings, needsReceipts = false): ProviderApi {
  const { credential } = settings
  const crowd = payers(settings.payMs, (id) => void pay(shop, id))
  const shop: Shop = {
    id: credential.split(':')[0]!,
    credential,
    needsReceipts,
    payments: new Map(),
    refunds: new Map(),
    keys: new Map(),
    settings,
    expect: crowd.expect,
  }
  return {
    pay: (id, act) => pay(shop, id, act),
    close: crowd.close,
    isApi: (path) => !path.startsWith('/pay/'),
    async answer(asked) {
      const page = await payPage(
        asked,
        (id, act) => pay(shop, id, act),
        (id) => shop.payments.get(id)?.returnUrl,
      )
      if (page) return page
      const basic = `Basic ${Buffer.from(credential).toString('base64')}`
      if (asked.headers.authorization !== basic) return wrong('invalid_credentials', 'Incorrect shopId or secret key')
      return asked.method === 'GET' ? read(shop, asked) : writeOnce(shop, asked)
    },
  }
}
