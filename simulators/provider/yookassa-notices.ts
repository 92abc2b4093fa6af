import { randomUUID } from 'node:crypto'
import { type About, decimal, isOk, json, type Teller } from './notice.ts'

const statuses: Record<string, object> = {
  'payment.succeeded': { status: 'succeeded', paid: true, refundable: true },
  'payment.waiting_for_capture': { status: 'waiting_for_capture', paid: true, refundable: false },
  'payment.canceled': {
    status: 'canceled',
    paid: false,
    refundable: false,
    cancellation_details: { party: 'yoo_money', reason: 'expired_on_confirmation' },
  },
}

function objectOf(event: string, { id, order, amountMinor, currency, telegramId, at }: About): object {
  const amount = { value: decimal(amountMinor), currency }
  const created = { created_at: at.toISOString() }
  const metadata = { user_id: String(telegramId), subscription_months: '1', payment_db_id: order }
  if (event.startsWith('payment.'))
    return {
      id,
      ...statuses[event],
      amount,
      description: 'Подписка на 1 месяц',
      metadata,
      payment_method: { type: 'bank_card', id, saved: false, title: 'Bank card *4444' },
      recipient: { account_id: '100500', gateway_id: '100700' },
      ...created,
      test: false,
    }
  if (event === 'refund.succeeded') return { id: randomUUID(), payment_id: id, status: 'succeeded', amount, ...created }
  if (event === 'payment_method.active') return { id, type: 'bank_card', status: 'active', saved: true, ...created }
  return { id, status: event.split('.')[1], amount, metadata, ...created }
}

/** YooKassa signs nothing: it is believed for its address, and for what its API says. */
export const yookassaTeller: Teller = {
  events: [
    ...Object.keys(statuses),
    'refund.succeeded',
    'payment_method.active',
    'payout.succeeded',
    'payout.canceled',
    'deal.closed',
  ],
  body: (event, about) => JSON.stringify({ type: 'notification', event, object: objectOf(event, about) }),
  sign: (body) => ({ headers: json, body }),
  isTaken: isOk,
}
