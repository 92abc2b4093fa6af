import { createHash, createHmac } from 'node:crypto'
import { addressList } from '../../../api/client-ip.ts'
import type { ApiConfig } from '../../../api/config.ts'
import type { NoticeConfig } from '../../../api/providers/notice-settings.ts'
import * as webhookEvents from '../../../api/providers/webhook-events.ts'
import * as accounts from '../../../db/getpro/accounts.ts'
import * as payments from '../../../db/getpro/payments.ts'
import type { PaymentProvider } from '../../../db/getpro/words.ts'
import * as inbox from '../../../db/messages/inbox.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { config, startApiServer } from '../server.ts'

export const secrets = {
  cryptopay: '12345:AAtoken',
  freekassa: 'secret_key_second',
  tribute: 'tribute-api-key',
  stars: 'stars_Secret-Token_0123456789',
  panel: 'vsmu67Kmg6R8FjIOF1WUY8LWBHie4scdEqrfsKmyf4IAf8dY3nFS0wwYHkhh6ZvQ',
}
export const merchantId = '12345'
export const shopId = '505373'
/** Where YooKassa speaks from. */
export const yookassaPeer = '185.71.76.1'
const yookassaNetworks =
  '185.71.76.0/27 185.71.77.0/27 77.75.153.0/25 77.75.156.11/32 77.75.156.35/32 77.75.154.128/25 2a02:5180::/32'

/** Every provider heard, with the secrets above; YooKassa is believed without being asked. */
export const notices = (change: Partial<NoticeConfig> = {}): NoticeConfig => ({
  bodyBytesMax: 262_144,
  limit: null,
  yookassa: {
    shopId,
    addressCheck: 'enforce',
    addresses: addressList(yookassaNetworks.split(' ')),
    isTestShop: false,
    isVerified: false,
  },
  cryptopay: { token: secrets.cryptopay },
  freekassa: {
    merchantId,
    scheme: 'md5',
    secret: secrets.freekassa,
    addressCheck: 'log',
    addresses: addressList(['168.119.157.136']),
    isByGet: true,
  },
  tribute: { apiKey: secrets.tribute, encoding: 'hex' },
  stars: { secrets: [secrets.stars] },
  panel: { secrets: [secrets.panel], maxAgeSeconds: null },
  ...change,
})

/** A house that hears them. */
export const heard = (change: Partial<NoticeConfig> = {}, more: Partial<ApiConfig> = {}) =>
  startApiServer({ ...more, providers: { ...config.providers, ...more.providers, notices: notices(change) } })

export type House = Awaited<ReturnType<typeof heard>>

/** What comes over the wire to a webhook. */
export interface Told {
  body?: string | Buffer
  headers?: Record<string, string>
  /** Of the TCP connection. */
  peer?: string
  method?: string
  query?: string
}

/** Tells a house something, as a provider would. */
export async function tell({ fetch }: Pick<House, 'fetch'>, path: string, told: Told) {
  const { body, headers = {}, peer = '203.0.113.7', method = 'POST', query } = told
  const url = `http://localhost${path}${query ? `?${query}` : ''}`
  const bytes = body === undefined || method === 'GET' ? {} : { body: Buffer.from(body as string) }
  const incoming = { socket: { remoteAddress: peer } } as never
  const response = await fetch(new Request(url, { method, headers, ...bytes }), { incoming })
  const named = (name: string) => response.headers.get(name)
  return {
    status: response.status,
    text: await response.text(),
    type: named('content-type'),
    wait: named('retry-after'),
  }
}

/** A row of the inbox. */
export interface Row {
  id: number
  provider: string
  state: string
  dedupKey: string
  repeats: number
  raw: Buffer
  headers: object
  result: any
  lastError: string | null
}

/** The rows of the inbox, oldest first. */
export const stored = ({ db }: { db: Db }) => db.sql<Row[]>`
  select id, provider, state, dedup_key, repeats, raw, headers, result, last_error from inbox order by id`

/** Works all that waits, as the inbox task does; what fails is counted in its row. @returns the last row */
export async function work(house: Pick<House, 'db' | 'stage'>): Promise<Row> {
  const providers = house.stage.providers
  for (const name of Object.keys(providers))
    for (const id of await inbox.due(house.db.sql, name, 100))
      await webhookEvents.work(house.db, providers, id).catch(() => undefined)
  return (await stored(house)).at(-1)!
}

let made = 0
/** A number that nothing else of this process was made with. */
export const next = () => ++made

/** Somebody at Telegram. */
export const customer = (db: Db, inviterId: number | null = null) =>
  db.transaction((tx) =>
    accounts.register(tx, null, {
      telegramId: 700_000_000 + next(),
      inviter: inviterId === null ? null : { id: inviterId },
    }),
  )

