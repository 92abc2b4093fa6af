import type { Surface } from '../app.ts'
import type { AppContext } from '../context.ts'
import { limitBody, limitRequests } from '../limit.ts'
import { admin } from './admin.ts'
import { auth, me } from './auth.ts'
import { certificates } from './certificates.ts'
import { verification } from './certificates-public.ts'
import { integrations } from './integrations.ts'
import { movements } from './points.ts'
import { qr } from './qr.ts'
import { referrals } from './referrals.ts'
import { rewardRules } from './reward-rules.ts'
import { app } from './surface.ts'

const bodyBytesMax = 1_048_576

/** The loyalty surface: points, certificates, referrals (docs/contracts.md 3). */
export const loyalty = (ground: AppContext): Surface =>
  app(ground, {
    // Before the limits of clients: a provider takes 429 for a failure, and limits itself what it forges.
    first: [integrations(ground.providers)],
    // docs/contracts.md 3, "Rate Limiting"
    limits: [limitRequests(ground.config.loyalty.requestsPerSecond, 1), limitBody(bodyBytesMax)],
    open: [auth(ground.config), verification(ground.config.loyalty), ['/', qr(ground.config.loyalty)]],
    closed: [me, movements, certificates, referrals, admin, rewardRules],
  })
