import { createMiddleware } from 'hono/factory'
import type { Surface } from '../app.ts'
import { bearer } from '../auth.ts'
import { type AppContext, arrive, type Env } from '../context.ts'
import { limitBody, limiter } from '../limit.ts'
import { admin } from './admin.ts'
import { auth, me } from './auth.ts'
import { certificates } from './certificates.ts'
import { verification } from './certificates-public.ts'
import { integrations } from './integrations.ts'
import { movements } from './points.ts'
import { qr } from './qr.ts'
import { referrals } from './referrals.ts'
import { failure, refuse } from './refusals.ts'
import { rewardRules } from './reward-rules.ts'
import { router, slowDown } from './surface.ts'

const bodyBytesMax = 1_048_576

/** What needs a token. */
const closed = [me, movements, certificates, referrals, admin, rewardRules]

/** So many requests of one address in a second (docs/contracts.md 3, "Rate Limiting"); counted once the request is known to be ours. */
function inMeasure(perSecond: number) {
  const requests = limiter(perSecond, 1)
  return createMiddleware<Env>(async (c, next) => {
    slowDown(c, requests.take(c.env.address))
    await next()
  })
}

/** The loyalty surface: points, certificates, referrals (docs/contracts.md 3). */
export function loyalty(ground: AppContext): Surface {
  const app = router()
  app.onError(failure)
  app.use(arrive(ground))
  // Before the limits of clients: a provider takes 429 for a failure, and limits itself what it forges.
  app.route('/api', integrations(ground.config))
  app.use(inMeasure(ground.config.loyalty.requestsPerSecond), limitBody(bodyBytesMax))
  app.route('/api', auth(ground.config))
  app.route('/api', verification(ground.config.loyalty))
  app.route('/', qr(ground.config.loyalty))
  // Registered after the open routes: everything below needs a token, without having to say so.
  app.use(bearer('loyalty'))
  for (const part of closed) app.route('/api', part)
  return { name: 'loyalty', app, refuse }
}
