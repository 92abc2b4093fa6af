import { createHash, createHmac } from 'node:crypto'
import * as accounts from '../../db/getpro/accounts.ts'
import * as refunds from '../../db/getpro/refunds.ts'
import { hearNamed, type PaymentRules } from '../../db/getpro/settlement.ts'
import * as subscriptions from '../../db/getpro/tribute.ts'
import type { Outcome } from '../../db/messages/inbox.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { decimalOf } from './money.ts'
import { at, instant, isMac, maskMembers, whole, word } from './payload.ts'
import {
  accountOf,
  canonical,
  jsonOf,
  type Match,
  type Provider,
  paymentOf,
  type ReadEvent,
  Unreadable,
} from './provider.ts'

/** How Tribute proves itself. */
export interface TributeNotices {
  apiKey: string
  /** How its MAC is spelt; nobody wrote that down. */
  encoding: 'hex' | 'base64'
}

type Said = Omit<subscriptions.TributeNotice, 'key'>
type Words =
  | { kind: 'subscription'; telegramId: number | null; said: Said; key: string }
  | {
      kind: 'order'
      uuid: string
      status: 'succeeded' | 'canceled'
      amountMinor: number | null
      currency: string | null
      ours: string | null
    }
  | { kind: 'order_refund'; uuid: string; refundId: string; amountMinor: number | null; currency: string | null }
  | { kind: 'other'; event: string }

const signatureHeader = 'trbt-signature'
const subscriptionEvents: Record<string, Said['event']> = {
  new_subscription: 'new',
  renewed_subscription: 'renewed',
  cancelled_subscription: 'cancelled',
}
/** Of all that is told of an order, `shop_order` alone says that it is paid. */
const orderEvents: Record<string, 'succeeded' | 'canceled'> = {
  shop_order: 'succeeded',
  shop_order_payment_failed: 'canceled',
  shop_order_cancelled: 'canceled',
}
const types = ['regular', 'gift', 'trial'] as const
const periods: Record<string, number> = {
  monthly: 1,
  quarterly: 3,
  '3-month': 3,
  halfyearly: 6,
  yearly: 12,
  annual: 12,
}

const upper = (text: string | null) => text?.toUpperCase() ?? null

function subscriptionOf(event: Said['event'], name: string, body: object, raw: Buffer): Words {
  const payload = at(body, 'payload')
  const subscriptionId = word(at(payload, 'subscription_id'))
  if (subscriptionId === null) throw new Unreadable('no subscription')
  const telegramId = whole(at(payload, 'telegram_user_id'))
  const [saidAt, expiresAt] = [instant(at(body, 'created_at')), instant(at(payload, 'expires_at'))]
  // What is paid is the price; the amount is without commission, and all that an example of the document has.
  const priceMinor = whole(at(payload, 'price')) ?? whole(at(payload, 'amount'))
  const who = telegramId ?? word(at(payload, 'trb_user_id')) ?? 'nobody'
  // There is no id of an event: the time it happened tells one from the next, else what it is until, else all it says.
  const when = (saidAt ?? expiresAt)?.toISOString() ?? createHash('sha256').update(raw).digest('hex')
  return {
    kind: 'subscription',
    telegramId,
    key: `${name} ${subscriptionId} ${who} ${when}`,
    said: {
      event,
      subscriptionId,
      type: types.find((one) => one === at(payload, 'type')) ?? 'regular',
      priceMinor,
      currency: upper(word(at(payload, 'currency'))) ?? 'RUB',
      months: periods[word(at(payload, 'period')) ?? ''] ?? 1,
      expiresAt,
      saidAt,
    },
  }
}

function orderOf(event: string, payload: unknown): Words {
  const uuid = word(at(payload, 'uuid'))
  if (uuid === null) throw new Unreadable('no order')
  const about = { uuid, amountMinor: whole(at(payload, 'amount')), currency: upper(word(at(payload, 'currency'))) }
  if (event !== 'shop_order_refunded')
    return { kind: 'order', ...about, status: orderEvents[event]!, ours: word(at(payload, 'comment')) }
  if (word(at(payload, 'status')) !== 'completed') return { kind: 'other', event: 'a refund that was begun' }
  const transactionId = word(at(payload, 'transactionId')) ?? 'all'
  return { kind: 'order_refund', ...about, refundId: `${uuid} ${transactionId}` }
}

