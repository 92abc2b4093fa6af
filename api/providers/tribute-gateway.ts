import type { Asking } from '../../db/getpro/open-payments.ts'
import { done, map, type Reply } from './call.ts'
import { type Gateway, noticeOf, type There } from './gateway.ts'
import { decimalOf } from './money.ts'
import type { ShopOrder, TributeApi } from './tribute-api.ts'

/** Their clock and ours. */
const clockToleranceMs = 600_000
const title = 'Оплата'
const paid = ['paid', 'refunded']
const ended = ['failed', 'cancelled', 'canceled', 'expired']

/** An order as it is settled. */
function thereOf({ id, status, amountMinor, currency, url }: ShopOrder): There {
  const sum = { providerPaymentId: id, amount: decimalOf(amountMinor), currency: currency.toUpperCase() }
  // What was given back was paid before.
  if (paid.includes(status)) return { providerPaymentId: id, confirmationUrl: null, notice: noticeOf('succeeded', sum) }
  if (ended.includes(status))
    return { providerPaymentId: id, confirmationUrl: null, notice: noticeOf('canceled', sum, { reason: status }) }
  return { providerPaymentId: id, confirmationUrl: url, notice: null }
}

/** Orders of the shop at Tribute. */
export function tributeGateway(api: TributeApi, returnUrlOf: (reference: string) => string): Gateway {
  const create = async (asking: Asking): Promise<Reply<There>> => {
    const { id, reference, amountKopecks: amountMinor, description, telegramId, email } = asking
    const back = returnUrlOf(reference)
    const about = { title, description: description ?? `Платёж № ${id}`, customerId: String(telegramId), email }
    const urls = { successUrl: back, failUrl: back }
    const reply = await api.create({ reference, amountMinor, currency: 'rub', ...about, ...urls })
    return map(reply, (order) => done(thereOf(order)))
  }
  return {
    isTestAllowed: false,
    async open(asking) {
      if (asking.attempts <= 1) return await create(asking)
      const found = await api.find(asking.reference, new Date(asking.createdAt.getTime() - clockToleranceMs))
      if (found.kind !== 'done') return found
      return found.value ? done(thereOf(found.value)) : await create(asking)
    },
    async look({ providerPaymentId }) {
      const reply = await api.order(providerPaymentId!)
      if (reply.kind === 'refused' && reply.status === 404) return done(null)
      return map(reply, (order) => done(thereOf(order)))
    },
  }
}
