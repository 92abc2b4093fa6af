import type { Surface } from '../app.ts'
import { bearer } from '../auth.ts'
import type { Ground } from '../context.ts'
import { arrive } from '../context.ts'
import { limitBody } from '../limit.ts'
import { adminUsers } from './admin-users.ts'
import { auth } from './auth.ts'
import { orgUnits } from './org-units.ts'
import { profile } from './profile.ts'
import { failure, refuse } from './refusals.ts'
import { router } from './surface.ts'

const bodyBytesMax = 1_048_576

/** The power-bank rental surface (seed 003; api-contracts 4). */
export function powerbank(ground: Ground): Surface {
  const app = router()
  app.onError(failure)
  app.use(arrive(ground), limitBody(bodyBytesMax))
  app.route('/api', auth(ground.config))
  // Registered after the open routes: everything below needs a token, without having to say so.
  app.use(bearer('powerbank'))
  for (const part of [profile, adminUsers, orgUnits]) app.route('/api', part)
  return { name: 'powerbank', app, refuse }
}
