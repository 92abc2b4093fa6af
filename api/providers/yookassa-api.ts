import { z } from 'zod'
import type { NewMethod } from '../../db/getpro/methods.ts'
import { type Access, type Answer, type Call, caller, done, later, type Reply, refusal } from './call.ts'
import { decimalOf, minorFrom } from './money.ts'
import { type Buyer, clip, type ReceiptCodes, receiptOf } from './yookassa-receipt.ts'

export interface YookassaAccess extends Access {
  shopId: string
  secretKey: string
  /** Null: receipts are somebody else's. */
  receipts: ReceiptCodes | null
}

/** What is to be paid. */
export interface NewPayment {
  /** Remembered for 24 hours there. Stored before the first byte leaves (docs/providers.md 1.5). */
  key: string
  amountMinor: number
  description: string
  /** False: held, until `capture` or `cancel`. */
  capture: boolean
  /** At most 16 texts. */
  metadata: Record<string, string>
  buyer: Buyer
  /** A person who comes back there, or a method that was saved with their consent. */
  by: { returnUrl: string; save: boolean } | { methodId: string }
}

/** A payment as it is there. Amounts in hundredths. */
export interface YookassaPayment {
  id: string
  status: 'pending' | 'waiting_for_capture' | 'succeeded' | 'canceled'
  amountMinor: number
  currency: string
  refundedMinor: number
  isTest: boolean
  /** Where the person pays, while it is pending. */
  confirmationUrl: string | null
  /** To charge again without the person; null: it was not saved. */
  method: NewMethod | null
  metadata: Record<string, string>
  /** The shop it was paid to, where it is told. */
  shopId: string | null
  cancellation: { party: string; reason: string } | null
  createdAt: string
}

export interface YookassaRefund {
  id: string
  paymentId: string
  status: 'pending' | 'succeeded' | 'canceled'
  amountMinor: number
  currency: string
  cancellation: { party: string; reason: string } | null
}

const keyPattern = /^[\x21-\x7e]{1,64}$/
const descriptionCharactersMax = 128
const refundCharactersMax = 250
const idPattern = /^[\w-]{1,64}$/
const millisecondsPerSecond = 1_000

const Amount = z
  .object({ value: z.union([z.string(), z.number()]), currency: z.string() })
  .transform(({ value, currency }, context) => {
    const minor = minorFrom(value)
    if (minor === null) context.addIssue({ code: 'custom', message: 'no amount' })
    return { minor: minor ?? 0, currency }
  })
const Cancellation = z.object({ party: z.string(), reason: z.string() }).nullish()
/** A method, but only where it says that it was saved. */
const Method = z
  .object({
    id: z.string().nullish(),
    saved: z.boolean().default(false),
    type: z.string().default('unknown'),
    title: z.string().nullish(),
    card: z.object({ last4: z.string().nullish(), card_type: z.string().nullish() }).nullish(),
  })
  .transform(({ id, saved, type: methodType, title = null, card }): NewMethod | null =>
    saved && id
      ? {
          providerMethodId: id,
          methodType,
          title,
          cardLast4: card?.last4 ?? null,
          cardNetwork: card?.card_type ?? null,
        }
      : null,
  )
const Payment = z
  .object({
    id: z.string().regex(idPattern),
    status: z.enum(['pending', 'waiting_for_capture', 'succeeded', 'canceled']),
    amount: Amount,
    refunded_amount: Amount.nullish(),
    test: z.boolean().default(false),
    confirmation: z.object({ confirmation_url: z.string().nullish() }).nullish(),
    payment_method: Method.nullish(),
    metadata: z.record(z.string(), z.unknown()).nullish(),
    recipient: z.object({ account_id: z.union([z.string(), z.number()]).transform(String) }).nullish(),
    cancellation_details: Cancellation,
    created_at: z.string(),
  })
  .transform(
    (said): YookassaPayment => ({
      id: said.id,
      status: said.status,
      amountMinor: said.amount.minor,
      currency: said.amount.currency,
      refundedMinor: said.refunded_amount?.minor ?? 0,
      isTest: said.test,
      confirmationUrl: said.confirmation?.confirmation_url ?? null,
      method: said.payment_method ?? null,
      metadata: Object.fromEntries(Object.entries(said.metadata ?? {}).map(([name, value]) => [name, String(value)])),
      shopId: said.recipient?.account_id ?? null,
      cancellation: said.cancellation_details ?? null,
      createdAt: said.created_at,
    }),
  )
const Refund = z
  .object({
    id: z.string().regex(idPattern),
    payment_id: z.string(),
    status: z.enum(['pending', 'succeeded', 'canceled']),
    amount: Amount,
    cancellation_details: Cancellation,
  })
  .transform(
    (said): YookassaRefund => ({
      id: said.id,
      paymentId: said.payment_id,
      status: said.status,
      amountMinor: said.amount.minor,
      currency: said.amount.currency,
      cancellation: said.cancellation_details ?? null,
    }),
  )
const Page = z
  .object({ items: z.array(Payment), next_cursor: z.string().nullish() })
  .transform(({ items, next_cursor: next }) => ({ payments: items, cursor: next ?? null }))
