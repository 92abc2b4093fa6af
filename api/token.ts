import { jwtVerify, SignJWT } from 'jose'

const issuer = 'voltbay'
const algorithm = 'HS256'

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

/** An access token for a session of `surface` (data-model C6). `expiresAt` is the session's own end. */
export const sign = (claims: Claims, about: { surface: string; expiresAt: Date }, secret: string) =>
  new SignJWT({ sid: claims.sessionId, type: 'access', surface: about.surface })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .setSubject(String(claims.userId))
    .setIssuer(issuer)
    .setIssuedAt()
    .setExpirationTime(about.expiresAt)
    .sign(keyOf(secret))

/** The claims of a token that is ours, whole and not expired; else null. The algorithm is never the token's choice. */
export async function verify(token: string, secret: string): Promise<Claims | null> {
  try {
    const { payload } = await jwtVerify(token, keyOf(secret), {
      algorithms: [algorithm],
      issuer,
      requiredClaims: ['sub', 'sid', 'exp'],
    })
    const userId = Number(payload.sub)
    if (payload.type !== 'access' || typeof payload.sid !== 'string' || !Number.isSafeInteger(userId)) return null
    return { userId, sessionId: payload.sid }
  } catch {
    // Whatever is wrong with it, the client hears the same 401; the reason would only help a forger.
    return null
  }
}
