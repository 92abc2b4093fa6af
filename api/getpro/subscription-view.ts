import { z } from '@hono/zod-openapi'
import type * as subscriptions from '../../db/getpro/subscriptions.ts'
import { subscriptionKinds } from '../../db/getpro/words.ts'
import { published } from '../resource.ts'
import { shown, Time } from './surface.ts'

/** Somebody's access, as the surface shows it. */
export const Subscription = z
  .object({
    id: z.int(),
    user_id: z.int(),
    kind: z.enum(subscriptionKinds),
    plan_id: z.int().nullable(),
    provider: z.string().nullable().openapi({ description: 'Кто продлевает её сам; null — никто, кроме нас' }),
    started_at: Time,
    ends_at: Time,
    auto_renews: z.boolean(),
    cancelled_at: Time.nullable(),
  })
  .openapi('GetproSubscription')

/** The value of `Subscription`. */
export const subscription = (one: subscriptions.Subscription) =>
  published(Subscription, { ...shown(one), user_id: one.accountId })
