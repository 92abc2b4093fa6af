import { createHash, randomUUID } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import * as identity from '../../db/identity/identity.ts'
import { roles } from '../../db/identity/words.ts'
import type { Member } from '../../db/loyalty/loyalty.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import type { ApiConfig } from '../config.ts'
import { published } from '../resource.ts'
import { type Claims, sign, signRefresh, verifyRefresh } from '../token.ts'
import { shown, Time } from './surface.ts'

const surface = 'loyalty'
const hoursPerDay = 24
const minuteMs = 60_000

/** Somebody, as the surface shows them: never a hash. */
export const User = z
  .object({
    id: z.int(),
    external_id: z.string().nullable().openapi({ description: 'Идентификатор в 1С' }),
    email: z.string().nullable(),
    phone: z.string().nullable(),
    full_name: z.string(),
    role: z.enum(roles.loyalty),
    is_active: z.boolean(),
    is_verified: z.boolean(),
    created_at: Time,
  })
  .openapi('LoyaltyUser')

/** The value of `User`. */
export const user = (member: Member) => published(User, { ...shown(member), is_active: member.status === 'active' })

/** Both tokens. */
export const Tokens = z
  .object({ access_token: z.string(), refresh_token: z.string(), token_type: z.literal('bearer') })
  .openapi('LoyaltyTokens')

const hashOf = (jti: string) => createHash('sha256').update(jti).digest('hex')

async function signed(claims: Claims, jti: string, expiresAt: Date, config: ApiConfig) {
  const soon = new Date(Date.now() + config.accessMinutes * minuteMs)
  const about = { surface, expiresAt: soon < expiresAt ? soon : expiresAt }
  const [access_token, refresh_token] = await Promise.all([
    sign(claims, about, config.jwtSecret),
    signRefresh({ ...claims, jti }, expiresAt, config.jwtSecret),
  ])
  return { access_token, refresh_token, token_type: 'bearer' as const }
}

/**
 * Opens a session, in the transaction of the login; signs its tokens, after it.
 * @throws Refused unauthenticated (not active any more)
 */
export async function open(
  tx: Tx,
  userId: number,
  about: { config: ApiConfig; ip: string; userAgent: string | undefined },
) {
  const { config, ip, userAgent = null } = about
  const jti = randomUUID()
  const hours = config.refreshDays * hoursPerDay
  const login = { surface, hours, ip, userAgent, refreshHash: hashOf(jti) } as const
  const { sessionId, expiresAt } = await identity.login(tx, userId, login)
  return () => signed({ userId, sessionId }, jti, expiresAt, config)
}

/** What became of a refresh token: new tokens, or why not. */
export type Renewed = { userId: number; tokens: z.infer<typeof Tokens> } | { reused: string } | null

/** Trades a refresh token for new ones; null when it is none of ours or none any more. */
export async function renew(
  token: string,
  { config, transaction }: { config: ApiConfig; transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> },
): Promise<Renewed> {
  const claims = await verifyRefresh(token, config.jwtSecret)
  if (!claims) return null
  const { jti, ...of } = claims
  const next = randomUUID()
  const hours = config.refreshDays * hoursPerDay
  const given = { ...of, refreshHash: hashOf(jti), nextHash: hashOf(next), hours }
  const renewed = await transaction((tx) => identity.refresh(tx, given))
  if (renewed === 'reused') return { reused: of.sessionId }
  return renewed && { userId: of.userId, tokens: await signed(of, next, renewed.expiresAt, config) }
}
