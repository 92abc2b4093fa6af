import { hash, timingSafeEqual } from 'node:crypto'

/**
 * The signature of an HTTP call: MD5 of its parameters but `sign` as `key=value`, sorted, joined by `|`, in lower-case hex
 * (docs/protocol.md 5.1). There is no secret in it: it proves nothing but that the line was clean.
 */
export function sign(params: Iterable<readonly [string, string]>): string {
  const pairs = [...params].filter(([key]) => key !== 'sign').map(([key, value]) => `${key}=${value}`)
  return hash('md5', pairs.sort().join('|'))
}

/** The same parameters with their signature behind them; for simulators and tests. */
export function signed(params: Record<string, string>): URLSearchParams {
  const pairs = Object.entries(params)
  return new URLSearchParams([...pairs, ['sign', sign(pairs)]])
}

/** True when a query carries one signature, and the right one. */
export function isSigned(query: URLSearchParams): boolean {
  const [given, ...more] = query.getAll('sign')
  if (given === undefined || more.length > 0 || !/^[0-9a-f]{32}$/.test(given)) return false
  return timingSafeEqual(Buffer.from(given), Buffer.from(sign(query)))
}
