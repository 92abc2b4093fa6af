/** The surfaces that share `POST /api/auth/register`, `/login` and `/refresh`. */
export type LoginDialect = 'loyalty' | 'powerbank' | 'telecom'

/** The paths more than one surface may own; which one answers, the request's content says. */
export const sharedPaths: ReadonlySet<string> = new Set(['/api/auth/register', '/api/auth/login', '/api/auth/refresh'])

/** What of a request decides, and nothing else. */
export interface LoginRequest {
  /** Without its trailing slash. */
  path: string
  /** Whether it had one. */
  slash: boolean
  contentType: string
  query: URLSearchParams
  /** The body as it came. */
  body: string
}

/**
 * Whose words a request to a shared path speaks (docs/contracts.md C1). Pure. A request with the marks of two surfaces is
 * the power banks'; one with none is telecom's when its path ends in a slash, else loyalty's.
 */
export function loginDialect({ path, slash, contentType, query, body }: LoginRequest): LoginDialect {
  const has = fields(contentType, body)
  switch (path) {
    case '/api/auth/register':
      return has('phone_e164') || has('fio') ? 'powerbank' : 'loyalty'
    case '/api/auth/login':
      if (isForm(contentType)) return 'loyalty'
      if (has('phone_e164')) return 'powerbank'
      if (has('username')) return 'telecom'
      if (has('email')) return 'loyalty'
      // Only power banks know people by their phones: a slip of `phone_e164` is told in their words.
      if (has('phone')) return 'powerbank'
      break
    case '/api/auth/refresh':
      if (query.has('refresh_token')) return 'loyalty'
      if (has('refresh')) return 'telecom'
      if (has('refresh_token')) return 'loyalty'
      break
  }
  return slash ? 'telecom' : 'loyalty'
}

const isForm = (contentType: string) =>
  /^\s*(application\/x-www-form-urlencoded|multipart\/form-data)\b/i.test(contentType)

/** Which names the JSON body has. A body that cannot be read has none: the chosen surface will say what is wrong. */
function fields(contentType: string, body: string): (name: string) => boolean {
  if (isForm(contentType)) return () => false
  try {
    const value: unknown = JSON.parse(body)
    return (name) => typeof value === 'object' && value !== null && Object.hasOwn(value, name)
  } catch {
    return () => false
  }
}
