import { decimal, hmac, md5, type Teller } from './notice.ts'

/** Which of the two: the provider's own, or the one that the seed's document describes (docs/providers.md 3). */
export type Scheme = 'md5' | 'hmac-seed'

const schemes: Record<Scheme, (id: string, amount: string, order: string, secret: string) => string> = {
  md5: (id, amount, order, secret) => md5([id, amount, secret, order].join(':')),
  'hmac-seed': (id, amount, order, secret) => hmac(secret, [id, amount, secret, order].join(':')),
}

/**
 * FreeKassa tells of paid orders only, in a form; SIGN is over the decoded texts and stands last.
 * @param merchantId the shop
 */
export const freekassaTeller = (merchantId: string, scheme: Scheme = 'md5'): Teller => ({
  events: ['paid'],
  body: (_, { id, order, amountMinor, telegramId }) =>
    new URLSearchParams({
      MERCHANT_ID: merchantId,
      AMOUNT: decimal(amountMinor).replace(/\.00$/, ''),
      intid: id,
      MERCHANT_ORDER_ID: order,
      P_EMAIL: `${telegramId}@telegram.org`,
      CUR_ID: '44',
      payer_account: '220220******1234',
      us_user: String(telegramId),
    }).toString(),
  sign(body, secret) {
    const unsigned = body
      .toString()
      .split('&')
      .filter((field) => !field.startsWith('SIGN='))
      .join('&')
    const form = new URLSearchParams(unsigned)
    const field = (name: string) => form.get(name) ?? ''
    const sign = schemes[scheme](field('MERCHANT_ID'), field('AMOUNT'), field('MERCHANT_ORDER_ID'), secret)
    return {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(`${unsigned}&SIGN=${sign}`),
    }
  },
  isTaken: (status, answer) => status === 200 && answer === 'YES',
})
