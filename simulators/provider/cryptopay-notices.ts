import { decimal, hmac, isOk, json, sha256, type Teller } from './notice.ts'

/** Crypto Pay tells of paid invoices only; the key is the SHA-256 of the token, as bytes. */
export const cryptopayTeller: Teller = {
  events: ['invoice_paid'],
  body: (event, { id, order, amountMinor, currency, at }) =>
    JSON.stringify({
      update_id: Number(BigInt(at.getTime()) % 1_000_000n),
      update_type: event,
      request_date: at.toISOString(),
      payload: {
        invoice_id: Number(id),
        hash: `IV${id}`,
        currency_type: 'fiat',
        fiat: currency,
        amount: decimal(amountMinor).replace(/\.?0+$/, ''),
        paid_asset: 'USDT',
        paid_amount: '3.74',
        fee_asset: 'USDT',
        fee_amount: '0.11',
        bot_invoice_url: `https://t.me/CryptoBot?start=IV${id}`,
        description: 'Подписка на 1 месяц',
        status: 'paid',
        created_at: at.toISOString(),
        paid_at: at.toISOString(),
        allow_comments: false,
        allow_anonymous: true,
        paid_anonymously: true,
        payload: order,
      },
    }),
  sign: (body, token) => ({ headers: { ...json, 'crypto-pay-api-signature': hmac(sha256(token), body) }, body }),
  isTaken: isOk,
}
