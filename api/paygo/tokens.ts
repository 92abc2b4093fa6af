import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { roles } from '../../db/identity/words.ts'
import { type Member, member } from '../../db/paygo/people.ts'
import { Refused } from '../../db/paygo/refused.ts'
import type { ApiConfig } from '../config.ts'
import type { Env } from '../context.ts'
import type { Lasting, TokenPair } from '../session-tokens.ts'
import { users } from './surface.ts'

const hoursPerDay = 24

export const Tokens = z
  .object({
    access_token: z.string().openapi({ example: 'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9...' }),
    refresh_token: z.string().openapi({ example: 'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9...' }),
    token_type: z.literal('bearer'),
    expires_in: z.int().openapi({ description: 'Секунд до конца access_token', example: 1800 }),
  })
  .openapi('PaygoTokens')

/** The value of `Tokens`. */
export const tokens = ({ accessToken, refreshToken, expiresInSeconds }: TokenPair) => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: 'bearer' as const,
  expires_in: expiresInSeconds,
})

export const LoggedIn = z
  .object({
    ...Tokens.shape,
    user: z.object({
      id: users.shown,
      email: z.string().nullable(),
      full_name: z.string(),
      role: z.enum(roles.paygo),
    }),
  })
  .openapi('PaygoLoggedIn')

/** The value of `LoggedIn`. */
export const loggedIn = (pair: TokenPair, { id, email, fullName, role }: Member) => ({
  ...tokens(pair),
  user: { id: users.spell(id), email, full_name: fullName, role },
})

/** How this surface's sessions last. */
export const lasting = (config: ApiConfig, isRemembered = false): Lasting => ({
  surface: 'paygo',
  config,
  hours: (isRemembered ? config.refreshDays : config.paygo.refreshDays) * hoursPerDay,
})

/** Where a session comes from. */
export const originOf = (c: Context<Env>) => ({ ip: c.env.address, userAgent: c.req.header('user-agent') })

/** Somebody who is logged in. */
export async function known(c: Context<Env>, userId: number): Promise<Member> {
  const found = await member(c.var.db.sql, userId)
  if (!found) throw new Refused('unauthenticated', `user ${userId} is deleted`)
  return found
}
