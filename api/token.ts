import { jwtVerify, SignJWT } from 'jose'

const issuer = 'voltbay'
const algorithm = 'HS256'
const secondMs = 1_000

/** What a token says: who, and which session's row can end it early. */
export interface Claims {
  userId: number
  sessionId: string
}

const keys = new Map<string, Uint8Array>()
/** One process has one secret; the map spares encoding it again for every request. */
function keyOf(secret: string): Uint8Array {
  const key = keys.get(secret) ?? new TextEncoder().encode(secret)
  keys.set(secret, key)
  return key
}

/** What a refresh token says more: which of the session's refresh tokens it is. Only the last one is good. */
export interface RefreshClaims extends Claims {
  jti: string
}

const sealed = (type: 'access' | 'refresh', { userId, sessionId }: Claims, more: object, until: Date, secret: string) =>
  new SignJWT({ sid: sessionId, type, ...more })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .setSubject(String(userId))
    .setIssuer(issuer)
    .setIssuedAt()
    .setExpirationTime(until)
    .sign(keyOf(secret))

/** An access token for a session of `surface` (docs/contracts.md C6). `expiresAt` is the session's own end, or sooner. */
export const sign = (claims: Claims, { surface, expiresAt }: { surface: string; expiresAt: Date }, secret: string) =>
  sealed('access', claims, { surface }, expiresAt, secret)

/** A refresh token. Nothing but `verifyRefresh` takes it. */
export const signRefresh = ({ jti, ...claims }: RefreshClaims, expiresAt: Date, secret: string) =>
  sealed('refresh', claims, { jti }, expiresAt, secret)

/** What a token of this type says that is ours, whole and not expired; else null. The algorithm is never its choice. */
async function opened(type: 'access' | 'refresh', token: string, secret: string) {
  try {
    const { payload } = await jwtVerify(token, keyOf(secret), {
      algorithms: [algorithm],
      issuer,
      requiredClaims: ['sub', 'sid', 'exp'],
    })
    const userId = Number(payload.sub)
    if (payload.type !== type || typeof payload.sid !== 'string' || !Number.isSafeInteger(userId)) return null
    return { userId, sessionId: payload.sid, jti: payload.jti, expiresAt: new Date(payload.exp! * secondMs) }
  } catch {
    // Whatever is wrong with it, the client hears the same 401; the reason would only help a forger.
    return null
  }
}

/** The claims of an access token that is ours, whole and not expired; else null. */
export async function verify(token: string, secret: string): Promise<Claims | null> {
  const claims = await verifyLasting(token, secret)
  return claims && { userId: claims.userId, sessionId: claims.sessionId }
}

/** The same, and when it expires: for what goes on after the request. */
export async function verifyLasting(token: string, secret: string): Promise<(Claims & { expiresAt: Date }) | null> {
  const claims = await opened('access', token, secret)
  return claims && { userId: claims.userId, sessionId: claims.sessionId, expiresAt: claims.expiresAt }
}

/** The same of a refresh token. */
export async function verifyRefresh(token: string, secret: string): Promise<RefreshClaims | null> {
  const claims = await opened('refresh', token, secret)
  return claims?.jti ? { ...claims, jti: claims.jti } : null
}
