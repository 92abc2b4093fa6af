import { createHash, createHmac } from 'node:crypto'
import type { BlockList } from 'node:net'
import { hearNamed, type PaymentRules } from '../../db/getpro/settlement.ts'
import { isWithin } from '../client-ip.ts'
import { isMac, word } from './payload.ts'
import { canonical, isOneOf, type Provider, paymentOf, type ReadEvent, textOf, Unreadable } from './provider.ts'

export const freekassaSchemes = ['md5', 'hmac-seed', 'hmac-sorted'] as const
export type FreekassaScheme = (typeof freekassaSchemes)[number]

/** How FreeKassa proves itself: by exactly one scheme (docs/providers.md 3). */
export interface FreekassaNotices {
  merchantId: string
  scheme: FreekassaScheme
  /** Of `md5`: secret word 2. */
  secret: string
  /** `enforce`: nobody else is heard; `log`: it is written down. */
  addressCheck: 'off' | 'log' | 'enforce'
  addresses: BlockList
}

interface Words {
  orderId: string
  amount: string
  /** Its own number of the operation; not signed. */
  operationId: string | null
}

/** Said of people who paid, and what proves it: not kept. */
const masked = /^(?:payer_account|P_EMAIL|P_PHONE|SIGN|signature)$/i

const formOf = (raw: Buffer) => new URLSearchParams(textOf(raw))
/** A field that is there exactly once; two of them are somebody's trick. */
const only = (form: URLSearchParams, name: string) => (form.getAll(name).length === 1 ? form.get(name)! : null)

/** The MAC over the decoded texts as they came: `100` and `100.00` are two. */
function macOf({ scheme, secret }: FreekassaNotices, form: URLSearchParams): Buffer {
  if (scheme === 'hmac-sorted') {
    const signed = [...form]
      .filter(([name]) => !/^(?:SIGN|signature)$/i.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return createHmac('sha256', secret)
      .update(signed.map(([, value]) => value).join('|'))
      .digest()
  }
  const field = (name: string) => only(form, name) ?? ''
  const text = [field('MERCHANT_ID'), field('AMOUNT'), secret, field('MERCHANT_ORDER_ID')].join(':')
  return scheme === 'md5' ? createHash('md5').update(text).digest() : createHmac('sha256', secret).update(text).digest()
}

function isAuthentic(config: FreekassaNotices, raw: Buffer, address: string): boolean {
  if (config.addressCheck === 'enforce' && !isWithin(config.addresses, address)) return false
  try {
    const form = formOf(raw)
    const isOurs = isOneOf([config.merchantId], only(form, 'MERCHANT_ID'))
    const isSigned = isMac(macOf(config, form), only(form, 'SIGN') ?? only(form, 'signature'))
    return isOurs && isSigned
  } catch (error) {
    if (error instanceof Unreadable) return false
    throw error
  }
}

/** A paid order out of a form. Only what is signed tells one notice from another. @throws Unreadable */
function hear(raw: Buffer): ReadEvent<Words> {
  const form = formOf(raw)
  const [orderId, amount] = [word(only(form, 'MERCHANT_ORDER_ID')), word(only(form, 'AMOUNT'))]
  if (orderId === null || amount === null) throw new Unreadable('the order is not whole')
  const words = { orderId, amount, operationId: word(only(form, 'intid')) }
  return { words, dedupKey: `order ${orderId}`, content: canonical({ orderId, amount }), isState: false, isLater: true }
}

/** The form with what is nobody's business masked; the rest byte by byte. */
function keep(raw: Buffer): Buffer {
  const fields = raw.toString('latin1').split('&')
  const nameOf = (field: string) => new URLSearchParams(field).keys().next().value ?? ''
  return Buffer.from(
    fields.map((one) => (masked.test(nameOf(one)) ? `${one.split('=', 1)[0]}=***` : one)).join('&'),
    'latin1',
  )
}

/** FreeKassa: orders that were paid. */
export function freekassa(config: FreekassaNotices, rules: PaymentRules): Provider<Words> {
  return {
    name: 'freekassa',
    isMatched: true,
    isAuthentic: (raw, _headers, address) => isAuthentic(config, raw, address),
    isExpected: (address) => config.addressCheck !== 'log' || isWithin(config.addresses, address),
    keep,
    hear,
    async act(tx, { orderId, amount, operationId }, match) {
      const named = { provider: 'freekassa' as const, providerPaymentId: null, ours: orderId }
      const said = { status: 'succeeded' as const, providerPaymentId: null, amount, currency: 'RUB', isTest: false }
      const beside = { method: null, reason: null, payerTelegramId: null }
      const outcome = await hearNamed(tx, rules, named, { ...said, ...beside }, paymentOf(match))
      return { ...outcome, result: { ...outcome.result, operationId } }
    },
  }
}
