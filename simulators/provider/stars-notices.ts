import { type About, isSuccess, json, type Teller } from './notice.ts'

const millisecondsPerSecond = 1_000
const monthSeconds = 2_592_000

const personOf = ({ telegramId }: About) => ({ id: telegramId, is_bot: false, first_name: 'Иван', language_code: 'ru' })
const messageOf = (about: About, words: object) => ({
  message: {
    message_id: 501,
    from: personOf(about),
    chat: { id: about.telegramId, first_name: 'Иван', type: 'private' },
    date: Math.trunc(about.at.getTime() / millisecondsPerSecond),
    ...words,
  },
})
/** Stars are whole: what is told in hundredths elsewhere is their number here. */
const paid = ({ id, order, amountMinor, telegramId }: About) => ({
  currency: 'XTR',
  total_amount: amountMinor,
  invoice_payload: order,
  telegram_payment_charge_id: id,
  provider_payment_charge_id: `${telegramId}_0`,
})

/** Kinds of updates, and what is in them. */
const updates: Record<string, (about: About) => object> = {
  pre_checkout_query: (about) => ({
    pre_checkout_query: {
      id: about.id,
      from: personOf(about),
      currency: 'XTR',
      total_amount: about.amountMinor,
      invoice_payload: about.order,
    },
  }),
  successful_payment: (about) => messageOf(about, { successful_payment: paid(about) }),
  first_subscription_payment: (about) => {
    const until = Math.trunc(about.at.getTime() / millisecondsPerSecond) + monthSeconds
    const flags = { subscription_expiration_date: until, is_recurring: true, is_first_recurring: true }
    return messageOf(about, { successful_payment: { ...paid(about), ...flags } })
  },
  subscription_payment: (about) => {
    const until = Math.trunc(about.at.getTime() / millisecondsPerSecond) + monthSeconds
    return messageOf(about, {
      successful_payment: { ...paid(about), subscription_expiration_date: until, is_recurring: true },
    })
  },
  refunded_payment: (about) => {
    const { provider_payment_charge_id: _, ...words } = paid(about)
    return messageOf(about, { refunded_payment: words })
  },
  subscription: (about) => ({
    subscription: { user: personOf(about), invoice_payload: about.order, state: 'canceled' },
  }),
  message: (about) => messageOf(about, { text: 'Здравствуйте' }),
  guest_message: (about) => ({ guest_message: messageOf(about, { text: 'Здравствуйте' }).message }),
  managed_bot: () => ({ managed_bot: { user: { id: 1, is_bot: true, first_name: 'bot' } } }),
}

let updateId = 870_000_000

/** Telegram: the secret of `setWebhook` is a header of every update. */
export const starsTeller: Teller = {
  events: Object.keys(updates),
  body: (event, about) => JSON.stringify({ update_id: updateId++, ...updates[event]!(about) }),
  sign: (body, secret) => ({ headers: { ...json, 'x-telegram-bot-api-secret-token': secret }, body }),
  isTaken: isSuccess,
}
