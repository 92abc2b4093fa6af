import { type ApiRouter, apiRouter, type Surface } from './app.ts'
import type { AppContext } from './context.ts'
import { getpro } from './getpro/app.ts'
import { loyalty } from './loyalty/app.ts'
import { site } from './pages.ts'
import { paygo } from './paygo/app.ts'
import { powerbank } from './powerbank/app.ts'
import type { SocketRoute } from './socket-holders.ts'
import { telecom } from './telecom/app.ts'

/** The contracts this house serves. A new one is a line here. */
const contracts: ((ground: AppContext) => Surface)[] = [powerbank, loyalty, paygo, getpro, telecom]

/** The whole API on a ground: every surface, and the site's own pages about them. */
export function api(ground: AppContext): ApiRouter & { sockets: SocketRoute[] } {
  const served = contracts.map((contract) => contract(ground))
  const sockets = served.flatMap((surface) => surface.sockets ?? [])
  return { ...apiRouter(ground, [site(ground, served), ...served]), sockets }
}
