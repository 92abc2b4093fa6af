import { createRoute, z } from '@hono/zod-openapi'
import * as rules from '../../db/loyalty/reward-rules.ts'
import { rewardTypes } from '../../db/loyalty/words.ts'
import { may } from '../auth.ts'
import { AmountOrZero, toUnits, Units } from '../money.ts'
import { published } from '../resource.ts'
import { idParam, json, jsonBody, no, router, shown, Time } from './surface.ts'

const tags = ['Лояльность: администрирование']

const Rule = z
  .object({
    id: z.int(),
    event_type: z.string().openapi({ example: 'rental' }),
    referrer_type: z.string().nullable(),
    reward_type: z.enum(rewardTypes),
    value: Units.openapi({ description: 'Баллы, рубли или проценты' }),
    is_active: z.boolean(),
    activated_at: Time,
  })
  .openapi('RewardRule')

/** The value of `Rule`. */
const rule = (one: rules.RewardRule) => published(Rule, { ...shown(one), value: toUnits(one.value) })

const Change = z
  .object({ reward_type: z.enum(rewardTypes), value: AmountOrZero, is_active: z.boolean() })
  .partial()
  .openapi('RewardRuleChange', { example: { value: 10, is_active: true } })

const middleware = may('admin')

/** What events earn: not in the document, which has no other way to switch a rule on. */
export const rewardRules = router()

rewardRules.openapi(
  createRoute({
    method: 'get',
    path: '/admin/reward-rules',
    tags,
    summary: 'Правила вознаграждений',
    middleware,
    responses: {
      200: { description: 'Все правила', ...json(z.object({ rules: z.array(Rule) }).openapi('RewardRules')) },
      ...no(401, 403),
    },
  }),
  async (c) => c.json({ rules: (await rules.list(c.var.db.sql)).map(rule) }, 200),
)

rewardRules.openapi(
  createRoute({
    method: 'put',
    path: '/admin/reward-rules/{rule_id}',
    tags,
    summary: 'Изменение правила вознаграждения',
    description:
      'Действует для событий после изменения. `rental` — завершённая аренда повербанка, изначально выключено.',
    middleware,
    request: { params: z.object({ rule_id: idParam }), body: jsonBody(Change) },
    responses: { 200: { description: 'Правило', ...json(Rule) }, ...no(400, 401, 403, 404, 422) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { reward_type: rewardType, value, is_active: isActive } = c.req.valid('json')
    const { rule_id: id } = c.req.valid('param')
    const changed = await db.transaction((tx) => rules.change(tx, actor, id, { rewardType, value, isActive }))
    return c.json(rule(changed), 200)
  },
)
