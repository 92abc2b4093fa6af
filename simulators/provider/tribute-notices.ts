import { type About, hmac, isOk, json, type Teller } from './notice.ts'

const subscriptions = ['new_subscription', 'renewed_subscription', 'cancelled_subscription']
const digital = ['new_digital_product', 'digital_product_refunded']
const donations = ['new_donation', 'recurrent_donation', 'cancelled_donation']
const goods = ['physical_order_created', 'physical_order_shipped', 'physical_order_canceled']
const shop = [
  'shop_order',
  'shop_order_payment_received',
  'shop_order_prepaid',
  'shop_order_payment_failed',
  'shop_order_charge_success',
  'shop_order_charge_failed',
  'shop_order_cancelled',
  'shop_order_refunded',
  'shop_token_charge_success',
  'shop_token_charge_failed',
]
const monthMs = 30 * 86_400_000

const moneyOf = ({ amountMinor, currency }: About) => ({ amount: amountMinor, currency: currency.toLowerCase() })
const personOf = ({ telegramId }: About) => ({
  telegram_user_id: telegramId,
  telegram_username: `user${telegramId}`,
  trb_user_id: `T-${telegramId}`,
})

const subscription = (event: string, about: About) => ({
  subscription_name: 'VPN на месяц',
  subscription_id: Number(about.id),
  period_id: 1547,
  period: 'monthly',
  type: 'regular',
  price: about.amountMinor,
  ...moneyOf(about),
  ...personOf(about),
  channel_id: 614,
  channel_name: 'vpn',
  ...(event === 'cancelled_subscription' && { cancel_reason: '' }),
  expires_at: new Date(about.at.getTime() + monthMs).toISOString(),
})

const purchase = (event: string, about: About) => ({
  product_id: 456,
  product_name: 'VPN на месяц',
  ...moneyOf(about),
  ...personOf(about),
  purchase_id: Number(about.id),
  transaction_id: Number(about.id),
  purchase_created_at: about.at.toISOString(),
  ...(event === 'digital_product_refunded' && { refund_reason: '', refunded_at: about.at.toISOString() }),
})

const donation = (event: string, about: About) => ({
  // Of the link: every donor has the same.
  donation_request_id: Number(about.id),
  donation_name: 'На серверы',
  message: '',
  period: event === 'new_donation' ? 'once' : 'monthly',
  ...moneyOf(about),
  anonymously: false,
  web_app_link: 'https://t.me/tribute/app?startapp=d1',
  ...personOf(about),
})

function payloadOf(event: string, about: About): object {
  if (subscriptions.includes(event)) return subscription(event, about)
  if (digital.includes(event)) return purchase(event, about)
  if (donations.includes(event)) return donation(event, about)
  const status = event.split('_').at(-1)
  if (goods.includes(event))
    return { order_id: Number(about.id), order_status: status, ...moneyOf(about), ...personOf(about) }
  return {
    uuid: about.id,
    ...moneyOf(about),
    fee: 0,
    status: event === 'shop_order_refunded' ? 'completed' : 'paid',
    isRecurrent: false,
    period: 'onetime',
    customerId: String(about.telegramId),
    comment: about.order,
  }
}

/** Tribute: the key of the account signs the bytes. */
export const tributeTeller: Teller = {
  events: [...subscriptions, ...digital, ...donations, ...goods, ...shop],
  body: (event, about) => {
    const at = about.at.toISOString()
    return JSON.stringify({ name: event, created_at: at, sent_at: at, payload: payloadOf(event, about) })
  },
  sign: (body, apiKey) => ({ headers: { ...json, 'trbt-signature': hmac(apiKey, body) }, body }),
  isTaken: isOk,
}
