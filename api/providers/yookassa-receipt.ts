import { decimalOf } from './money.ts'

/** How the shop is taxed and what it sells; changes with the law (docs/providers.md 1.6). */
export interface ReceiptCodes {
  vatCode: number
  /** Null: none is said. */
  taxSystemCode: number | null
  paymentMode: string
  paymentSubject: string
  /** FFD 1.2; null: none is said. */
  measure: string | null
}

/** To whom a receipt goes: at least one of the two. */
export interface Buyer {
  email: string | null
  /** E.164, with its plus. */
  phone: string | null
}

const descriptionCharactersMax = 128

/** The first characters of a text, none of them halved. */
export const clip = (text: string, charactersMax: number): string => [...text].slice(0, charactersMax).join('')

/** A receipt of one position, whose sum is therefore that of the payment; null: nobody it could go to. */
export function receiptOf(codes: ReceiptCodes, buyer: Buyer, description: string, amountMinor: number): object | null {
  const { email, phone } = buyer
  if (!email && !phone) return null
  return {
    customer: { ...(email && { email }), ...(phone && { phone: phone.replace(/^\+/, '') }) },
    items: [
      {
        description: clip(description, descriptionCharactersMax),
        quantity: '1.00',
        amount: { value: decimalOf(amountMinor), currency: 'RUB' },
        vat_code: codes.vatCode,
        payment_mode: codes.paymentMode,
        payment_subject: codes.paymentSubject,
        ...(codes.measure && { measure: codes.measure }),
      },
    ],
    ...(codes.taxSystemCode && { tax_system_code: codes.taxSystemCode }),
  }
}
