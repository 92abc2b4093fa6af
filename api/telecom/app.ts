import type { Surface } from '../app.ts'
import type { AppContext } from '../context.ts'
import { limitBody } from '../limit.ts'
import { auth } from './auth.ts'
import { contractActs, contracts } from './contracts.ts'
import { customerActs, customers } from './customers.ts'
import { invoices } from './invoices.ts'
import { paymentActs, payments } from './payments.ts'
import { simActs, sims } from './sims.ts'
import { app } from './surface.ts'
import { tariffActs, tariffs } from './tariffs.ts'
import { ticketActs, ticketClocks, ticketLists, tickets } from './tickets.ts'

const bodyBytesMax = 1_048_576

/** The surface of the telecom CRM (docs/contracts.md 5). */
export const telecom = (ground: AppContext): Surface => {
  const { config } = ground
  return {
    ...app(ground, {
      limits: [limitBody(bodyBytesMax)],
      open: [auth(config)],
      closed: [
        ...[customers, customerActs, sims(config), simActs, tariffs, tariffActs],
        ...[
          contracts(config),
          contractActs(config),
          invoices(),
          payments,
          paymentActs,
          ticketLists,
          tickets(config),
          ticketActs,
          ticketClocks(config),
        ],
      ],
    }),
    endsInSlash: true,
  }
}
