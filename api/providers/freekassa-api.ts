import { createHash, createHmac } from 'node:crypto'
import { z } from 'zod'
import { type Access, type Answer, caller, done, later, type Reply, refusal } from './call.ts'
import { decimalOf, minorFrom } from './money.ts'

export interface FreekassaAccess extends Access {
  merchantId: string
  /** Where the payment form is; without a slash at its end. */
  payUrl: string
  /** Signs links; null: none can be made. */
  firstSecret: string | null
  /** Of the API; null: nothing can be asked. */
  apiKey: string | null
  /** Told for a payer whose address is not known. */
  payerAddress: string | null
  /** By which orders of the API are paid; null: by the form, where payers choose. */
  method?: number | null
}

/** An order to be paid. */
export interface NewOrder {
  /** Ours: `MERCHANT_ORDER_ID` of the notice, the only thing that its signature covers besides the amount. */
  orderId: string
  amountMinor: number
  email: string | null
}

/** One that its API makes. */
export interface NewApiOrder extends NewOrder {
  nonce: number
  email: string
  method: number
  address: string | null
  /** Where it tells, and sends payers back to; null: as its cabinet says. */
  urls?: { notification: string; back: string } | null
}

export interface FreekassaOrder {
  /** FreeKassa's own number: `intid` of the notice. */
  id: string
  orderId: string
  amountMinor: number
  currency: string
  status: 'new' | 'paid' | 'refunded' | 'failed' | 'canceled'
}

/** An API where calls must come one after the other: each has a greater `nonce` than the one before (docs/providers.md 3.4). */
const callsMax = 1
const statuses = new Map<number, FreekassaOrder['status']>([
  [0, 'new'],
  [1, 'paid'],
  [6, 'refunded'],
  [8, 'failed'],
  [9, 'canceled'],
])

const number = z.union([z.string(), z.number()]).transform(String)
const Created = z
  .object({ type: z.literal('success'), orderId: number, location: z.string() })
  .transform(({ orderId: id, location: url }) => ({ id, url }))
const Order = z
  .object({
    merchant_order_id: number,
    fk_order_id: number,
    amount: z.union([z.string(), z.number()]),
    currency: z.string(),
    status: z.coerce.number(),
  })
  .transform((said, context): FreekassaOrder => {
    const amountMinor = minorFrom(said.amount)
    const status = statuses.get(said.status)
    if (amountMinor === null || !status) context.addIssue({ code: 'custom', message: 'no amount, or a new status' })
    const { fk_order_id: id, merchant_order_id: orderId, currency } = said
    return { id, orderId, amountMinor: amountMinor ?? 0, currency, status: status ?? 'new' }
  })
const Orders = z
  .object({ type: z.literal('success'), orders: z.array(Order).nullish() })
  .transform(({ orders }) => orders ?? [])
const Mistake = z.object({ type: z.literal('error'), message: z.string().default('') })

/** Whatever the status is, `type` says whether it was done. */
const reading =
  <T>(shape: z.ZodType<T>) =>
  ({ status, body }: Answer): Reply<T> | null => {
    const right = shape.safeParse(body)
    if (status === 200 && right.success) return done(right.data)
    const wrong = Mistake.safeParse(body)
    if (!wrong.success) return null
    // Somebody else's call with a greater one came first: nothing was done, and the next nonce may be good.
    if (/nonce already exist/i.test(wrong.data.message)) return later(wrong.data.message, 0)
    return status === 429 ? later(wrong.data.message) : refusal(status, 'error', wrong.data.message)
  }

type Words = Record<string, string | number>

/** The values in the order of their names, joined and hashed: numbers as JSON writes them. */
export const signatureOf = (words: Words, apiKey: string): string =>
  createHmac('sha256', apiKey)
    .update(
      Object.keys(words)
        .sort()
        .map((name) => String(words[name]))
        .join('|'),
    )
    .digest('hex')

/** Where somebody pays an order by hand. @throws RangeError no secret word 1 */
export function formLink(access: FreekassaAccess, { orderId, amountMinor, email }: NewOrder): string {
  const { merchantId, firstSecret } = access
  if (!firstSecret) throw new RangeError('FREEKASSA_FIRST_SECRET is not set')
  const amount = decimalOf(amountMinor)
  const signed = [merchantId, amount, firstSecret, 'RUB', orderId].join(':')
  const fields = {
    m: merchantId,
    oa: amount,
    currency: 'RUB',
    o: orderId,
    s: createHash('md5').update(signed).digest('hex'),
  }
  return `${access.payUrl}/?${new URLSearchParams({ ...fields, ...(email && { em: email }) })}`
}

/** FreeKassa's API. Every `nonce` is the caller's: from a sequence that all processes share. */
export function freekassaApi(access: FreekassaAccess & { apiKey: string }) {
  const { apiKey, merchantId, payerAddress } = access
  const call = caller({ ...access, callsMax }, {}, [apiKey, ...(access.firstSecret ? [access.firstSecret] : [])])
  const ask = <T>(path: string, shape: z.ZodType<T>, nonce: number, words: Words) => {
    const said = { shopId: Number(merchantId), nonce, ...words }
    const body = JSON.stringify({ ...said, signature: signatureOf(said, apiKey) })
    return call({ method: 'POST', path, body, read: reading(shape) })
  }
  return {
    /** Never told again by itself: there is no key. In doubt `orders` says whether it is there. */
    create: (order: NewApiOrder) =>
      ask('/orders/create', Created, order.nonce, {
        paymentId: order.orderId,
        i: order.method,
        email: order.email,
        ip: order.address ?? payerAddress ?? '127.0.0.1',
        amount: Number(decimalOf(order.amountMinor)),
        currency: 'RUB',
        ...(order.urls && {
          notification_url: order.urls.notification,
          success_url: order.urls.back,
          failure_url: order.urls.back,
        }),
      }),
    /** What is known there of an order of ours. */
    orders: (orderId: string, nonce: number) => ask('/orders', Orders, nonce, { paymentId: orderId }),
  }
}

export type FreekassaApi = ReturnType<typeof freekassaApi>
