import type { Surface } from '../app.ts'
import type { AppContext } from '../context.ts'
import { limitBody, limitRequests } from '../limit.ts'
import { auth, me } from './auth.ts'
import { balances } from './balance.ts'
import { inbox } from './inbox.ts'
import { notifications } from './notifications.ts'
import { panelTasks } from './panel-tasks.ts'
import { payments } from './payments.ts'
import { plans } from './plans.ts'
import { promoCodes } from './promo-codes.ts'
import { referrals } from './referrals.ts'
import { returns } from './returns.ts'
import { notificationSocket } from './sockets.ts'
import { subscriptions } from './subscriptions.ts'
import { app } from './surface.ts'
import { customers } from './users.ts'
import { webhooks } from './webhooks.ts'

const bodyBytesMax = 1_048_576
const base = '/api/getpro'

/** The surface of 2GETPRO: what payment providers and the panel tell, and its REST area (docs/contracts.md 2). */
export const getpro = (ground: AppContext): Surface => {
  const { limit } = ground.config.providers.notices
  return {
    ...app(ground, {
      // In front of all limits: a provider takes 429 for a failure.
      first: [['/', webhooks(ground)]],
      limits: [...(limit ? [limitRequests(limit.requests, limit.windowSeconds)] : []), limitBody(bodyBytesMax)],
      open: [
        [base, auth(ground.config)],
        [base, returns(ground.config)],
      ],
      closed: [
        ...[me, customers, balances, plans, subscriptions, promoCodes(ground.config), referrals, payments],
        ...[panelTasks, notifications, inbox(ground.providers)],
      ].map((part) => [base, part] as const),
    }),
    sockets: [notificationSocket],
  }
}
