import type { Queryable } from '../postgres/connect.ts'
import {
  type PaymentProvider,
  type PaymentStatus,
  paymentProviders,
  type SubscriptionKind,
  subscriptionKinds,
} from './words.ts'

/** Statuses that are counted, and those a payment has gone through to be in them: a count of these never falls. */
const reached = {
  pending: ['pending', 'waiting_for_capture', 'succeeded', 'canceled', 'failed', 'refunded'],
  succeeded: ['succeeded', 'refunded'],
  canceled: ['canceled'],
  failed: ['failed'],
  refunded: ['refunded'],
} as const satisfies Partial<Record<PaymentStatus, PaymentStatus[]>>

/** The business in numbers, for whoever watches it. */
export interface Census {
  /** How many payments ever got so far, of each provider. */
  payments: { provider: PaymentProvider; status: keyof typeof reached; count: number }[]
  /** Subscriptions that last. */
  active: { kind: SubscriptionKind; count: number }[]
}

/** Counts payments and subscriptions. */
export async function census(q: Queryable): Promise<Census> {
  const [payments, active] = await Promise.all([
    q<{ provider: PaymentProvider; status: PaymentStatus; count: number }[]>`
      select provider, status, count(*) as count from subscription_payments group by provider, status`,
    q<{ kind: SubscriptionKind; count: number }[]>`
      select kind, count(*) as count from subscriptions where ends_at > now() group by kind`,
  ])
  const count = (provider: PaymentProvider, statuses: readonly PaymentStatus[]) =>
    payments
      .filter((row) => row.provider === provider && statuses.includes(row.status))
      .reduce((sum, row) => sum + row.count, 0)
  const statuses = Object.keys(reached) as (keyof typeof reached)[]
  return {
    payments: paymentProviders.flatMap((provider) =>
      statuses.map((status) => ({ provider, status, count: count(provider, reached[status]) })),
    ),
    active: subscriptionKinds.map((kind) => ({
      kind,
      count: active.find((row) => row.kind === kind)?.count ?? 0,
    })),
  }
}
