import { type ProviderName, type Simulator, simulate } from '../provider/provider-simulator.ts'

/** Pauses until a notice that was not taken is told again. */
const retryMs = [1_000, 2_000, 5_000]
const lateMs = 2_000

/** A provider of the demo: where its API is, and what proves either side. */
export interface DemoShop {
  name: ProviderName
  port: number
  credential: string
  secret: string
}

/** Providers that live. */
export interface DemoShops {
  shops: readonly DemoShop[]
  /** Of the API that hears of them, without a path. */
  url: string
  /** Who pays in stars. */
  telegramId: number
}

/** Opens them, on this machine; each tells its notices to its webhook. */
export async function demoShops({ shops, url, telegramId }: DemoShops): Promise<{ close(): Promise<void> }> {
  const particulars = { merchantId: '0', firstSecret: '', scheme: 'md5', telegramId, panelVersion: '3' } as const
  const open: Simulator[] = []
  for (const { name, port, credential, secret } of shops) {
    const delivery = { url: `${url}/webhook/${name}`, secret, retryMs, lateMs, allowRemote: false }
    open.push(await simulate(name, { ...particulars, needsReceipts: false, port, credential }, delivery))
  }
  return { close: async () => void (await Promise.all(open.map((one) => one.close()))) }
}
