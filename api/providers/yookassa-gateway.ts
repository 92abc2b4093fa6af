import type { Asking } from '../../db/getpro/open-payments.ts'
import { done, doubtful, map, type Reply } from './call.ts'
import { type Gateway, noticeOf, type There } from './gateway.ts'
import { decimalOf } from './money.ts'
import type { NewPayment, YookassaApi, YookassaPayment } from './yookassa-api.ts'

/** A key is forgotten there after 24 hours; an hour of that is left to clocks and calls that hang. */
const keyMs = 23 * 3_600_000
const pagesMax = 20
/** Their clock and ours. */
const clockToleranceMs = 600_000

/** A payment of YooKassa's as it is settled. */
export function yookassaThere(said: YookassaPayment): There {
  const { id: providerPaymentId, status, amountMinor, currency, isTest, method, confirmationUrl } = said
  const sum = { providerPaymentId, amount: decimalOf(amountMinor), currency }
  const reason = said.cancellation?.reason ?? null
  return {
    providerPaymentId,
    confirmationUrl,
    notice: status === 'pending' ? null : noticeOf(status, sum, { reason, method, isTest }),
  }
}

const buyerOf = ({ email }: Pick<Asking, 'email'>) => ({ email, phone: null })

/** What is told of a payment: the same words each time, for the key stands for them. */
const wordsOf = (asking: Asking, returnUrl: string): NewPayment => ({
  key: asking.providerKey!,
  amountMinor: asking.amountKopecks,
  description: asking.description ?? `Платёж № ${asking.id}`,
  // Of a method that is only to be known nothing is taken.
  capture: asking.isCaptured && asking.purpose !== 'binding',
  metadata: {
    payment_db_id: String(asking.id),
    reference: asking.reference,
    user_id: String(asking.telegramId),
    ...(asking.months !== null && { subscription_months: String(asking.months) }),
  },
  buyer: buyerOf(asking),
  by:
    asking.providerMethodId === null ? { returnUrl, save: asking.savesMethod } : { methodId: asking.providerMethodId },
})

/** Among all that was made since, by our reference: for when the key does not say any more. */
async function find(api: YookassaApi, { reference, createdAt }: Asking): Promise<Reply<YookassaPayment | null>> {
  const since = new Date(createdAt.getTime() - clockToleranceMs)
  let cursor: string | null = null
  for (let page = 0; page < pagesMax; page++) {
    const reply: Awaited<ReturnType<YookassaApi['payments']>> = await api.payments({ since, cursor })
    if (reply.kind !== 'done') return reply
    const mine = reply.value.payments.find(({ metadata }) => metadata.reference === reference)
    if (mine) return done(mine)
    cursor = reply.value.cursor
    if (cursor === null) return done(null)
  }
  return doubtful('more payments than are looked through')
}

/** What is done with a payment there, under a key of its own. */
const actsAt = (api: YookassaApi): Required<Pick<Gateway, 'refund' | 'capture' | 'cancel'>> => ({
  async refund(acting) {
    const { providerActId, providerKey: key, providerPaymentId, refundKopecks, description, reason } = acting
    const isKnownKey = Date.now() - acting.createdAt.getTime() < keyMs
    if (!isKnownKey && providerActId === null) return doubtful('its key is forgotten: look for it in the cabinet')
    const about = {
      amountMinor: refundKopecks!,
      description: reason ?? description ?? 'Возврат',
      buyer: buyerOf(acting),
    }
    const reply =
      providerActId === null
        ? await api.refund({ paymentId: providerPaymentId!, key, ...about })
        : await api.refundOf(providerActId)
    return map(reply, ({ id: refundId, status }) => done({ refundId, status }))
  },
  async capture(acting) {
    const { providerPaymentId, providerKey: key, amountKopecks: amountMinor, description } = acting
    const about = { amountMinor, description: description ?? 'Платёж', buyer: buyerOf(acting) }
    const reply = await api.capture({ id: providerPaymentId!, key, ...about })
    return map(reply, (said) => done(yookassaThere(said)))
  },
  async cancel({ providerPaymentId, providerKey: key }) {
    return map(await api.cancel(providerPaymentId!, key), (said) => done(yookassaThere(said)))
  },
})

/** Payments at YooKassa. */
export function yookassaGateway(
  api: YookassaApi,
  { isTestAllowed, returnUrlOf }: { isTestAllowed: boolean; returnUrlOf(reference: string): string },
): Gateway {
  return {
    isTestAllowed,
    async open(asking) {
      const isRepeat = asking.attempts > 1
      const isKnownKey = Date.now() - asking.createdAt.getTime() < keyMs
      const reply: Reply<YookassaPayment> = isKnownKey
        ? await api.create(wordsOf(asking, returnUrlOf(asking.reference)))
        : { kind: 'refused', status: 404, code: 'too_old', why: 'it was not made in time' }
      if (reply.kind !== 'refused' || !isRepeat) return map(reply, (said) => done(yookassaThere(said)))
      // The words may have changed under the key (a receipt's address): what was made by it is there all the same.
      const found = await find(api, asking)
      return map(found, (said): Reply<There> => (said ? done(yookassaThere(said)) : reply))
    },
    savesMethods: true,
    ...actsAt(api),
    async look(asking) {
      const reply = await api.payment(asking.providerPaymentId!)
      if (reply.kind === 'refused' && reply.status === 404) return done(null)
      return map(reply, (said) => done(yookassaThere(said)))
    },
  }
}
