import { addressList } from '../../../api/client-ip.ts'
import type { ApiConfig } from '../../../api/config.ts'
import type { NoticeConfig } from '../../../api/providers/notice-settings.ts'
import { config, startApiServer } from '../server.ts'

export const secrets = {
  cryptopay: '12345:AAtoken',
  freekassa: 'secret_key_second',
  tribute: 'tribute-api-key',
  stars: 'stars_Secret-Token_0123456789',
  panel: 'vsmu67Kmg6R8FjIOF1WUY8LWBHie4scdEqrfsKmyf4IAf8dY3nFS0wwYHkhh6ZvQ',
}
export const merchantId = '12345'
export const shopId = '505373'
/** Where YooKassa speaks from, by its own list. */
export const yookassaNetworks =
  '185.71.76.0/27 185.71.77.0/27 77.75.153.0/25 77.75.156.11/32 77.75.156.35/32 77.75.154.128/25 2a02:5180::/32'

/** Every provider heard, with the secrets above; YooKassa is believed without being asked. */
export const notices = (change: Partial<NoticeConfig> = {}): NoticeConfig => ({
  bodyBytesMax: 262_144,
  limit: null,
  yookassa: {
    shopId,
    addressCheck: 'enforce',
    addresses: addressList(yookassaNetworks.split(' ')),
    isTestShop: true,
    isVerified: false,
  },
  cryptopay: { token: secrets.cryptopay },
  freekassa: {
    merchantId,
    scheme: 'md5',
    secret: secrets.freekassa,
    addressCheck: 'log',
    addresses: addressList(['168.119.157.136']),
    isByGet: true,
  },
  tribute: { apiKey: secrets.tribute, encoding: 'hex' },
  stars: { secrets: [secrets.stars] },
  panel: { secrets: [secrets.panel], maxAgeSeconds: null },
  ...change,
})

/** A house that hears them. */
export const heard = (change: Partial<NoticeConfig> = {}, more: Partial<ApiConfig> = {}) =>
  startApiServer({ ...more, providers: { ...config.providers, notices: notices(change), ...more.providers } })

export type House = Awaited<ReturnType<typeof heard>>

/** What comes over the wire to a webhook. */
export interface Told {
  body?: string | Buffer
  headers?: Record<string, string>
  /** Of the TCP connection. */
  peer?: string
  method?: string
  query?: string
}

/** Tells a house something, as a provider would. */
export async function tell({ fetch }: Pick<House, 'fetch'>, path: string, told: Told) {
  const { body, headers = {}, peer = '203.0.113.7', method = 'POST', query } = told
  const url = `http://localhost${path}${query ? `?${query}` : ''}`
  const bytes = body === undefined || method === 'GET' ? {} : { body: Buffer.from(body as string) }
  const incoming = { socket: { remoteAddress: peer } } as never
  const response = await fetch(new Request(url, { method, headers, ...bytes }), { incoming })
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') }
}

/** The rows of the inbox, oldest first. */
export const stored = ({ db }: Pick<House, 'db'>) => db.sql<
  {
    id: number
    provider: string
    state: string
    dedupKey: string
    repeats: number
    raw: Buffer
    result: any
    lastError: string | null
  }[]
>`
  select id, provider, state, dedup_key, repeats, raw, result, last_error from inbox order by id`
