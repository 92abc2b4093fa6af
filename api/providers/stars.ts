import * as refunds from '../../db/getpro/refunds.ts'
import type { PaymentRules } from '../../db/getpro/settlement.ts'
import * as stars from '../../db/getpro/stars.ts'
import type { Outcome } from '../../db/messages/inbox.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { oursIn } from './cryptopay.ts'
import { at, instant, whole, word } from './payload.ts'
import {
  canonical,
  isOneOf,
  jsonOf,
  type Match,
  type Provider,
  paymentOf,
  type ReadEvent,
  Unreadable,
} from './provider.ts'

/** How Telegram proves itself: by the secret that `setWebhook` was given, now and before. */
export interface StarsNotices {
  secrets: readonly string[]
}

type Words =
  | ({ kind: 'checkout'; checkoutId: string } & stars.Checkout)
  | ({ kind: 'paid' } & stars.Paid)
  | { kind: 'refunded'; chargeId: string; ours: string | null; amount: string | null }
  | { kind: 'subscription'; ours: string | null; state: string }
  | { kind: 'other'; event: string }

const tokenHeader = 'x-telegram-bot-api-secret-token'
const secondMs = 1_000

const oursOf = (payment: unknown) => oursIn(word(at(payment, 'invoice_payload')))

function paidOf(message: unknown): Words {
  const payment = at(message, 'successful_payment')
  const [chargeId, amount, currency] = ['telegram_payment_charge_id', 'total_amount', 'currency'].map((name) =>
    word(at(payment, name)),
  )
  if (!chargeId || !amount || !currency) throw new Unreadable('the payment is not whole')
  const until = whole(at(payment, 'subscription_expiration_date'))
  // Flags that are not true are not there.
  const isRenewal = at(payment, 'is_recurring') === true && at(payment, 'is_first_recurring') !== true
  const expiresAt = until === null ? null : instant(new Date(until * secondMs).toISOString())
  const payerTelegramId = whole(at(message, 'from', 'id'))
  return { kind: 'paid', chargeId, amount, currency, ours: oursOf(payment), payerTelegramId, isRenewal, expiresAt }
}

function wordsOf(body: object): Words {
  const checkout = at(body, 'pre_checkout_query')
  if (checkout !== undefined) {
    const [checkoutId, amount, currency] = ['id', 'total_amount', 'currency'].map((name) => word(at(checkout, name)))
    if (!checkoutId || !amount || !currency) throw new Unreadable('the checkout is not whole')
    return { kind: 'checkout', checkoutId, amount, currency, ours: oursOf(checkout) }
  }
  const message = at(body, 'message')
  if (at(message, 'successful_payment') !== undefined) return paidOf(message)
  const refund = at(message, 'refunded_payment')
  if (refund !== undefined) {
    const chargeId = word(at(refund, 'telegram_payment_charge_id'))
    if (chargeId === null) throw new Unreadable('the refund is not whole')
    return { kind: 'refunded', chargeId, ours: oursOf(refund), amount: word(at(refund, 'total_amount')) }
  }
  const subscription = at(body, 'subscription')
  if (subscription !== undefined)
    return { kind: 'subscription', ours: oursOf(subscription), state: word(at(subscription, 'state')) ?? 'unknown' }
  // What people write to the bot is not ours to keep: only that there was something.
  const event = word(Object.keys(body).find((name) => name !== 'update_id')) ?? 'nothing'
  return { kind: 'other', event }
}

/** An update out of a body (docs/providers.md 5). @throws Unreadable */
function hear(raw: Buffer): ReadEvent<Words> {
  const body = jsonOf(raw)
  const words = wordsOf(body)
  const update = word(at(body, 'update_id')) ?? 'unnumbered'
  const keys: Record<string, string> = {
    checkout: words.kind === 'checkout' ? `checkout ${words.checkoutId}` : '',
    paid: words.kind === 'paid' ? `paid ${words.chargeId}` : '',
    refunded: words.kind === 'refunded' ? `refunded ${words.chargeId}` : '',
  }
  const content = canonical(JSON.parse(JSON.stringify(words)))
  const dedupKey = keys[words.kind] ?? `update ${update}`
  return { words, dedupKey, content, isState: false, isLater: words.kind !== 'checkout' }
}

/** Of what people write, only that they wrote: a bot's other business is not kept here. */
function keep(raw: Buffer): Buffer {
  try {
    const body = jsonOf(raw)
    const words = wordsOf(body)
    if (words.kind !== 'other') return raw
    return Buffer.from(JSON.stringify({ update_id: Number(word(at(body, 'update_id'))), [words.event]: {} }))
  } catch (error) {
    if (error instanceof Unreadable) return raw
    throw error
  }
}

async function act(tx: Tx, rules: PaymentRules, words: Words, match?: Match): Promise<Outcome> {
  switch (words.kind) {
    case 'other':
      return { state: 'ignored', result: { status: 'ignored' }, why: `no use for ${words.event}` }
    case 'checkout':
      return await stars.checkout(tx, words)
    case 'paid':
      return await stars.paid(tx, rules, words, paymentOf(match))
    case 'refunded': {
      const { chargeId, ours, amount } = words
      const named = { provider: 'stars' as const, providerPaymentId: chargeId, ours }
      const notice = { providerRefundId: chargeId, amount, currency: amount === null ? null : 'XTR' }
      return await refunds.hear(tx, rules, named, notice, paymentOf(match))
    }
    case 'subscription':
      return await stars.renewal(tx, words, paymentOf(match))
  }
}

/** Telegram Stars: checkouts, payments, refunds and renewals, among whatever else a bot is told. */
export function starsProvider({ secrets }: StarsNotices, rules: PaymentRules): Provider<Words> {
  return {
    name: 'stars',
    isMatched: true,
    isAuthentic: (_raw, headers) => isOneOf(secrets, headers.get(tokenHeader)),
    keep,
    hear,
    act: (tx, words, match) => act(tx, rules, words, match),
  }
}