/** A plan of 199 roubles a month, or 150 stars. */
export async function plan(db: Db, months = 1): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into plans (name, months, price_kopecks, price_stars)
    values (${`План ${next()}`}, ${months}, ${19_900 * months}, ${150 * months}) returning id`
  return row!.id
}

/** An open payment for a month, which the provider knows by a name of its own (Stars has none before it is paid). */
export async function order(db: Db, provider: PaymentProvider, { accountId = 0, months = 1 } = {}) {
  const owner = accountId || (await customer(db)).id
  const planId = await plan(db, months)
  return await db.transaction(async (tx) => {
    const payment = await payments.begin(tx, null, { accountId: owner, provider, purpose: 'subscription', planId })
    if (provider === 'stars') return payment
    await payments.keepProvidersName(tx, payment.id, { providerPaymentId: `${provider}-${next()}` })
    return (await payments.get(tx, payment.id))!
  })
}

const hmac = (key: string | Buffer, body: string | Buffer) => createHmac('sha256', key).update(body).digest('hex')
const json = { 'content-type': 'application/json' }

/** The bytes with each provider's proof. */
export const signed = {
  yookassa: (words: object): Told => ({ body: JSON.stringify(words), headers: json, peer: yookassaPeer }),
  cryptopay: (words: object, key = secrets.cryptopay): Told => {
    const body = JSON.stringify(words)
    const signature = hmac(createHash('sha256').update(key).digest(), body)
    return { body, headers: { ...json, 'crypto-pay-api-signature': signature } }
  },
  freekassa: (words: Record<string, string>, secret = secrets.freekassa): Told => {
    const text = [words.MERCHANT_ID, words.AMOUNT, secret, words.MERCHANT_ORDER_ID].join(':')
    const SIGN = createHash('md5').update(text).digest('hex')
    const body = new URLSearchParams({ ...words, SIGN }).toString()
    return { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  },
  tribute: (words: object, key = secrets.tribute): Told => {
    const body = JSON.stringify(words)
    return { body, headers: { ...json, 'trbt-signature': hmac(key, body) } }
  },
  stars: (words: object, secret = secrets.stars): Told => ({
    body: JSON.stringify(words),
    headers: { ...json, 'x-telegram-bot-api-secret-token': secret },
  }),
  panel: (words: object, secret = secrets.panel): Told => {
    const body = JSON.stringify(words)
    return { body, headers: { ...json, 'x-remnawave-signature': hmac(secret, body) } }
  },
}

/** The object of a notification of YooKassa. */
export const yookassaObject = (payment: payments.Payment, change: object = {}) => ({
  id: payment.providerPaymentId,
  status: 'succeeded',
  paid: true,
  amount: { value: payment.chargedAmount, currency: payment.chargedCurrency },
  metadata: { payment_db_id: String(payment.id) },
  recipient: { account_id: shopId },
  test: false,
  ...change,
})

/** What each provider says when an order was paid; `amount` where it is another than asked for. */
export const paid = {
  yookassa: (payment: payments.Payment, amount = payment.chargedAmount) =>
    signed.yookassa({
      type: 'notification',
      event: 'payment.succeeded',
      object: yookassaObject(payment, { amount: { value: amount, currency: 'RUB' } }),
    }),
  cryptopay: (payment: payments.Payment, amount = payment.chargedAmount) =>
    signed.cryptopay({
      ...{ update_id: next(), update_type: 'invoice_paid', request_date: '2026-04-01T10:00:05.123Z' },
      payload: {
        invoice_id: payment.providerPaymentId,
        ...{ status: 'paid', currency_type: 'fiat', fiat: 'RUB', amount, payload: payment.reference },
      },
    }),
  freekassa: (payment: payments.Payment, amount = payment.chargedAmount) =>
    signed.freekassa({
      ...{ MERCHANT_ID: merchantId, AMOUNT: amount, intid: String(next()), MERCHANT_ORDER_ID: String(payment.id) },
      ...{ P_EMAIL: 'payer@example.org', payer_account: '4111111111111111', CUR_ID: '36' },
    }),
  stars: (payment: payments.Payment, amount = payment.chargedAmount) => starsPaid(payment, { amount }),
}

/** A successful payment in Stars. */
export const starsPaid = (
  payment: payments.Payment,
  { amount = payment.chargedAmount, charge = `charge-${payment.id}`, from = 123_456, more = {} } = {},
) =>
  signed.stars({
    update_id: 870_000_000 + next(),
    message: {
      ...{ message_id: 1, from: { id: from, is_bot: false }, chat: { id: from, type: 'private' }, date: 1_769_940_000 },
      successful_payment: {
        ...{ currency: 'XTR', total_amount: Number(amount), invoice_payload: payment.reference },
        ...{ telegram_payment_charge_id: charge, provider_payment_charge_id: '1_0', ...more },
      },
    },
  })

/** Where an account stands: its payments, its movements of money in order, and how its subscription was changed. */
export async function standing(db: Db, accountId: number) {
  const paidFor = await db.sql<{ status: string; refundedKopecks: number }[]>`
    select status, refunded_kopecks from subscription_payments where account_id = ${accountId} order by id`
  const moved = await db.sql<{ kind: string; amount: number }[]>`
    select p.kind, e.amount from ledger_books b join ledger_postings p on p.book_id = b.id
      join ledger_accounts a on a.book_id = b.id and a.name = 'balance' join ledger_entries e on e.posting_id = p.id and e.account_id = a.id
    where b.owner_kind = 'getpro' and b.owner_id = ${accountId} order by p.seq`
  const periods = await db.sql<{ kind: string; months: number; days: number }[]>`
    select p.kind, p.months, p.days from subscription_periods p join subscriptions s on s.id = p.subscription_id
    where s.account_id = ${accountId} order by p.id`
  return {
    payments: paidFor.map(({ status }) => status),
    moved: moved.map(({ kind, amount }) => [kind.replace('getpro.', ''), amount]),
    periods: periods.map(({ kind, months, days }) => [kind, months, days]),
  }
}

/** What a month that was paid once leaves behind. */
export const paidOnce = {
  payments: ['succeeded'],
  moved: [
    ['balance_add', 19_900],
    ['subscription_purchase', -19_900],
  ],
  periods: [['payment', 1, 0]],
}
