import { done, later, map, type Reply } from './call.ts'
import { type Gateway, noticeOf } from './gateway.ts'
import type { StarTransaction, TelegramApi } from './telegram-api.ts'

const pageRows = 100
/** Of one look; the next goes on behind them. */
const pagesMax = 50
/** So long after somebody paid an invoice it is still of use to know. */
const keptMs = 31 * 86_400_000
const secondMs = 1_000

/** What came so far, read on from where the last look ended. An invoice has no name and cannot be asked for. */
function incoming(api: TelegramApi) {
  const came = new Map<string, StarTransaction>()
  let position = 0
  let reading: Promise<Reply<null>> | null = null
  const forget = () => {
    for (const [payload, { at }] of came) if (at * secondMs < Date.now() - keptMs) came.delete(payload)
  }
  async function read(): Promise<Reply<null>> {
    forget()
    for (let page = 0; page < pagesMax; page++) {
      const reply = await api.transactions(position, pageRows)
      if (reply.kind !== 'done') return reply
      // Of a subscription the first is what was invoiced; what follows is told as renewals.
      for (const one of reply.value) if (one.payload !== null && !came.has(one.payload)) came.set(one.payload, one)
      position += reply.value.length
      if (reply.value.length < pageRows) return done(null)
    }
    return later('there is more to read', 1)
  }
  return async (payload: string): Promise<Reply<StarTransaction | null>> => {
    reading ??= read().finally(() => {
      reading = null
    })
    return map(await reading, () => done(came.get(payload) ?? null))
  }
}

/** Invoices for Stars: a link has no name there until it is paid. */
export function starsGateway(api: TelegramApi): Gateway {
  const find = incoming(api)
  return {
    isTestAllowed: false,
    async open({ chargedAmount, reference: payload, description, id }) {
      const title = description ?? `Платёж № ${id}`
      const stars = Number(chargedAmount)
      const reply = await api.invoiceLink({ title, description: title, payload, stars, isSubscription: false })
      return map(reply, (confirmationUrl) => done({ providerPaymentId: null, confirmationUrl, notice: null }))
    },
    refundsWhole: true,
    async refund({ providerPaymentId, paidByTelegramId, telegramId }) {
      const refundId = providerPaymentId!
      const reply = await api.refund(paidByTelegramId ?? telegramId, refundId)
      return map(reply, () => done({ refundId, status: 'succeeded' as const }))
    },
    async look({ reference }) {
      return map(await find(reference), (paid) => {
        if (!paid) return done(null)
        const sum = { providerPaymentId: paid.id, amount: String(paid.stars), currency: 'XTR' }
        return done({ providerPaymentId: paid.id, confirmationUrl: null, notice: noticeOf('succeeded', sum) })
      })
    },
  }
}
