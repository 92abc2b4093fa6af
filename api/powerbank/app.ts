import { except } from 'hono/combine'
import type { Surface } from '../app.ts'
import type { AppContext } from '../context.ts'
import { limitBody } from '../limit.ts'
import { bulkImport, isLarge } from './import/bulk-import.ts'
import { importJobs } from './import/import-jobs.ts'
import { adminStatistics } from './lending/admin-statistics.ts'
import { borrow } from './lending/borrow.ts'
import { borrowLook } from './lending/borrow-look.ts'
import { faultReports, returnDamage } from './lending/fault-reports.ts'
import { favorites } from './lending/favorites.ts'
import { kiosks } from './lending/kiosks.ts'
import { orderChanges } from './lending/order-changes.ts'
import { orderEvents } from './lending/order-events.ts'
import { orders } from './lending/orders.ts'
import { returning } from './lending/return.ts'
import { userOrders } from './lending/user-orders.ts'
import { userPowerbanks } from './lending/user-powerbanks.ts'
import { whereabouts } from './lending/whereabouts.ts'
import { adminMail } from './people/admin-mail.ts'
import { adminUsers } from './people/admin-users.ts'
import { auth } from './people/auth.ts'
import { orgUnits } from './people/org-units.ts'
import { profile } from './people/profile.ts'
import { userProfile } from './people/user-profile.ts'
import { userRoles } from './people/user-roles.ts'
import { users } from './people/users.ts'
import { adminFleet } from './stations/admin-fleet.ts'
import { adminPowerbanks } from './stations/admin-powerbanks.ts'
import { brokerAccess } from './stations/broker-access.ts'
import { deviceState } from './stations/device-state.ts'
import { diagnosis } from './stations/diagnosis.ts'
import { forceEject } from './stations/force-eject.ts'
import { keys } from './stations/keys.ts'
import { powerbankChanges } from './stations/powerbank-changes.ts'
import { powerbanks } from './stations/powerbanks.ts'
import { quarantine } from './stations/quarantine.ts'
import { slotReports } from './stations/slot-reports.ts'
import { stationCommands } from './stations/station-commands.ts'
import { stationPowerbanks } from './stations/station-powerbanks.ts'
import { stations } from './stations/stations.ts'
import { userStations } from './stations/user-stations.ts'
import { app } from './surface.ts'

const bodyBytesMax = 1_048_576
const importing = [bulkImport, importJobs]
const people = [profile, userProfile, userOrders, users, userRoles, adminUsers, adminMail, orgUnits]
const fleet = [
  stations,
  keys,
  brokerAccess,
  quarantine,
  // Before the routes of one power bank: `/powerbanks/status` is no id (docs/contracts.md C3).
  whereabouts,
  powerbanks,
  powerbankChanges,
  adminPowerbanks,
  adminFleet,
  adminStatistics,
  stationPowerbanks,
  slotReports,
]
const lending = [borrowLook, borrow, userStations, userPowerbanks, favorites, kiosks, returning, returnDamage]
const rental = [orders, orderChanges, orderEvents, ...lending, stationCommands, deviceState, diagnosis, forceEject]

/** The power-bank rental surface (docs/contracts.md 4). */
export const powerbank = (ground: AppContext): Surface =>
  app(ground, {
    // A file is larger: its routes limit it themselves, once they know who sends it.
    limits: [except(isLarge, limitBody(bodyBytesMax))],
    open: [auth(ground.config)],
    closed: [...importing, ...people, ...fleet, ...rental, ['/', faultReports]],
  })