/** An event out of a body (docs/providers.md 4). @throws Unreadable */
function hear(raw: Buffer): ReadEvent<Words> {
  const body = jsonOf(raw)
  const name = word(at(body, 'name')) ?? 'nameless'
  const payload = at(body, 'payload')
  const about = subscriptionEvents[name]
  const isOrder = name in orderEvents || name === 'shop_order_refunded'
  const words: Words = about
    ? subscriptionOf(about, name, body, raw)
    : isOrder
      ? orderOf(name, payload)
      : { kind: 'other', event: name }
  const fallback = createHash('sha256')
    .update(canonical({ name, payload, at: at(body, 'created_at') ?? null }))
    .digest('hex')
  const keys: Record<Words['kind'], () => string> = {
    subscription: () => (words.kind === 'subscription' ? words.key : ''),
    order: () => (words.kind === 'order' ? `${name} ${words.uuid}` : ''),
    order_refund: () => (words.kind === 'order_refund' ? `${name} ${words.refundId}` : ''),
    // The time of sending is another at each attempt: what is told is the same.
    other: () => `${name} ${fallback}`,
  }
  const content = canonical(JSON.parse(JSON.stringify(words)))
  return { words, dedupKey: keys[words.kind](), content, isState: false, isLater: true }
}

async function hearSubscription(
  tx: Tx,
  rules: PaymentRules,
  words: Words & { kind: 'subscription' },
  match?: Match,
): Promise<Outcome> {
  const { telegramId, said, key } = words
  const matched = accountOf(match)
  if (matched === undefined && telegramId === null)
    return { state: 'ignored', result: { status: 'ignored' }, why: 'it names nobody at Telegram' }
  const account =
    matched === undefined ? await accounts.byTelegramId(tx, telegramId!) : await accounts.hold(tx, matched)
  if (!account) return { state: 'unmatched', result: { status: 'unmatched' }, why: 'USER_NOT_FOUND' }
  return await subscriptions.hear(tx, rules, account.id, { ...said, key })
}

async function act(tx: Tx, rules: PaymentRules, words: Words, match?: Match): Promise<Outcome> {
  const sum = (minor: number | null) => (minor === null ? null : decimalOf(minor))
  switch (words.kind) {
    case 'other':
      return { state: 'ignored', result: { status: 'ignored' }, why: `no use for ${words.event}` }
    case 'subscription':
      return await hearSubscription(tx, rules, words, match)
    case 'order': {
      const { uuid, ours, status, amountMinor, currency } = words
      const named = { provider: 'tribute' as const, providerPaymentId: uuid, ours }
      const said = { status, providerPaymentId: uuid, amount: sum(amountMinor), currency, isTest: false }
      const beside = { method: null, reason: status === 'canceled' ? 'canceled' : null, payerTelegramId: null }
      return await hearNamed(tx, rules, named, { ...said, ...beside }, paymentOf(match))
    }
    case 'order_refund': {
      const { uuid, refundId, amountMinor, currency } = words
      const named = { provider: 'tribute' as const, providerPaymentId: uuid, ours: null }
      const notice = { providerRefundId: refundId, amount: sum(amountMinor), currency }
      return await refunds.hear(tx, rules, named, notice, paymentOf(match))
    }
  }
}

/** Tribute: subscriptions that it renews by itself, and orders of its shop. */
export function tribute({ apiKey, encoding }: TributeNotices, rules: PaymentRules): Provider<Words> {
  return {
    name: 'tribute',
    isMatched: true,
    isAuthentic: (raw, headers) =>
      isMac(createHmac('sha256', apiKey).update(raw).digest(), headers.get(signatureHeader), encoding),
    keep: (raw) => maskMembers(raw, ['email', 'paymentToken', 'message']),
    hear,
    act: (tx, words, match) => act(tx, rules, words, match),
  }
}
