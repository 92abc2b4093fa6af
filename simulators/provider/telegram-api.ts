import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type Asked, type Said, wordsOf } from './api-server.ts'
import { freshNumber } from './notice.ts'
import { type ApiSettings, hereOf, type ProviderApi, payers, payPage, text } from './provider-api.ts'
import { starsTeller } from './stars-notices.ts'

interface Invoice {
  id: string
  payload: string
  stars: number
  isSubscription: boolean
}
interface Charge {
  id: string
  invoice: Invoice
  isRefunded: boolean
  at: Date
}

interface Bot {
  invoices: Map<string, Invoice>
  charges: Map<string, Charge>
  /** Checkouts that nobody has answered yet. */
  checkouts: Map<string, (isOk: boolean) => void>
  messages: number
  settings: ApiSettings
  payerId: number
  expect(id: string): void
}

/** How long a checkout may wait for its answer. */
const checkoutMs = 10_000
const payloadBytesMax = 128
const titleCharactersMax = 32
const descriptionCharactersMax = 255
const subscriptionSeconds = 2_592_000
const subscriptionStarsMax = 10_000
const millisecondsPerSecond = 1_000
/** Somebody who has blocked the bot. */
export const blockedId = 403_403

const done = (result: unknown): Said => ({ status: 200, body: { ok: true, result } })
const wrong = (code: number, description: string): Said => ({
  status: code,
  body: { ok: false, error_code: code, description },
})
const isLength = (value: unknown, most: number) => {
  const { length } = [...text(value)]
  return length >= 1 && length <= most
}

function invoiceLink(bot: Bot, asked: Asked): Said {
  const { title, description, payload, provider_token: token, currency, prices, ...words } = wordsOf(asked)
  if (!isLength(title, titleCharactersMax)) return wrong(400, 'Bad Request: INVOICE_TITLE_INVALID')
  if (!isLength(description, descriptionCharactersMax)) return wrong(400, 'Bad Request: INVOICE_DESCRIPTION_INVALID')
  const bytes = Buffer.byteLength(text(payload))
  if (bytes < 1 || bytes > payloadBytesMax) return wrong(400, 'Bad Request: INVOICE_PAYLOAD_INVALID')
  const [price, ...more] = (prices ?? []) as { amount: number }[]
  if (currency !== 'XTR' || token !== '' || !price || more.length > 0 || !(price.amount >= 1))
    return wrong(400, 'Bad Request: CURRENCY_TOTAL_AMOUNT_INVALID')
  const period = words.subscription_period
  if (period !== undefined && (period !== subscriptionSeconds || price.amount > subscriptionStarsMax))
    return wrong(400, 'Bad Request: SUBSCRIPTION_PERIOD_INVALID')
  const id = randomUUID()
  bot.invoices.set(id, { id, payload: text(payload), stars: price.amount, isSubscription: period !== undefined })
  bot.expect(id)
  return done(`${hereOf(asked)}/pay/${id}`)
}

function refund(bot: Bot, asked: Asked): Said {
  const { telegram_payment_charge_id: chargeId } = wordsOf(asked)
  const charge = bot.charges.get(text(chargeId))
  if (!charge) return wrong(400, 'Bad Request: CHARGE_NOT_FOUND')
  if (charge.isRefunded) return wrong(400, 'Bad Request: CHARGE_ALREADY_REFUNDED')
  charge.isRefunded = true
  void tell(bot, 'refunded_payment', charge.invoice, charge.id)
  return done(true)
}

function answerCheckout(bot: Bot, words: Record<string, unknown>): Said {
  const answer = bot.checkouts.get(text(words.pre_checkout_query_id))
  if (!answer) return wrong(400, 'Bad Request: query is too old and response timeout expired or query ID is invalid')
  answer(words.ok === true)
  return done(true)
}

function transactions(bot: Bot, asked: Asked): Said {
  const { offset = 0, limit = 100 } = wordsOf(asked)
  const all = [...bot.charges.values()].flatMap(({ id, invoice, isRefunded, at }) => {
    const one = { id, amount: invoice.stars, date: Math.trunc(at.getTime() / millisecondsPerSecond) }
    const user = { type: 'user', user: { id: bot.payerId, is_bot: false, first_name: 'Иван' } }
    const came = { ...one, source: { ...user, invoice_payload: invoice.payload } }
    return isRefunded ? [came, { ...one, receiver: user }] : [came]
  })
  return done({ transactions: all.slice(Number(offset), Number(offset) + Number(limit)) })
}

