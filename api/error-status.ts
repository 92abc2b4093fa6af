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

/** What an error nobody threw on purpose is to a client: a value that cannot be stored, the database away, or a bug. */
export function faultCode(error: Error): 'invalid' | 'unavailable' | 'internal' {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (unstorable.has(code)) return 'invalid'
  return away.has(code) ? 'unavailable' : 'internal'
}
