import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/powerbanks.ts'
import { admins, assertSelf } from '../people/rights.ts'
import { idBody, json, jsonBody, no, ok, pagingBy, router, rowsOf, Time, time, yes } from '../surface.ts'
import { Powerbank, toJson } from './powerbanks.ts'

const tags = ['Административные функции']
/** The document has no pages here, so a client that knows none gets as many as a page may hold. */
const unknownDefault = 100

/** Power banks that cabinets listed and nobody has registered (docs/contracts.md 4.2). */
export const adminPowerbanks = router()

adminPowerbanks.openapi(
  createRoute({
    method: 'get',
    path: '/admin/unknown-powerbanks',
    tags,
    summary: 'Получение списка повербанков со статусом unknown',
    description: '`count` — сколько их всего, даже если в `data` только страница.',
    middleware: admins,
    request: { query: z.object(pagingBy(unknownDefault)) },
    responses: {
      200: {
        description: 'Неизвестные повербанки, сначала давние',
        ...json(ok({ data: z.array(Powerbank), count: z.int() }).openapi('UnknownPowerbanks')),
      },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const asked = { filter: { status: 'unknown' as const }, ...rowsOf(at) }
    const { rows, total } = await verbs.list(c.var.db.sql, c.var.actor, asked, 'changed')
    return c.json(yes({ data: rows.map(toJson), count: total }), 200)
  },
)

adminPowerbanks.openapi(
  createRoute({
    method: 'post',
    path: '/admin/activate-powerbank',
    tags,
    summary: 'Активация повербанка',
    description: 'Только из статуса unknown. Без target_org_unit_id повербанк остаётся в своей группе.',
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({
            powerbank_id: idBody,
            admin_user_id: idBody.nullish(),
            target_org_unit_id: idBody.nullish(),
          })
          .openapi('ActivatePowerbank', {
            example: { powerbank_id: 123, admin_user_id: 1, target_org_unit_id: 1 },
          }),
      ),
    },
    responses: {
      200: {
        description: 'Активирован',
        ...json(
          ok({ powerbank_id: z.int(), admin_user_id: z.int(), activated_at: Time, data: Powerbank }).openapi(
            'PowerbankActivated',
          ),
        ),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { powerbank_id: id, admin_user_id, target_org_unit_id } = c.req.valid('json')
    assertSelf(actor, admin_user_id)
    const orgUnitId = target_org_unit_id ?? null
    const { bank, at } = await db.transaction((tx) => verbs.activate(tx, actor, { id, orgUnitId }))
    return c.json(
      yes({
        message: 'Повербанк активирован',
        powerbank_id: id,
        admin_user_id: actor.userId,
        activated_at: time(at),
        data: toJson(bank),
      }),
      200,
    )
  },
)