const Receipt = z.object({ id: z.string(), status: z.enum(['pending', 'succeeded', 'canceled']) })
const Mistake = z.object({ type: z.literal('error'), code: z.string(), description: z.string().default('') })
const Processing = z.object({ retry_after: z.number().positive().optional() })

/** Reads what is there now. A 202 is "not yet": no object, and in its body the milliseconds until it should be asked again. */
const reading =
  <T>(shape: z.ZodType<T>) =>
  ({ status, body }: Answer): Reply<T> | null => {
    if (status === 202) {
      const { data } = Processing.safeParse(body)
      return later('still processing', data?.retry_after && Math.ceil(data.retry_after / millisecondsPerSecond))
    }
    if (status === 200) {
      const { data } = shape.safeParse(body)
      return data === undefined ? null : done(data)
    }
    const { data } = Mistake.safeParse(body)
    if (!data) return null
    return status === 429 ? later(data.code) : refusal(status, data.code, data.description)
  }

const amountOf = (minor: number) => ({ value: decimalOf(minor), currency: 'RUB' })
const segment = (id: string) => {
  if (!idPattern.test(id)) throw new RangeError('no id of YooKassa')
  return id
}

const wordsOf = ({ amountMinor, capture, description, metadata, by }: NewPayment) => ({
  amount: amountOf(amountMinor),
  capture,
  description: clip(description, descriptionCharactersMax),
  metadata,
  ...('methodId' in by
    ? { payment_method_id: by.methodId }
    : {
        confirmation: { type: 'redirect', return_url: by.returnUrl },
        ...(by.save && { save_payment_method: true }),
      }),
})

/** YooKassa's API. Each POST may be told again under the same key, and counts once (docs/providers.md 1.5). */
export function yookassaApi(access: YookassaAccess) {
  const basic = Buffer.from(`${access.shopId}:${access.secretKey}`).toString('base64')
  const call = caller(access, { authorization: `Basic ${basic}` }, [access.secretKey, basic])
  const { receipts } = access
  const receipt = (buyer: Buyer, description: string, minor: number) => {
    const made = receipts && receiptOf(receipts, buyer, description, minor)
    return made && { receipt: made }
  }
  return {
    create: (payment: NewPayment) =>
      post(call, '/payments', payment.key, Payment, {
        ...wordsOf(payment),
        ...receipt(payment.buyer, payment.description, payment.amountMinor),
      }),
    /** Takes what was held, all of it or less. */
    capture: (of: { id: string; key: string; amountMinor: number; description: string; buyer: Buyer }) =>
      post(call, `/payments/${segment(of.id)}/capture`, of.key, Payment, {
        amount: amountOf(of.amountMinor),
        ...receipt(of.buyer, of.description, of.amountMinor),
      }),
    /** Lets go of what was held. */
    cancel: (id: string, key: string) => post(call, `/payments/${segment(id)}/cancel`, key, Payment, {}),
    /** Gives back, all or a part; a receipt of its own goes with it. */
    refund: (of: { paymentId: string; key: string; amountMinor: number; description: string; buyer: Buyer }) =>
      post(call, '/refunds', of.key, Refund, {
        payment_id: of.paymentId,
        amount: amountOf(of.amountMinor),
        description: clip(of.description, refundCharactersMax),
        ...receipt(of.buyer, of.description, of.amountMinor),
      }),
    payment: (id: string) => get(call, `/payments/${segment(id)}`, Payment),
    refundOf: (id: string) => get(call, `/refunds/${segment(id)}`, Refund),
    /** Payments made since, the newest first, a page at a time. */
    payments: ({ since, cursor }: { since: Date; cursor?: string | null }) =>
      get(
        call,
        `/payments?${new URLSearchParams({ 'created_at.gte': since.toISOString(), limit: '100', ...(cursor && { cursor }) })}`,
        Page,
      ),
    /** "Payment first, receipt later"; null: receipts are switched off, or there is nobody it could go to. */
    receiptLater: (of: { paymentId: string; key: string; amountMinor: number; description: string; buyer: Buyer }) => {
      const made = receipts && receiptOf(receipts, of.buyer, of.description, of.amountMinor)
      if (!made) return null
      const settlements = [{ type: 'prepayment', amount: amountOf(of.amountMinor) }]
      const words = { type: 'payment', payment_id: of.paymentId, send: true, ...made, settlements }
      return post(call, '/receipts', of.key, Receipt, words)
    },
  }
}

export type YookassaApi = ReturnType<typeof yookassaApi>

const get = <T>(call: Call, path: string, shape: z.ZodType<T>) => call({ method: 'GET', path, read: reading(shape) })

function post<T>(call: Call, path: string, key: string, shape: z.ZodType<T>, words: object): Promise<Reply<T>> {
  if (!keyPattern.test(key)) throw new RangeError('no idempotence key')
  const body = JSON.stringify(words)
  return call({ method: 'POST', path, headers: { 'idempotence-key': key }, body, read: reading(shape) })
}
