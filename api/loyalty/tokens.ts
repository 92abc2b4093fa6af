import { z } from '@hono/zod-openapi'
import { roles } from '../../db/identity/words.ts'
import type { Member } from '../../db/loyalty/loyalty.ts'
import type { ApiConfig } from '../config.ts'
import { published } from '../resource.ts'
import type { TokenPair } from '../session-tokens.ts'
import { shown, Time } from './surface.ts'

const hoursPerDay = 24

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

/** A session's tokens as the surface spells them. */
export const tokens = ({ accessToken, refreshToken }: TokenPair) => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: 'bearer' as const,
})

/** How this surface's sessions last. */
export const lasting = (config: ApiConfig) => ({
  surface: 'loyalty' as const,
  config,
  hours: config.refreshDays * hoursPerDay,
})
