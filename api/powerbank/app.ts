import { except } from 'hono/combine'
import type { Surface } from '../app.ts'
import { bearer } from '../auth.ts'
import type { Ground } from '../context.ts'
import { arrive } from '../context.ts'
import { limitBody } from '../limit.ts'
import { adminMail } from './admin-mail.ts'
import { adminPowerbanks } from './admin-powerbanks.ts'
import { adminUsers } from './admin-users.ts'
import { auth } from './auth.ts'
import { borrow } from './borrow.ts'
import { borrowLook } from './borrow-look.ts'
import { bulkImport, isLarge } from './bulk-import.ts'
import { deviceState } from './device-state.ts'
import { forceEject } from './force-eject.ts'
import { importJobs } from './import-jobs.ts'
import { keys } from './keys.ts'
import { orders } from './orders.ts'
import { orgUnits } from './org-units.ts'
import { powerbanks } from './powerbanks.ts'
import { profile } from './profile.ts'
import { quarantine } from './quarantine.ts'
import { failure, refuse } from './refusals.ts'
import { returning } from './return.ts'
import { slotReports } from './slot-reports.ts'
import { stationCommands } from './station-commands.ts'
import { stations } from './stations.ts'
import { router } from './surface.ts'
import { userOrders } from './user-orders.ts'
import { userProfile } from './user-profile.ts'
import { userRoles } from './user-roles.ts'
import { users } from './users.ts'

const bodyBytesMax = 1_048_576
const importing = [bulkImport, importJobs]
const people = [profile, userProfile, userOrders, users, userRoles, adminUsers, adminMail, orgUnits]
const fleet = [stations, keys, quarantine, powerbanks, adminPowerbanks, slotReports]
const rental = [orders, borrowLook, borrow, returning, stationCommands, deviceState, forceEject]

/** The power-bank rental surface (seed 003; api-contracts 4). */
export function powerbank(ground: Ground): Surface {
  const app = router()
  app.onError(failure)
  // A file is larger: its routes limit it themselves, once they know who sends it.
  app.use(arrive(ground), except(isLarge, limitBody(bodyBytesMax)))
  app.route('/api', auth(ground.config))
  // Registered after the open routes: everything below needs a token, without having to say so.
  app.use(bearer('powerbank'))
  for (const part of [...importing, ...people, ...fleet, ...rental]) app.route('/api', part)
  return { name: 'powerbank', app, refuse }
}
