import { createHash, createHmac } from 'node:crypto'
import type { Notice, PaymentRules } from '../../db/getpro/settlement.ts'
import { hearNamed } from '../../db/getpro/settlement.ts'
import { at, isMac, word } from './payload.ts'
import { canonical, jsonOf, type Provider, paymentOf, type ReadEvent, Unreadable } from './provider.ts'

/** What CryptoPay is told by, and how it proves itself. */
export interface CryptopayNotices {
  token: string
}

type Words = { kind: 'paid'; invoiceId: string; ours: string | null; notice: Notice } | { kind: 'other'; event: string }

const signatureHeader = 'crypto-pay-api-signature'

/** Our name in an invoice's payload: the text itself, or a member of the JSON that it is. */
export function oursIn(payload: string | null): string | null {
  if (payload === null || !payload.startsWith('{')) return payload
  try {
    return word(at(jsonOf(Buffer.from(payload)), 'payment_db_id')) ?? payload
  } catch (error) {
    if (error instanceof Unreadable) return payload
    throw error
  }
}

/** An update out of a body (docs/providers.md 2). @throws Unreadable */
function hear(raw: Buffer): ReadEvent<Words> {
  const body = jsonOf(raw)
  const event = word(at(body, 'update_type'))
  if (event !== 'invoice_paid') {
    const words: Words = { kind: 'other', event: event ?? 'no update' }
    const dedupKey = `${words.event} ${createHash('sha256').update(raw).digest('hex')}`
    return { words, dedupKey, content: dedupKey, isState: false, isLater: true }
  }
  const invoice = (name: string) => word(at(body, 'payload', name))
  const invoiceId = invoice('invoice_id')
  const amount = invoice('amount')
  // Real invoices in fiat have no asset; an example of the document has the currency there.
  const currency = invoice('fiat') ?? invoice('asset')
  if (invoiceId === null || amount === null || currency === null) throw new Unreadable('the invoice is not whole')
  const ours = oursIn(invoice('payload'))
  const status = invoice('status')
  const said = { providerPaymentId: invoiceId, amount, currency, isTest: false }
  const beside = { method: null, reason: null, payerTelegramId: null }
  const words: Words =
    status === 'paid'
      ? { kind: 'paid', invoiceId, ours, notice: { status: 'succeeded', ...said, ...beside } }
      : { kind: 'other', event: `an invoice that is ${status}` }
  const content = canonical({ status, amount, currency, ours })
  return { words, dedupKey: `invoice_paid ${invoiceId}`, content, isState: false, isLater: true }
}

/** CryptoPay (@CryptoBot): invoices that were paid. */
export function cryptopay({ token }: CryptopayNotices, rules: PaymentRules): Provider<Words> {
  const key = createHash('sha256').update(token).digest()
  return {
    name: 'cryptopay',
    isMatched: true,
    isAuthentic: (raw, headers) => isMac(createHmac('sha256', key).update(raw).digest(), headers.get(signatureHeader)),
    keep: (raw) => raw,
    hear,
    async act(tx, words, match) {
      if (words.kind === 'other')
        return { state: 'ignored', result: { status: 'ignored' }, why: `no use for ${words.event}` }
      const named = { provider: 'cryptopay' as const, providerPaymentId: words.invoiceId, ours: words.ours }
      return await hearNamed(tx, rules, named, words.notice, paymentOf(match))
    },
  }
}
