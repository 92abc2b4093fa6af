import type { Asking } from '../../db/getpro/open-payments.ts'
import { done, map, type Reply, refusal } from './call.ts'
import type { FreekassaApi, FreekassaOrder, NewApiOrder, NewOrder } from './freekassa-api.ts'
import { type Gateway, noticeOf, type There } from './gateway.ts'
import { decimalOf } from './money.ts'

/** Somebody else's call with a greater nonce came first so often in a row. */
const nonceAttempts = 3
/** Of orders by one number of ours (its link may be opened again and again) the one that says most. */
const weight: Record<FreekassaOrder['status'], number> = { paid: 4, refunded: 3, new: 2, canceled: 1, failed: 1 }

export interface FreekassaWays {
  /** Null: nothing can be asked. */
  api: FreekassaApi | null
  /** Null: there are no links. */
  link: ((order: NewOrder) => string) | null
  /** By which method orders of the API are paid; null: by a link, and the payer chooses. */
  method: number | null
  nextNonce(): Promise<number>
  urlsOf(reference: string): NonNullable<NewApiOrder['urls']> | null
}

/** An order as it is settled: by our number of it, which may have had several of theirs. */
function thereOf({ id, amountMinor, currency, status }: FreekassaOrder, confirmationUrl: string | null): There {
  const sum = { providerPaymentId: null, amount: decimalOf(amountMinor), currency }
  if (status === 'new') return { providerPaymentId: null, confirmationUrl, notice: null }
  // What was given back was paid before.
  if (status === 'paid' || status === 'refunded')
    return { providerPaymentId: id, confirmationUrl: null, notice: noticeOf('succeeded', sum) }
  return { providerPaymentId: null, confirmationUrl: null, notice: noticeOf('canceled', sum, { reason: status }) }
}

/** Orders at FreeKassa: a link to its form, or made by its API. */
export function freekassaGateway(ways: FreekassaWays): Gateway {
  const { api, link, method, urlsOf } = ways
  const linkOf = ({ reference: orderId, amountKopecks: amountMinor, email }: Asking) =>
    link?.({ orderId, amountMinor, email }) ?? null

  /** A call under a number of its own; one that came too late did nothing, and is told again under the next. */
  async function numbered<T>(call: (nonce: number) => Promise<Reply<T>>): Promise<Reply<T>> {
    for (let attempt = 1; ; attempt++) {
      const reply = await call(await ways.nextNonce())
      const isLate = reply.kind === 'later' && reply.seconds === 0
      if (!isLate || attempt === nonceAttempts) return reply
    }
  }

  const find = async (asking: Asking): Promise<Reply<There | null>> => {
    if (!api) return done(null)
    const reply = await numbered((nonce) => api.orders(asking.reference, nonce))
    return map(reply, (orders) => {
      const [first] = orders.sort((a, b) => weight[b.status] - weight[a.status])
      return done(first ? thereOf(first, linkOf(asking)) : null)
    })
  }

  async function create(asking: Asking, by: FreekassaApi, email: string, method: number): Promise<Reply<There>> {
    const { reference: orderId, amountKopecks: amountMinor } = asking
    const about = { orderId, amountMinor, email, method, address: null, urls: urlsOf(orderId) }
    const reply = await numbered((nonce) => by.create({ ...about, nonce }))
    return map(reply, ({ id, url }) => done({ providerPaymentId: id, confirmationUrl: url, notice: null }))
  }

  return {
    isTestAllowed: false,
    async open(asking) {
      const { email } = asking
      if (api && method !== null && email !== null) {
        const found = asking.attempts > 1 ? await find(asking) : done(null)
        if (found.kind !== 'done') return found
        return found.value ? done(found.value) : await create(asking, api, email, method)
      }
      const confirmationUrl = linkOf(asking)
      // It is there once somebody opens the link.
      if (confirmationUrl !== null) return done({ providerPaymentId: null, confirmationUrl, notice: null })
      return refusal(400, 'email_required', 'an order of the API needs an e-mail address')
    },
    look: find,
  }
}
