import { except } from 'hono/combine'
import type { Surface } from '../app.ts'
import { bearer } from '../auth.ts'
import type { Ground } from '../context.ts'
import { arrive } from '../context.ts'
import { limitBody } from '../limit.ts'
import { adminFleet } from './admin-fleet.ts'
import { adminMail } from './admin-mail.ts'
import { adminPowerbanks } from './admin-powerbanks.ts'
import { adminStatistics } from './admin-statistics.ts'
import { adminUsers } from './admin-users.ts'
import { auth } from './auth.ts'
import { borrow } from './borrow.ts'
import { borrowLook } from './borrow-look.ts'
import { brokerAccess } from './broker-access.ts'
import { bulkImport, isLarge } from './bulk-import.ts'
import { deviceState } from './device-state.ts'
import { faultReports, returnDamage } from './fault-reports.ts'
import { favorites } from './favorites.ts'
import { forceEject } from './force-eject.ts'
import { importJobs } from './import-jobs.ts'
import { keys } from './keys.ts'
import { orderChanges } from './order-changes.ts'
import { orders } from './orders.ts'
import { orgUnits } from './org-units.ts'
import { powerbankChanges } from './powerbank-changes.ts'
import { powerbanks } from './powerbanks.ts'
import { profile } from './profile.ts'
import { quarantine } from './quarantine.ts'
import { failure, refuse } from './refusals.ts'
import { returning } from './return.ts'
import { slotReports } from './slot-reports.ts'
import { stationCommands } from './station-commands.ts'
import { stationPowerbanks } from './station-powerbanks.ts'
import { stations } from './stations.ts'
import { router } from './surface.ts'
import { userOrders } from './user-orders.ts'
import { userPowerbanks } from './user-powerbanks.ts'
import { userProfile } from './user-profile.ts'
import { userRoles } from './user-roles.ts'
import { userStations } from './user-stations.ts'
import { users } from './users.ts'
import { whereabouts } from './whereabouts.ts'

const bodyBytesMax = 1_048_576
const importing = [bulkImport, importJobs]
const people = [profile, userProfile, userOrders, users, userRoles, adminUsers, adminMail, orgUnits]
const fleet = [
  stations,
  keys,
  brokerAccess,
  quarantine,
  // Before the routes of one power bank: `/powerbanks/status` is no id (data-model C3).
  whereabouts,
  powerbanks,
  powerbankChanges,
  adminPowerbanks,
  adminFleet,
  adminStatistics,
  stationPowerbanks,
  slotReports,
]
const lending = [borrowLook, borrow, userStations, userPowerbanks, favorites, returning, returnDamage]
const rental = [orders, orderChanges, ...lending, stationCommands, deviceState, forceEject]

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
  app.route('/', faultReports)
  return { name: 'powerbank', app, refuse }
}