function send(bot: Bot, asked: Asked): Said {
  const { chat_id: chatId, text: words } = wordsOf(asked)
  if (Number(chatId) === blockedId) return wrong(403, 'Forbidden: bot was blocked by the user')
  if (!text(words)) return wrong(400, 'Bad Request: message text is empty')
  return done({ message_id: ++bot.messages, chat: { id: chatId, type: 'private' }, date: 0, text: words })
}

function answer(bot: Bot, asked: Asked): Said {
  const [, token, method] = /^\/bot([^/]+)\/(\w+)$/.exec(asked.path) ?? []
  if (token !== bot.settings.credential) return wrong(401, 'Unauthorized')
  switch (method) {
    case 'createInvoiceLink':
      return invoiceLink(bot, asked)
    case 'answerPreCheckoutQuery':
      return answerCheckout(bot, wordsOf(asked))
    case 'refundStarPayment':
      return refund(bot, asked)
    case 'getStarTransactions':
      return transactions(bot, asked)
    case 'editUserStarSubscription':
      return bot.charges.has(text(wordsOf(asked).telegram_payment_charge_id))
        ? done(true)
        : wrong(400, 'Bad Request: CHARGE_NOT_FOUND')
    case 'sendMessage':
      return send(bot, asked)
    default:
      return wrong(404, 'Not Found')
  }
}

function tell(bot: Bot, event: string, invoice: Invoice, id: string) {
  const about = { id, order: invoice.payload, amountMinor: invoice.stars, currency: 'XTR' }
  return bot.settings.tell(event, starsTeller.body(event, { ...about, telegramId: bot.payerId, at: new Date() }))
}

/** A call of the Bot API may be the answer to an update. */
function callIn(answered: string): Record<string, unknown> | null {
  try {
    const words = JSON.parse(answered)
    return typeof words?.method === 'string' ? words : null
  } catch {
    return null
  }
}

/** Asks whether it may be paid, and pays when the answer comes within ten seconds. */
async function pay(bot: Bot, id: string, act: 'pay' | 'cancel' = 'pay') {
  const invoice = bot.invoices.get(id)
  if (!invoice || act === 'cancel') return
  const queryId = freshNumber()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  bot.checkouts.set(queryId, resolve)
  const patience = new AbortController()
  try {
    void tell(bot, 'pre_checkout_query', invoice, queryId).then(({ answer: words }) => {
      const call = callIn(words)
      if (call?.method === 'answerPreCheckoutQuery') answerCheckout(bot, call)
    })
    const isOk = await Promise.race([promise, wait(checkoutMs, false, { signal: patience.signal })])
    if (!isOk) return
    const charge = { id: `stx${randomUUID()}`, invoice, isRefunded: false, at: new Date() }
    bot.charges.set(charge.id, charge)
    return await tell(
      bot,
      invoice.isSubscription ? 'first_subscription_payment' : 'successful_payment',
      invoice,
      charge.id,
    )
  } finally {
    patience.abort()
    bot.checkouts.delete(queryId)
  }
}

/** Telegram, with a bot whose token is the credential, and one payer. */
export function telegramApi(settings: ApiSettings, payerId: number): ProviderApi {
  const crowd = payers(settings.payMs, (id) => void pay(bot, id))
  const bot: Bot = {
    invoices: new Map(),
    charges: new Map(),
    checkouts: new Map(),
    messages: 0,
    settings,
    payerId,
    expect: crowd.expect,
  }
  return {
    pay: (id, act) => pay(bot, id, act),
    close: crowd.close,
    isApi: (path) => !path.startsWith('/pay/'),
    async answer(asked) {
      const back = (id: string) => (bot.invoices.has(id) ? null : undefined)
      return (await payPage(asked, (id, act) => pay(bot, id, act), back)) ?? answer(bot, asked)
    },
  }
}
