import type { Api, Asked, Said } from './api-server.ts'

/** Tells a notice of the provider's: what happened, and its bytes. */
export type Tell = (event: string, body: string) => Promise<{ answer: string }>

/** What one of these APIs is given. */
export interface ApiSettings {
  /** What a caller must prove itself with, as that provider has it. */
  credential: string
  tell: Tell
  /** How long a payer takes; null: nobody pays unless the page is opened. */
  payMs: number | null
}

/** An API with memory, and with payers. */
export interface ProviderApi extends Api {
  /** Somebody pays what has this id there, or does not. Resolves when that is told. */
  pay(id: string, act?: 'pay' | 'cancel'): Promise<unknown>
  /** Stops the payers. */
  close(): void
}

/** The provider's address as whoever asks sees it. */
export const hereOf = ({ headers }: Asked): string => `http://${headers.host ?? '127.0.0.1'}`

export const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : ''

const payPath = /^\/pay\/([\w-]+)$/

/**
 * The page where somebody pays: opening it pays, `?act=cancel` does not, and goes back to where the shop said.
 * @param back where to, of what has that id; undefined: there is no such thing
 */
export async function payPage(
  { path, query }: Asked,
  pay: ProviderApi['pay'],
  back: (id: string) => string | null | undefined,
): Promise<Said | null> {
  const id = payPath.exec(path)?.[1]
  if (id === undefined) return null
  const url = back(id)
  if (url === undefined) return { status: 404, body: '<h1>404</h1>' }
  await pay(id, query.get('act') === 'cancel' ? 'cancel' : 'pay')
  return url ? { status: 302, headers: { location: url } } : { status: 200, body: '<h1>Оплачено</h1>' }
}

/** Payers who pay by themselves after a while. */
export function payers(payMs: number | null, pay: (id: string) => void) {
  const waiting = new Set<NodeJS.Timeout>()
  return {
    expect(id: string) {
      if (payMs === null) return
      const one = setTimeout(() => {
        waiting.delete(one)
        pay(id)
      }, payMs)
      waiting.add(one)
    },
    close: () => waiting.forEach(clearTimeout),
  }
}
