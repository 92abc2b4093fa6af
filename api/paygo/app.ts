import type { Surface } from '../app.ts'
import type { AppContext } from '../context.ts'
import { limitBody, limitRequests } from '../limit.ts'
import { admin } from './admin.ts'
import { auth, leaving } from './auth.ts'
import { biometric, templates } from './biometric.ts'
import { cards } from './cards.ts'
import { notifications } from './notifications.ts'
import { payments } from './payments.ts'
import { notificationSocket } from './sockets/notifications.ts'
import { terminalSocket } from './sockets/terminals.ts'
import { app } from './surface.ts'
import { terminalCommands } from './terminal-commands.ts'
import { terminals } from './terminals.ts'
import { transactions } from './transactions.ts'
import { users } from './users.ts'

const base = '/api/v1'
const bodyBytesMax = 1_048_576
const minuteSeconds = 60

/** The PayGo surface: people, their cards and payments, payment terminals (docs/contracts.md 1). */
export const paygo = (ground: AppContext): Surface => ({
  ...app(ground, {
    limits: [limitRequests(ground.config.paygo.requestsPerMinute, minuteSeconds), limitBody(bodyBytesMax)],
    open: [
      [base, auth],
      [base, biometric],
    ],
    closed: [
      leaving,
      users,
      notifications,
      templates,
      cards,
      transactions,
      payments,
      terminals,
      terminalCommands,
      admin,
    ].map((part) => [base, part] as const),
  }),
  sockets: [terminalSocket, notificationSocket],
})
