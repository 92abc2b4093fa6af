import { z } from '@hono/zod-openapi'
import type * as limits from '../../../db/powerbank/limits.ts'

/** How many power banks somebody may hold (docs/contracts.md 4.8). */
export const Limit = z
  .object({
    user_id: z.int(),
    individual_limit: z.int().nullable(),
    group_default_limit: z.int().nullable(),
    group_name: z.string().nullable(),
    effective_limit: z.int().nullable().openapi({ description: 'null: без ограничения (сотрудники)' }),
    limit_type: z.enum(['individual', 'group', 'no_group', 'role_exempt']),
    active_count: z.int(),
  })
  .openapi('PowerbankLimit')

/** The value of `Limit`. */
export const spellLimit = (limit: limits.Limit): z.infer<typeof Limit> => ({
  user_id: limit.userId,
  individual_limit: limit.individualLimit,
  group_default_limit: limit.groupDefaultLimit,
  group_name: limit.groupName,
  effective_limit: limit.effectiveLimit,
  limit_type: limit.limitType,
  active_count: limit.activeCount,
})

/** How many more the user may take of `count`. */
export const allowance = (limit: limits.Limit, count: number) =>
  limit.effectiveLimit === null ? count : Math.max(0, Math.min(count, limit.effectiveLimit - limit.activeCount))
