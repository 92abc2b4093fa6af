import { z } from '@hono/zod-openapi'
import type { Contract } from '../../db/telecom/contracts.ts'
import { contractStatuses, suspensionReasons } from '../../db/telecom/words.ts'
import { published } from '../resource.ts'
import { Decimal, decimal } from './fields.ts'
import { shown, Time } from './surface.ts'

/** A contract as it leaves. */
export const ContractView = z.object({
  id: z.int(),
  number: z.string().openapi({ example: 'CTR-2024-000001' }),
  customer: z.int(),
  customer_name: z.string(),
  tariff: z.int(),
  tariff_name: z.string(),
  sim: z.int().nullable(),
  msisdn: z.string().nullable(),
  status: z.enum(contractStatuses),
  suspension_reason: z.enum(suspensionReasons).nullable(),
  balance: Decimal,
  total_cost: Decimal,
  signed_date: z.string().nullable(),
  activation_date: z.string().nullable(),
  termination_date: z.string().nullable(),
  next_billing_date: z.string().nullable(),
  notes: z.string(),
  created_at: Time,
  updated_at: Time,
})

/** The same, of a list of something else. */
export const ContractRow = ContractView.openapi('ContractRow')

/** Its values. */
export const contractJson = (contract: Contract) =>
  published(ContractView, {
    ...shown(contract),
    customer: contract.customerId,
    tariff: contract.tariffId,
    sim: contract.simId,
    balance: decimal(contract.balanceMinor),
    total_cost: decimal(contract.totalCostMinor),
  })
