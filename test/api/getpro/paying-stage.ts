import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll } from 'vitest'
import type { ApiConfig } from '../../../api/config.ts'
import * as accounts from '../../../db/getpro/accounts.ts'
import * as methods from '../../../db/getpro/methods.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import type { ProviderName, Simulator } from '../../../simulators/provider/provider-simulator.ts'
import { simulate } from '../../../simulators/provider/provider-simulator.ts'
import { credentials, limits } from '../providers/simulated.ts'
import { config } from '../server.ts'
import { merchantId, notices, plan } from './stage.ts'

const firstSecret = 'secret word 1'
const particulars = { merchantId, firstSecret, scheme: 'md5' as const, telegramId: 123_456, panelVersion: '3' as const }
const names = ['yookassa', 'cryptopay', 'freekassa', 'tribute', 'stars'] as const

/** Whoever lets everybody pay Stars, and hears nothing of what was paid. */
async function deafBot(): Promise<string> {
  const server = createServer(async (request, response) => {
    const id = JSON.parse(await text(request)).pre_checkout_query?.id
    response.end(
      id === undefined ? '' : JSON.stringify({ method: 'answerPreCheckoutQuery', pre_checkout_query_id: id, ok: true }),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  afterAll(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** Every provider that is paid at, on this machine until the file ends; none tells anybody anything by itself. */
export async function providers(): Promise<Record<(typeof names)[number], Simulator>> {
  const bot = { url: await deafBot(), secret: 'secret', retryMs: [], lateMs: 0, allowRemote: false }
  const open = await Promise.all(
    names.map((name) => {
      const settings = { ...particulars, needsReceipts: false, port: 0, credential: credentials[name] }
      return simulate(name, settings, name === 'stars' ? bot : null)
    }),
  )
  afterAll(() => Promise.all(open.map((one) => one.close())))
  return Object.fromEntries(names.map((name, at) => [name, open[at]!])) as Record<(typeof names)[number], Simulator>
}

/** Settings of a house that is paid there. */
export function payingAt(
  there: Record<(typeof names)[number], Simulator>,
  change: object = {},
): ApiConfig['providers'] {
  const at = (name: ProviderName & keyof typeof there) => ({ ...limits, url: there[name].url })
  const [shopId = '', secretKey = ''] = credentials.yookassa.split(':')
  const payments: ApiConfig['providers']['payments'] = {
    ...config.providers.payments,
    timeoutSeconds: limits.timeoutSeconds,
    yookassa: { ...at('yookassa'), shopId, secretKey, receipts: null },
    cryptopay: { ...at('cryptopay'), token: credentials.cryptopay, currencyType: 'fiat', currency: 'RUB' },
    freekassa: {
      ...at('freekassa'),
      ...{ payUrl: there.freekassa.url, merchantId, firstSecret, apiKey: credentials.freekassa },
      payerAddress: '177.7.34.106',
    },
    tribute: { ...at('tribute'), apiKey: credentials.tribute },
    telegram: { ...at('stars'), token: credentials.stars },
    ...change,
  }
  return { ...config.providers, payments, notices: notices({ yookassa: { ...notices().yookassa!, shopId } }) }
}

/** Somebody with a subscription of a month that is over soon, and a method that was saved at YooKassa. */
export async function subscriber(db: Db, providerMethodId: string) {
  const planId = await plan(db)
  return await db.transaction(async (tx) => {
    const account = await accounts.register(tx, null, { telegramId: 800_000_000 + planId })
    const method = { providerMethodId, methodType: 'bank_card', title: null, cardLast4: '4444', cardNetwork: null }
    await methods.keep(tx, account.id, 'yookassa', method)
    const given = { key: 'first', period: 'payment' as const, kind: 'regular' as const, planId, autoRenews: true }
    const by = { months: 1, days: 0 }
    const made = await subscriptions.change(tx, null, account.id, { ...given, by }, 'Europe/Moscow')
    return { account, subscription: made!.subscription }
  })
}

/** Somebody opens the link and pays; where their browser is sent then is not followed out of the provider's. */
export async function payAt(confirmationUrl: string): Promise<string | null> {
  const { origin } = new URL(confirmationUrl)
  let next: string | null = confirmationUrl
  while (next?.startsWith(origin)) next = (await fetch(next, { redirect: 'manual' })).headers.get('location')
  return next
}
