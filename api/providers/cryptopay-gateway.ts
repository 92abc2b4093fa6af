import type { Asking } from '../../db/getpro/open-payments.ts'
import { done, map, type Reply } from './call.ts'
import type { CryptopayApi, CryptopayInvoice } from './cryptopay-api.ts'
import { type Gateway, noticeOf, type There } from './gateway.ts'

/** How long an invoice can be paid. */
const invoiceSeconds = 86_400

/** An invoice as it is settled. */
function thereOf({ id, status, amount, currency, url }: CryptopayInvoice): There {
  const sum = { providerPaymentId: String(id), amount, currency }
  const notice =
    status === 'active'
      ? null
      : status === 'paid'
        ? noticeOf('succeeded', sum)
        : noticeOf('canceled', sum, { reason: 'expired_on_confirmation' })
  return { providerPaymentId: String(id), confirmationUrl: status === 'active' ? url : null, notice }
}

/** Payments at CryptoPay. Their currency is what invoices are in, which has to be that of prices. */
export function cryptopayGateway(api: CryptopayApi, returnUrlOf: (reference: string) => string): Gateway {
  const create = async (asking: Asking): Promise<Reply<There>> => {
    const { chargedAmount: amount, description, id, reference: payload } = asking
    const about = { description: description ?? `Платёж № ${id}`, expiresInSeconds: invoiceSeconds }
    const reply = await api.create({ amount, payload, returnUrl: returnUrlOf(payload), ...about })
    return map(reply, (invoice) => done(thereOf(invoice)))
  }
  return {
    isTestAllowed: false,
    async open(asking) {
      if (asking.attempts <= 1) return await create(asking)
      const found = await api.find(asking.reference, asking.createdAt)
      if (found.kind !== 'done') return found
      return found.value ? done(thereOf(found.value)) : await create(asking)
    },
    async cancel({ providerPaymentId }) {
      const sum = { providerPaymentId, amount: null, currency: null }
      const notice = noticeOf('canceled', sum, { reason: 'canceled_by_merchant' })
      return map(await api.cancel(Number(providerPaymentId)), () =>
        done({ providerPaymentId, confirmationUrl: null, notice }),
      )
    },
    async look({ providerPaymentId }) {
      const reply = await api.invoices([Number(providerPaymentId)])
      return map(reply, ([invoice]) => done(invoice ? thereOf(invoice) : null))
    },
  }
}
