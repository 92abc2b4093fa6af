import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/getpro/promo-codes.ts'
import type { ApiConfig } from '../config.ts'
import { Bound, period } from '../instants.ts'
import { cameled } from '../names.ts'
import { published, resource } from '../resource.ts'
import { admins, people, reached } from './rights.ts'
import { Subscription, subscription } from './subscription-view.ts'
import { dialect, idBody, json, jsonBody, no, ok, router, shown, success, Time } from './surface.ts'

const tag = '2GETPRO: промокоды'
const daysMax = 3_650
const activationsMax = 1_000_000
const Code = z
  .string()
  .trim()
  .regex(/^[A-Za-zА-Яа-яЁё0-9_-]{3,40}$/, 'ожидаются 3–40 букв, цифр, «-» и «_»')
const fields = {
  code: Code,
  bonus_days: z.int().min(1).max(daysMax),
  activations_max: z.int().min(1).max(activationsMax),
}
const View = z.object({
  id: z.int(),
  ...fields,
  activations: z.int(),
  valid_until: Time.nullable(),
  is_active: z.boolean(),
  created_at: Time,
})
/** As it is shown. */
export const promoCode = (code: verbs.PromoCode) => published(View, shown(code))
const example = { code: 'SUMMER', bonus_days: 7, activations_max: 100, valid_until: '2036-12-31T23:59:59Z' }

const applyRoute = createRoute({
  method: 'post',
  path: '/promo-codes/apply',
  tags: [tag],
  summary: 'Применить промокод',
  description: 'Продлевает подписку на его дни; раз на пользователя. Без `user_id` — себе.',
  middleware: [people],
  request: {
    body: jsonBody(
      z.object({ user_id: idBody.optional(), code: Code }).openapi('GetproPromoCodeUse', {
        example: { user_id: 1, code: 'SUMMER' },
      }),
    ),
  },
  responses: { 200: { description: 'Применён', ...json(ok(Subscription)) }, ...no(401, 403, 404, 409, 422) },
})

/** Codes that give days (docs/contracts.md 2). */
export function promoCodes({ timeZone }: ApiConfig) {
  const app = router()
  resource(app, dialect, {
    path: '/promo-codes',
    id: 'id',
    name: 'GetproPromoCode',
    tag,
    words: {
      list: { summary: 'Промокоды, сначала новые' },
      create: { summary: 'Новый промокод; хранится прописными буквами', done: 'Промокод создан', body: example },
    },
    verbs: { list: verbs.list, create: verbs.create },
    readers: admins,
    writers: admins,
    view: View,
    toJson: (code) => shown(code),
    body: z.object({ ...fields, valid_until: Bound.nullish() }),
    fromJson: ({ valid_until: until, ...given }) => ({
      ...cameled(given),
      validUntil: until ? period(undefined, until, timeZone).before : null,
    }),
  })

  app.openapi(applyRoute, async (c) => {
    const { user_id: userId, code } = c.req.valid('json')
    const { id: accountId } = await reached(c, userId)
    const { db, actor } = c.var
    const given = { accountId, code }
    const made = await db.transaction((tx) => verbs.apply(tx, actor, given, timeZone))
    return c.json(success('Промокод применён', subscription(made)), 200)
  })

  return app
}
