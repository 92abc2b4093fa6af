import { listen, type ProviderServer } from './api-server.ts'
import { cryptopayApi } from './cryptopay-api.ts'
import { cryptopayTeller } from './cryptopay-notices.ts'
import type { Faults } from './fault.ts'
import { freekassaApi } from './freekassa-api.ts'
import { freekassaTeller, type Scheme } from './freekassa-notices.ts'
import type { Teller } from './notice.ts'
import { panelApi } from './panel-api.ts'
import { panelTeller } from './panel-notices.ts'
import { type Delivery, type Postman, postman } from './postman.ts'
import type { ApiSettings, ProviderApi } from './provider-api.ts'
import { starsTeller } from './stars-notices.ts'
import { telegramApi } from './telegram-api.ts'
import { tributeApi } from './tribute-api.ts'
import { tributeTeller } from './tribute-notices.ts'
import { yookassaApi } from './yookassa-api.ts'
import { yookassaTeller } from './yookassa-notices.ts'

/** What only some providers have a use for. */
export interface Particulars {
  /** FreeKassa: the shop, its secret word 1, and how its notices are signed. */
  merchantId: string
  firstSecret: string
  scheme: Scheme
  /** Telegram: who pays. */
  telegramId: number
  panelVersion: '2' | '3'
  /** YooKassa: refuses payments without a receipt. */
  needsReceipts: boolean
}

/** One provider: what it tells, and its API. */
interface Provider {
  teller(particulars: Particulars): Teller
  api(settings: ApiSettings, particulars: Particulars): ProviderApi
}

/** Every provider there is, by its name in the webhooks' paths. A provider more is a line more. */
const providers = {
  yookassa: {
    teller: () => yookassaTeller,
    api: (settings, { needsReceipts }) => yookassaApi(settings, needsReceipts),
  },
  cryptopay: { teller: () => cryptopayTeller, api: cryptopayApi },
  freekassa: {
    teller: ({ merchantId, scheme }) => freekassaTeller(merchantId, scheme),
    api: (settings, { merchantId, firstSecret }) => freekassaApi(settings, merchantId, firstSecret),
  },
  tribute: { teller: () => tributeTeller, api: tributeApi },
  stars: { teller: () => starsTeller, api: (settings, { telegramId }) => telegramApi(settings, telegramId) },
  panel: { teller: () => panelTeller, api: (settings, { panelVersion }) => panelApi(settings, panelVersion) },
} satisfies Record<string, Provider>

export type ProviderName = keyof typeof providers
export const providerNames = Object.keys(providers) as ProviderName[]
export const isProvider = (name: string): name is ProviderName => Object.hasOwn(providers, name)

/** Every kind of notice that a provider tells. */
export const tellerOf = (name: ProviderName, particulars: Particulars): Teller => {
  const provider: Provider = providers[name]
  return provider.teller(particulars)
}

/** A provider that is there. */
export interface Simulator extends ProviderServer {
  pay: ProviderApi['pay']
  /** Null: it tells nobody. */
  notices: Postman | null
}

/**
 * Opens a provider on this machine: an API with memory, and notices of what happens there.
 * @param delivery null: it tells nobody
 */
export async function simulate(
  name: ProviderName,
  { port, credential, payMs = null, faults = new Map(), ...particulars }: SimulatorSettings,
  delivery: Delivery | null,
): Promise<Simulator> {
  const provider: Provider = providers[name]
  const notices = delivery && postman(provider.teller(particulars), delivery, faults)
  const tell: ApiSettings['tell'] = async (event, body) => (await notices?.tell(event, body)) ?? { answer: '' }
  const api = provider.api({ credential, tell, payMs }, particulars)
  const server = await listen(api, port, faults)
  return {
    ...server,
    pay: api.pay,
    notices,
    async close() {
      api.close()
      notices?.close()
      await server.close()
    },
  }
}

export interface SimulatorSettings extends Particulars {
  /** 0: any free one. */
  port: number
  /** What a caller proves itself with. */
  credential: string
  payMs?: number | null
  faults?: Faults
}
