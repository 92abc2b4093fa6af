import type { ContentfulStatusCode } from 'hono/utils/http-status'

/** PostgreSQL codes that mean: this value cannot be stored (number or year out of range, a NUL in a text). The client's mistake. */
const unstorable = new Set(['22003', '22007', '22008', '22009', '22021', '22P02', '22P05', '22001'])
/** Driver and server codes that mean: the database is away or full. It may come back within a second. */
const away = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  '53300',
  '57P01',
  '57P02',
  '57P03',
])

/** The HTTP status of an error nobody threw on purpose: 400 unstorable value, 503 database away, 500 a bug. */
export function faultStatus(error: Error): ContentfulStatusCode & (400 | 500 | 503) {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (unstorable.has(code)) return 400
  return away.has(code) ? 503 : 500
}
