import { done, map } from './call.ts'
import type { Gateway } from './gateway.ts'
import type { TelegramApi } from './telegram-api.ts'

/** Invoices for Stars. One has no name until it is paid, and cannot be asked for: what came is read as a whole (stars-feed.ts). */
export function starsGateway(api: TelegramApi): Gateway {
  return {
    isTestAllowed: false,
    async open({ chargedAmount, reference: payload, description, id }) {
      const title = description ?? `Платёж № ${id}`
      const stars = Number(chargedAmount)
      const reply = await api.invoiceLink({ title, description: title, payload, stars, isSubscription: false })
      return map(reply, (confirmationUrl) => done({ providerPaymentId: null, confirmationUrl, notice: null }))
    },
    look: async () => done(null),
  }
}
