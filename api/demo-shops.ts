import { randomBytes } from 'node:crypto'
import type { z } from 'zod'
import { freePort } from '../db/postgres/embedded-cluster.ts'
import type { apiSettings } from './config.ts'

type Given = z.output<typeof apiSettings>

/** A provider that the demo plays on this machine: where, and what the two of them prove themselves with. */
export interface DemoShop {
  name: 'yookassa' | 'cryptopay' | 'stars'
  port: number
  /** What we say when we ask. */
  credential: string
  /** What it signs with when it tells. */
  secret: string
}

const secretBytes = 16
const numberOf = () => String(100_000 + Math.floor(Math.random() * 900_000))

/**
 * Has providers that nobody named in the settings be simulated ones, on free ports of this machine, with secrets of this run. Their
 * notices come by the same routes, with the same proofs, as real ones do; YooKassa's, which is known by its addresses, is asked.
 */
export async function demoShops<S extends Given>(given: S): Promise<{ settings: S; shops: DemoShop[] }> {
  const word = () => randomBytes(secretBytes).toString('hex')
  const at = async () => {
    const port = await freePort()
    return { port, url: `http://127.0.0.1:${port}` }
  }
  const settings: S = { ...given }
  const shops: DemoShop[] = []
  if (!given.YOOKASSA_SHOP_ID) {
    const { port, url } = await at()
    const [shopId, key] = [numberOf(), `test_${word()}`]
    Object.assign(settings, { YOOKASSA_SHOP_ID: shopId, YOOKASSA_SECRET_KEY: key, YOOKASSA_API_URL: url })
    Object.assign(settings, { YOOKASSA_IP_CHECK: 'off', YOOKASSA_VERIFY_BY_API: true })
    shops.push({ name: 'yookassa', port, credential: `${shopId}:${key}`, secret: '' })
  }
  if (!given.CRYPTOPAY_TOKEN) {
    const { port, url } = await at()
    const token = `${numberOf()}:AA${word()}`
    Object.assign(settings, { CRYPTOPAY_TOKEN: token, CRYPTOPAY_API_URL: url })
    shops.push({ name: 'cryptopay', port, credential: token, secret: token })
  }
  if (!given.TELEGRAM_BOT_TOKEN && !given.STARS_WEBHOOK_SECRET) {
    const { port, url } = await at()
    const [token, secret] = [`${numberOf()}:AA${word()}`, word()]
    Object.assign(settings, { TELEGRAM_BOT_TOKEN: token, TELEGRAM_API_URL: url, STARS_WEBHOOK_SECRET: secret })
    shops.push({ name: 'stars', port, credential: token, secret })
  }
  return { settings, shops }
}
