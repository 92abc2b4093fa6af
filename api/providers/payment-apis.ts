import { type CryptopayApi, cryptopayApi } from './cryptopay-api.ts'
import { type FreekassaApi, formLink, freekassaApi, type NewOrder } from './freekassa-api.ts'
import { type PanelApi, panelApi } from './panel-api.ts'
import type { ProviderAccess } from './payment-settings.ts'
import { type TelegramApi, telegramApi } from './telegram-api.ts'
import { type TributeApi, tributeApi } from './tribute-api.ts'
import { type YookassaApi, yookassaApi } from './yookassa-api.ts'

/** Whoever can be asked; null: switched off. */
export interface PaymentApis {
  yookassa: YookassaApi | null
  cryptopay: CryptopayApi | null
  /** Null: it has no key, and is known by links only. */
  freekassa: FreekassaApi | null
  /** Where an order is paid at FreeKassa by hand; null: there is no secret word 1. */
  freekassaLink: ((order: NewOrder) => string) | null
  tribute: TributeApi | null
  telegram: TelegramApi | null
  panel: PanelApi | null
}

/** Made once for a process: the limits of open calls are counted in what this returns. */
export function paymentApis(config: ProviderAccess): PaymentApis {
  const { yookassa, cryptopay, freekassa, tribute, telegram, panel } = config
  const { apiKey = null, firstSecret = null } = freekassa ?? {}
  return {
    yookassa: yookassa && yookassaApi(yookassa),
    cryptopay: cryptopay && cryptopayApi(cryptopay),
    freekassa: freekassa && apiKey !== null ? freekassaApi({ ...freekassa, apiKey }) : null,
    freekassaLink: freekassa && firstSecret !== null ? (order) => formLink(freekassa, order) : null,
    tribute: tribute && tributeApi(tribute),
    telegram: telegram && telegramApi(telegram),
    panel: panel && panelApi(panel),
  }
}
