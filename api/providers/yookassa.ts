import type { BlockList } from 'node:net'
import * as refunds from '../../db/getpro/refunds.ts'
import { hearNamed, type Notice, type PaymentRules } from '../../db/getpro/settlement.ts'
import type { Outcome } from '../../db/messages/inbox.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { isWithin } from '../client-ip.ts'
import type { Reply } from './call.ts'
import { decimalOf } from './money.ts'
import { at, word } from './payload.ts'
import { canonical, jsonOf, type Match, type Provider, paymentOf, type ReadEvent, Unreadable } from './provider.ts'
import type { YookassaApi } from './yookassa-api.ts'

/** How YooKassa is known: it signs nothing, so by where it speaks from, and by asking it (docs/providers.md 1). */
export interface YookassaNotices {
  shopId: string
  addressCheck: 'off' | 'log' | 'enforce'
  addresses: BlockList
  /** The shop is one for trying: play money counts. */
  isTestShop: boolean
  /** Asks what is there now; null: what is told is believed. */
  api: Pick<YookassaApi, 'payment' | 'refundOf'> | null
}

/** A payment or refund there, as it is told or asked. */
interface Told {
  id: string
  status: string
  amount: string | null
  currency: string | null
}

type Words =
  | ({
      kind: 'payment'
      isTest: boolean
      /** The shop it was paid to, where it is told. */
      shopId: string | null
      ours: string | null
      reason: string | null
      method: Notice['method']
    } & Told)
  | ({ kind: 'refund'; paymentId: string | null } & Told)
  /** YooKassa does not know it: somebody else's, or nobody's. */
  | { kind: 'unknown' }
  | { kind: 'other'; event: string }

const statuses = ['succeeded', 'waiting_for_capture', 'canceled'] as const

/** A method that may be charged again: only where it says that it was saved. */
function methodOf(object: unknown): Notice['method'] {
  const id = word(at(object, 'payment_method', 'id'))
  if (id === null || at(object, 'payment_method', 'saved') !== true) return null
  const said = (...path: string[]) => word(at(object, 'payment_method', ...path))
  return {
    providerMethodId: id,
    methodType: said('type') ?? 'unknown',
    title: said('title'),
    cardLast4: said('card', 'last4'),
    cardNetwork: said('card', 'card_type'),
  }
}

function wordsOf(event: string, object: unknown): Words {
  const said = (...path: string[]) => word(at(object, ...path))
  const [about] = event.split('.')
  if (about !== 'payment' && about !== 'refund') return { kind: 'other', event }
  const [id, status, amount, currency] = [
    said('id'),
    said('status'),
    said('amount', 'value'),
    said('amount', 'currency'),
  ]
  if (id === null || status === null) throw new Unreadable(`the ${about} is not whole`)
  if (about === 'refund') return { kind: 'refund', paymentId: said('payment_id'), id, status, amount, currency }
  return {
    kind: 'payment',
    ...{ id, status, amount, currency },
    isTest: at(object, 'test') === true,
    shopId: said('recipient', 'account_id'),
    ours: said('metadata', 'payment_db_id'),
    reason: said('cancellation_details', 'reason'),
    method: methodOf(object),
  }
}

/** A notification out of a body (docs/providers.md 1). @throws Unreadable */
function hear(raw: Buffer): ReadEvent<Words> {
  const body = jsonOf(raw)
  const event = word(at(body, 'event'))
  const object = at(body, 'object')
  if (event === null || typeof object !== 'object' || object === null) throw new Unreadable('no event and object')
  const words = wordsOf(event, object)
  const id = word(at(object, 'id')) ?? 'nameless'
  return { words, dedupKey: `${event} ${id}`, content: canonical(words), isState: false, isLater: true }
}

/** What was asked, or null where it is not known there. @throws Error nobody could say just now */
function known<T>(reply: Reply<T>): T | null {
  if (reply.kind === 'done') return reply.value
  if (reply.kind === 'refused' && reply.status === 404) return null
  throw new Error(`YooKassa could not be asked: ${reply.why}`)
}

/** What is there now, in the place of what was told: notifications are signed by nobody. */
async function look(api: NonNullable<YookassaNotices['api']>, words: Words): Promise<Words> {
  if (words.kind === 'payment') {
    const there = known(await api.payment(words.id))
    if (!there) return { kind: 'unknown' }
    const { id, status, isTest, shopId, currency, method } = there
    const ours = there.metadata.payment_db_id ?? null
    const amount = decimalOf(there.amountMinor)
    const reason = there.cancellation?.reason ?? null
    return { kind: 'payment', id, status, amount, currency, isTest, shopId, ours, reason, method }
  }
  if (words.kind === 'refund') {
    const there = known(await api.refundOf(words.id))
    if (!there) return { kind: 'unknown' }
    const { id, status, currency, paymentId } = there
    return { kind: 'refund', id, status, currency, paymentId, amount: decimalOf(there.amountMinor) }
  }
  return words
}

const ignored = (why: string): Outcome => ({ state: 'ignored', result: { status: 'ignored' }, why })

/** A pending one is told of again: whoever spoke up too early must not be all that is heard of it. */
const unfinished = (about: 'payment' | 'refund', status: string): Outcome =>
  status === 'pending'
    ? { state: 'unmatched', result: { status: 'unmatched' }, why: `the ${about} is pending` }
    : ignored(`the ${about} is ${status}`)

async function act(
  config: YookassaNotices,
  tx: Tx,
  rules: PaymentRules,
  words: Words,
  match?: Match,
): Promise<Outcome> {
  if (words.kind === 'other') return ignored(`no use for ${words.event}`)
  if (words.kind === 'unknown')
    return { state: 'unmatched', result: { status: 'unmatched' }, why: 'YooKassa does not know it' }
  const matched = paymentOf(match)
  const { id, amount, currency } = words
  if (words.kind === 'refund') {
    if (words.status !== 'succeeded') return unfinished('refund', words.status)
    const named = { provider: 'yookassa' as const, providerPaymentId: words.paymentId, ours: null }
    return await refunds.hear(tx, rules, named, { providerRefundId: id, amount, currency }, matched)
  }
  if (words.shopId !== null && words.shopId !== config.shopId)
    return { state: 'failed', result: { status: 'refused' }, why: 'it was paid to another shop' }
  const status = statuses.find((one) => one === words.status)
  if (!status) return unfinished('payment', words.status)
  const named = { provider: 'yookassa' as const, providerPaymentId: id, ours: words.ours }
  const { isTest, method, reason } = words
  const notice = { status, providerPaymentId: id, amount, currency, isTest, method, reason, payerTelegramId: null }
  return await hearNamed(tx, rules, named, notice, matched)
}

/** YooKassa: payments, refunds, methods that were saved. */
export function yookassa(config: YookassaNotices, rules: Pick<PaymentRules, 'timeZone'>): Provider<Words> {
  const { api, addresses, addressCheck, isTestShop } = config
  return {
    name: 'yookassa',
    isMatched: true,
    isAuthentic: (_raw, _headers, address) => addressCheck !== 'enforce' || isWithin(addresses, address),
    isExpected: (address) => addressCheck !== 'log' || isWithin(addresses, address),
    keep: (raw) => raw,
    hear,
    ...(api && { look: (words: Words) => look(api, words) }),
    act: (tx, words, match) => act(config, tx, { ...rules, isTestAllowed: isTestShop }, words, match),
  }
}
