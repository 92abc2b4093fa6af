import { z } from 'zod'
import { type Access, type Answer, caller, done, later, map, type Reply, refusal } from './call.ts'

export interface TributeAccess extends Access {
  apiKey: string
}

/** An order of the shop. There is no idempotency key: `find` comes before a second `create` (docs/providers.md 4.5). */
export interface NewShopOrder {
  /** By which `find` knows it; ours alone. */
  reference: string
  amountMinor: number
  /** `rub`, `eur`, `usd`. */
  currency: string
  title: string
  description: string
  /** Whom it is for, in our words. */
  customerId: string
  successUrl: string
  failUrl: string
  email: string | null
}

export interface ShopOrder {
  id: string
  status: string
  amountMinor: number
  currency: string
  /** Where the person pays; null: nowhere any more. */
  url: string | null
  reference: string | null
}

const titleCharactersMax = 100
const descriptionCharactersMax = 300
const idPattern = /^[\w-]{1,64}$/

const Order = z
  .object({
    uuid: z.string().regex(idPattern),
    status: z.string().default('pending'),
    amount: z.int(),
    currency: z.string(),
    paymentUrl: z.string().nullish(),
    webappPaymentUrl: z.string().nullish(),
    comment: z.string().nullish(),
  })
  .transform(
    ({ uuid: id, status, amount: amountMinor, currency, paymentUrl, webappPaymentUrl, comment }): ShopOrder => {
      // Orders for Stars only have no page on the web.
      const url = paymentUrl ?? webappPaymentUrl ?? null
      return { id, status, amountMinor, currency: currency.toLowerCase(), url, reference: comment ?? null }
    },
  )
const Orders = z.array(Order)
const Mistake = z.looseObject({ error: z.string().optional(), message: z.string().optional() })

const reading =
  <T>(shape: z.ZodType<T>) =>
  ({ status, body }: Answer): Reply<T> | null => {
    if (status < 300) {
      const { data } = shape.safeParse(body)
      return data === undefined ? null : done(data)
    }
    const { data } = Mistake.safeParse(body)
    const code = data?.error ?? data?.message
    if (code === undefined) return null
    return status === 429 ? later(code) : refusal(status, code, data?.message ?? code)
  }

const clip = (text: string, charactersMax: number) => [...text].slice(0, charactersMax).join('')
const segment = (id: string) => {
  if (!idPattern.test(id)) throw new RangeError('no id of Tribute')
  return id
}

/** Tribute's shop. What its subscriptions and digital goods do is told by webhooks only: there is nothing to ask. */
export function tributeApi(access: TributeAccess) {
  const call = caller(access, { 'api-key': access.apiKey }, [access.apiKey])
  return {
    create: ({ amountMinor, title, description, email, reference: comment, ...order }: NewShopOrder) =>
      call({
        method: 'POST',
        path: '/shop/orders',
        body: JSON.stringify({
          ...order,
          comment,
          amount: amountMinor,
          title: clip(title, titleCharactersMax),
          description: clip(description, descriptionCharactersMax),
          period: 'onetime',
          ...(email && { email }),
        }),
        read: reading(Order),
      }),
    order: (id: string) => call({ method: 'GET', path: `/shop/orders/${segment(id)}`, read: reading(Order) }),
    /** The order with our reference among those made since that day (UTC), null when there is none. */
    async find(reference: string, since: Date): Promise<Reply<ShopOrder | null>> {
      const path = `/shop/orders?dateFrom=${since.toISOString().slice(0, 10)}`
      const reply = await call({ method: 'GET', path, read: reading(Orders) })
      return map(reply, (orders) => done(orders.find((order) => order.reference === reference) ?? null))
    },
    /** All of it: there are no partial refunds. */
    refund: (id: string, transactionId: string) =>
      call({
        method: 'POST',
        path: `/shop/orders/${segment(id)}/transactions/${segment(transactionId)}/refund`,
        body: '{}',
        read: reading(z.unknown()),
      }),
  }
}

export type TributeApi = ReturnType<typeof tributeApi>
