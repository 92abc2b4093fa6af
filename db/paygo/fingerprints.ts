import { createHmac } from 'node:crypto'

// Under the house's key (`PAYMENT_CARD_KEY`). Equality is all that can be asked of them; without the key nobody can try
// the few billion numbers there are.

/** Of a card number, its digits only: the same that a terminal's codec makes of it (docs/protocol.md 7.6). */
export const cardFingerprint = (digits: string, key: Buffer): string =>
  createHmac('sha256', key).update(digits).digest('hex')

/** Of what a reader made of somebody: the same text of another person has another one. */
export const templateHash = (template: { userId: number; type: string; data: string }, key: Buffer): string =>
  createHmac('sha256', key)
    .update(JSON.stringify(['template', template.userId, template.type, template.data]))
    .digest('hex')

/** All that is shown of a card number. */
export const masked = (digits: string) => `**** **** **** ${digits.slice(-4)}`
