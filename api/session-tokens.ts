import { createHash, createHmac, randomUUID } from 'node:crypto'
import * as identity from '../db/identity/identity.ts'
import type { Surface } from '../db/identity/words.ts'
import type { Queryable, Tx } from '../db/postgres/connect.ts'
import type { ApiConfig } from './config.ts'
import { type Claims, sign, signRefresh, verifyRefresh } from './token.ts'

const minuteMs = 60_000
const secondMs = 1_000

/** Both tokens of a session. */
export interface TokenPair {
  accessToken: string
  refreshToken: string
  /** How long the access token lasts. */
  expiresInSeconds: number
}

/** How a surface's sessions last. */
export interface Lasting {
  surface: Surface
  config: ApiConfig
  /** How long a refresh token is good that nobody uses. */
  hours: number
}

/** Where a session comes from. */
export interface Origin extends Lasting {
  ip: string
  userAgent: string | undefined
  /** It was no password that let them in. */
  isWithoutPassword?: boolean
}

const hashOf = (jti: string) => createHash('sha256').update(jti).digest('hex')

/**
 * What a refresh token is traded for is settled by the token, under our key: two tabs that come with the same one are
 * given the same, and nobody else can tell the next one from it.
 */
const successor = (jti: string, secret: string) =>
  createHmac('sha256', secret).update(`after the refresh token ${jti}`).digest('base64url')

async function signed(claims: Claims, jti: string, expiresAt: Date, { surface, config }: Lasting): Promise<TokenPair> {
  const now = Date.now()
  const soon = new Date(now + config.accessMinutes * minuteMs)
  const until = soon < expiresAt ? soon : expiresAt
  const [accessToken, refreshToken] = await Promise.all([
    sign(claims, { surface, expiresAt: until }, config.jwtSecret),
    signRefresh({ ...claims, jti }, expiresAt, config.jwtSecret),
  ])
  return { accessToken, refreshToken, expiresInSeconds: Math.round((until.getTime() - now) / secondMs) }
}

/**
 * Opens a session, in the transaction of the login; signs its tokens, after it.
 * @throws Refused unauthenticated (not active any more)
 */
export async function open(tx: Tx, userId: number, origin: Origin): Promise<() => Promise<TokenPair>> {
  const { surface, hours, ip, userAgent = null, isWithoutPassword = false } = origin
  const jti = randomUUID()
  const login = { surface, hours, ip, userAgent, refreshHash: hashOf(jti), isWithoutPassword }
  const { sessionId, expiresAt } = await identity.login(tx, userId, login)
  return () => signed({ userId, sessionId }, jti, expiresAt, origin)
}

/** What became of a refresh token: new tokens, or why not. */
export type Renewed = { userId: number; tokens: TokenPair } | { reused: string } | null

/** Trades a refresh token for new ones; null when it is none of ours or none any more. */
export async function renew(
  token: string,
  lasting: Lasting,
  transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>,
): Promise<Renewed> {
  const { config, hours } = lasting
  const claims = await verifyRefresh(token, config.jwtSecret)
  if (!claims) return null
  const { jti, ...of } = claims
  const chain = [jti]
  while (chain.length <= identity.TRADES_MAX) chain.push(successor(chain.at(-1)!, config.jwtSecret))
  const given = { ...of, hashes: chain.map(hashOf), hours, graceSeconds: config.refreshGraceSeconds }
  const renewed = await transaction((tx) => identity.refresh(tx, given))
  if (renewed === 'reused') return { reused: of.sessionId }
  if (!renewed) return null
  return { userId: of.userId, tokens: await signed(of, chain[renewed.steps]!, renewed.expiresAt, lasting) }
}

/** A new access token for a refresh token that stays good; null when it is none of this surface's, or none any more. */
export async function reissue(q: Queryable, token: string, { surface, config }: Lasting): Promise<string | null> {
  const claims = await verifyRefresh(token, config.jwtSecret)
  if (!claims) return null
  const { jti, ...of } = claims
  const expiresAt = await identity.standing(q, { ...of, surface, refreshHash: hashOf(jti) })
  if (!expiresAt) return null
  const soon = new Date(Date.now() + config.accessMinutes * minuteMs)
  return await sign(of, { surface, expiresAt: soon < expiresAt ? soon : expiresAt }, config.jwtSecret)
}
