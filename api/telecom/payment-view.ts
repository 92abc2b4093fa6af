import { z } from '@hono/zod-openapi'
import type { Payment } from '../../db/telecom/payments.ts'
import { paymentMethods, paymentStatuses, transactionTypes } from '../../db/telecom/words.ts'
import { published } from '../resource.ts'
import { Decimal, decimal, decimalOrNull } from './fields.ts'
import { shown, Time } from './surface.ts'

/** A payment as it leaves. */
export const PaymentView = z.object({
  id: z.int(),
  contract: z.int(),
  contract_number: z.string(),
  transaction_type: z.enum(transactionTypes),
  amount: Decimal,
  payment_date: Time,
  status: z.enum(paymentStatuses),
  payment_method: z.enum(paymentMethods),
  transaction_id: z.string().openapi({ example: 'TXN-123' }),
  description: z.string(),
  fail_reason: z.string().nullable(),
  processed_at: Time.nullable(),
  processed_by: z.int().nullable(),
  balance_after: Decimal.nullable(),
  created_at: Time,
  updated_at: Time,
})

/** The same, of a list of something else. */
export const PaymentRow = PaymentView.openapi('PaymentRow')

/** Its values. */
export const paymentJson = (payment: Payment) =>
  published(PaymentView, {
    ...shown(payment),
    contract: payment.contractId,
    amount: decimal(payment.amountMinor),
    balance_after: decimalOrNull(payment.balanceAfterMinor),
  })
