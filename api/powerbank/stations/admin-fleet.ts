import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as changes from '../../../db/powerbank/powerbank-changes.ts'
import * as powerbanks from '../../../db/powerbank/powerbanks.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import { writeOff } from '../../../db/powerbank/write-off.ts'
import type { Env } from '../../context.ts'
import { admins, assertSelf } from '../people/rights.ts'
import { failureOf, idBody, json, jsonBody, no, ok, router, Time, time, yes } from '../surface.ts'
import { Powerbank, toJson } from './powerbanks.ts'

const tags = ['Административные функции']
const bulkMax = 500
const textCharactersMax = 500
const Text = z.string().trim().max(textCharactersMax)

/** Taking power banks into service and out of it (docs/contracts.md 4.2). */
export const adminFleet = router()

adminFleet.openapi(
  createRoute({
    method: 'post',
    path: '/admin/deactivate-powerbank',
    tags,
    summary: 'Деактивация повербанка',
    description:
      'Списывает и убирает из станции; причина broken или lost попадает в write_off_reason, любая другая — other и в журнал. Пока повербанк выдан — 400.',
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({ powerbank_id: idBody, admin_user_id: idBody.nullish(), reason: Text.nullish() })
          .openapi('DeactivatePowerbank', {
            example: { powerbank_id: 123, admin_user_id: 1, reason: 'admin_deactivated' },
          }),
      ),
    },
    responses: {
      200: {
        description: 'Списан',
        ...json(
          ok({ powerbank_id: z.int(), admin_user_id: z.int(), deactivated_at: Time, data: Powerbank }).openapi(
            'PowerbankDeactivated',
          ),
        ),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { powerbank_id: id, admin_user_id, reason } = c.req.valid('json')
    assertSelf(c.var.actor, admin_user_id)
    const bank = await c.var.db.transaction((tx) => changes.deactivate(tx, c.var.actor, id, reason ?? null))
    return c.json(
      yes({
        message: 'Повербанк деактивирован',
        powerbank_id: id,
        admin_user_id: c.var.actor.userId,
        deactivated_at: time(bank.updatedAt),
        data: toJson(bank),
      }),
      200,
    )
  },
)

const Outcome = z
  .object({
    powerbank_id: z.int(),
    success: z.boolean(),
    message: z.string().optional(),
    error: z.string().optional(),
    status: z.string().optional().openapi({ description: 'Статус повербанка' }),
  })
  .openapi('BulkActivation')

/** One of many: what is refused is told, and stops nobody else. */
async function activateOne(c: Context<Env>, id: number, orgUnitId: number | null): Promise<z.infer<typeof Outcome>> {
  try {
    const { bank } = await c.var.db.transaction((tx) => powerbanks.activate(tx, c.var.actor, { id, orgUnitId }))
    return { powerbank_id: id, success: true, message: 'Повербанк активирован', status: bank.status }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const { words, about } = failureOf(error)
    const status = about.status === undefined ? {} : { status: String(about.status) }
    return { powerbank_id: id, success: false, error: words, ...status }
  }
}

adminFleet.openapi(
  createRoute({
    method: 'post',
    path: '/admin/bulk-activate-powerbanks',
    tags,
    summary: 'Массовая активация повербанков',
    description: `Каждый сам по себе, до ${bulkMax} за раз; повтор в списке считается один раз. Ответ 200 и тогда, когда не удалось ни с одним.`,
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({
            powerbank_ids: z.array(idBody).min(1, 'список пуст').max(bulkMax, `не больше ${bulkMax}`),
            admin_user_id: idBody.nullish(),
            target_org_unit_id: idBody.nullish(),
          })
          .openapi('BulkActivate', {
            example: { powerbank_ids: [123, 124, 125], admin_user_id: 1, target_org_unit_id: 1 },
          }),
      ),
    },
    responses: {
      200: {
        description: 'Результат по каждому',
        ...json(
          ok({ success_count: z.int(), error_count: z.int(), results: z.array(Outcome) }).openapi('BulkActivated'),
        ),
      },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { powerbank_ids: ids, admin_user_id, target_org_unit_id } = c.req.valid('json')
    assertSelf(c.var.actor, admin_user_id)
    const results: z.infer<typeof Outcome>[] = []
    // One after the other: a long list must not take every connection from the others.
    for (const id of new Set(ids)) results.push(await activateOne(c, id, target_org_unit_id ?? null))
    const done = results.filter(({ success }) => success).length
    const message = `Активировано ${done} из ${results.length}`
    return c.json(yes({ message, success_count: done, error_count: results.length - done, results }), 200)
  },
)

const WrittenOff = z
  .object({
    order_id: z.int(),
    user_id: z.int(),
    admin_user_id: z.int(),
    note: z.string().nullable(),
    ...Powerbank.shape,
  })
  .openapi('WrittenOffPowerbank')

adminFleet.openapi(
  createRoute({
    method: 'post',
    path: '/admin/write-off-powerbank',
    tags,
    summary: 'Списание повербанка как утерянного',
    description:
      'Активный заказ этого пользователя закрывается статусом force_eject, повербанк — written_off с причиной lost; примечание остаётся в журнале.',
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({ user_id: idBody, powerbank_id: idBody, admin_user_id: idBody.nullish(), note: Text.nullish() })
          .openapi('WriteOffPowerbank', {
            example: { user_id: 33, powerbank_id: 53, admin_user_id: 18, note: 'Lost by user' },
          }),
      ),
    },
    responses: {
      200: { description: 'Списан', ...json(ok({ data: WrittenOff }).openapi('PowerbankWrittenOff')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: userId, powerbank_id: powerbankId, admin_user_id, note = null } = c.req.valid('json')
    assertSelf(c.var.actor, admin_user_id)
    const { orderId, bank } = await db.transaction(async (tx) => ({
      orderId: await writeOff(tx, actor, { userId, powerbankId, note }),
      bank: (await powerbanks.find(tx, powerbankId))!,
    }))
    const data = { ...toJson(bank), order_id: orderId, user_id: userId, admin_user_id: actor.userId, note }
    return c.json(yes({ message: 'Повербанк списан как утерянный', data }), 200)
  },
)
