import { nextNonce } from '../../db/getpro/open-payments.ts'
import type { PaymentProvider } from '../../db/getpro/words.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { ApiConfig } from '../config.ts'
import { cryptopayGateway } from './cryptopay-gateway.ts'
import { freekassaGateway } from './freekassa-gateway.ts'
import type { Gateway } from './gateway.ts'
import type { PaymentApis } from './payment-apis.ts'
import { starsGateway } from './stars-gateway.ts'
import { tributeGateway } from './tribute-gateway.ts'
import { yookassaGateway } from './yookassa-gateway.ts'

/** Every provider that can be paid at, as the settings have it. */
export type Gateways = Partial<Record<PaymentProvider, Gateway>>

/** What of the settings says where payments are made, and where payers come back to. */
export type PayingConfig = Pick<ApiConfig, 'providers' | 'publicUrl' | 'port'>

/** Where providers and payers reach this API: the same after a restart, for it is a part of what is told under a key. */
export const baseOf = ({ providers, publicUrl, port }: PayingConfig): string =>
  providers.payments.webhookBaseUrl ?? publicUrl ?? `http://localhost:${port}`

/** Whoever can be paid at. */
export function gatewaysOf(db: Db, config: PayingConfig, apis: PaymentApis): Gateways {
  const { payments, notices } = config.providers
  const { yookassa, cryptopay, freekassa: api, freekassaLink: link, tribute, telegram } = apis
  const base = baseOf(config)
  const returnUrlOf = (reference: string) => `${base}/api/getpro/payments/return/${reference}`
  const isTestAllowed = notices.yookassa?.isTestShop ?? false
  const ways = {
    ...{ api, link, method: payments.freekassa?.method ?? null, nextNonce: () => nextNonce(db.sql) },
    // Its support has to allow them: they are told where somebody set one on purpose.
    urlsOf: (reference: string) =>
      payments.webhookBaseUrl === null
        ? null
        : { notification: `${base}/webhook/freekassa`, back: returnUrlOf(reference) },
  }
  return {
    ...(yookassa && { yookassa: yookassaGateway(yookassa, { isTestAllowed, returnUrlOf }) }),
    // Prices are in roubles.
    ...(cryptopay && payments.cryptopay?.currency === 'RUB' && { cryptopay: cryptopayGateway(cryptopay, returnUrlOf) }),
    ...((api ?? link) && { freekassa: freekassaGateway(ways) }),
    ...(tribute && { tribute: tributeGateway(tribute, returnUrlOf) }),
    ...(telegram && { stars: starsGateway(telegram) }),
  }
}
