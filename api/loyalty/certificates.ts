import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/loyalty/certificates.ts'
import * as changes from '../../db/loyalty/certificates-changes.ts'
import { Refused } from '../../db/loyalty/refused.ts'
import { may } from '../auth.ts'
import { IdempotencyKey, idempotencyOf } from '../idempotency.ts'
import { Amount, toUnits, Units } from '../money.ts'
import { Email } from '../user-fields.ts'
import { Certificate, Code, spellCertificate } from './certificate-view.ts'
import { misshapen, missing } from './refusals.ts'
import { idBody, idParam, json, jsonBody, no, router, textOrNull } from './surface.ts'

const tags = ['Лояльность: сертификаты']
const path = '/certificates'
const messageCharactersMax = 1_000
const designCharactersMax = 100
const documentCharactersMax = 100

const yearMin = 1
const yearMax = 9_999

/** An instant; without a zone it is UTC, without a time midnight. */
const Instant = z
  .union([z.iso.datetime({ offset: true, local: true }), z.iso.date()], 'ожидаются дата и время ISO 8601')
  .transform((text) => new Date(/T.*(?:Z|[+-]\d\d:\d\d)$/.test(text) || !text.includes('T') ? text : `${text}Z`))
  // Its zone can carry an instant beyond the years that can be written.
  .refine((at) => at.getUTCFullYear() >= yearMin && at.getUTCFullYear() <= yearMax, 'ожидаются дата и время ISO 8601')
  .openapi({ type: 'string', format: 'date-time', example: '2026-12-31T23:59:59Z' })
const orNull = (text: string | null | undefined) => text || null

/** A verb's answer, unless the certificate's time was over: then that has just been written down. */
function unlessLapsed<T>(done: T | null): T {
  if (done === null) throw new Refused('conflict', '', { reason: 'certificate_expired' })
  return done
}

/** Gift certificates of people who are logged in (docs/contracts.md 3.3). */
export const certificates = router()

certificates.openapi(
  createRoute({
    method: 'post',
    path: `${path}/create`,
    tags,
    summary: 'Создание сертификата',
    description: 'Без `valid_until` действует 365 дней.',
    middleware: [may(...verbs.staffRoles)],
    request: {
      headers: IdempotencyKey,
      body: jsonBody(
        z
          .object({
            initial_amount: Amount,
            valid_until: Instant.nullish(),
            owner_id: idBody.nullish(),
            message: textOrNull(messageCharactersMax),
            design_template: textOrNull(designCharactersMax),
          })
          .openapi('NewCertificate', {
            example: {
              initial_amount: 5000,
              valid_until: '2036-12-31T23:59:59Z',
              owner_id: 1,
              message: 'С днем рождения!',
              design_template: 'birthday',
            },
          }),
      ),
    },
    responses: { 201: { description: 'Сертификат', ...json(Certificate) }, ...no(400, 401, 403, 404, 422) },
  }),
  async (c) => {
    const body = c.req.valid('json')
    const given = {
      initialAmount: body.initial_amount,
      validUntil: body.valid_until ?? null,
      ownerId: body.owner_id ?? null,
      message: orNull(body.message),
      designTemplate: orNull(body.design_template),
    }
    const key = idempotencyOf(c, body)
    const made = await c.var.db.transaction((tx) => changes.create(tx, c.var.actor, given, key))
    return c.json(spellCertificate(c, made), 201)
  },
)

certificates.openapi(
  createRoute({
    method: 'get',
    path: `${path}/{certificate_id}`,
    tags,
    summary: 'Получение информации о сертификате',
    description: 'Доступно владельцу, кассиру и администратору.',
    request: { params: z.object({ certificate_id: idParam }) },
    responses: { 200: { description: 'Сертификат', ...json(Certificate) }, ...no(401, 403, 404, 422) },
  }),
  async (c) => {
    const { certificate_id: id } = c.req.valid('param')
    return c.json(spellCertificate(c, await verbs.get(c.var.db.sql, c.var.actor, id)), 200)
  },
)

certificates.openapi(
  createRoute({
    method: 'post',
    path: `${path}/transfer`,
    tags,
    summary: 'Передача сертификата',
    description:
      'Владельцем, кассиром или администратором; только действующего. Вместо `certificate_id` можно назвать `code`, вместо `to_user_email` — `recipient_email`.',
    request: {
      body: jsonBody(
        z
          .object({
            certificate_id: idBody.optional(),
            code: Code.optional(),
            to_user_email: Email.optional(),
            recipient_email: Email.optional(),
            message: textOrNull(messageCharactersMax),
          })
          .openapi('CertificateTransfer', {
            example: { certificate_id: 1, to_user_email: 'friend@example.com', message: 'Это для тебя!' },
          }),
      ),
    },
    responses: {
      200: {
        description: 'Передан',
        ...json(z.object({ message: z.string(), recipient_email: z.string() }).openapi('CertificateTransferred')),
      },
      ...no(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { certificate_id: id, code, to_user_email, recipient_email, message } = c.req.valid('json')
    const email = to_user_email ?? recipient_email
    const which = id !== undefined ? { id } : code !== undefined ? { code } : null
    if (which === null) throw misshapen(missing('body', 'certificate_id'))
    if (email === undefined) throw misshapen(missing('body', 'to_user_email'))
    const given = { email, message: orNull(message) }
    const done = unlessLapsed(await c.var.db.transaction((tx) => changes.transfer(tx, c.var.actor, which, given)))
    return c.json({ message: 'Сертификат успешно передан', recipient_email: done.email }, 200)
  },
)

certificates.openapi(
  createRoute({
    method: 'post',
    path: `${path}/redeem`,
    tags,
    summary: 'Использование сертификата',
    description:
      'Можно частями. Тот же `onec_document_id` ещё раз вернёт первый результат; с другой суммой — 400. Списавший — тот, чей токен; `cashier_id` только записывается.',
    middleware: [may(...verbs.staffRoles)],
    request: {
      body: jsonBody(
        z
          .object({
            code: Code,
            amount: Amount,
            cashier_id: idBody.nullish(),
            onec_document_id: textOrNull(documentCharactersMax),
            notes: textOrNull(messageCharactersMax),
          })
          .openapi('CertificateRedemption', {
            example: {
              code: 'CERT-A1B2C3D4E5F60718',
              amount: 1500,
              cashier_id: 2,
              onec_document_id: 'DOC-12345',
              notes: 'Оплата консультации',
            },
          }),
      ),
    },
    responses: {
      200: {
        description: 'Списано',
        ...json(
          z
            .object({
              success: z.literal(true),
              certificate_id: z.int(),
              amount_used: Units,
              remaining_amount: Units,
              message: z.string(),
            })
            .openapi('CertificateRedeemed'),
        ),
      },
      ...no(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const body = c.req.valid('json')
    const given = {
      code: body.code,
      amount: body.amount,
      documentId: orNull(body.onec_document_id),
      notes: orNull(body.notes),
      cashierId: body.cashier_id ?? null,
    }
    const done = unlessLapsed(await c.var.db.transaction((tx) => changes.redeem(tx, c.var.actor, given)))
    const answer = {
      success: true as const,
      certificate_id: done.certificateId,
      amount_used: toUnits(done.amount),
      remaining_amount: toUnits(done.remaining),
      message: 'Сертификат успешно использован',
    }
    return c.json(answer, 200)
  },
)

certificates.openapi(
  createRoute({
    method: 'post',
    path: `${path}/{certificate_id}/cancel`,
    tags,
    summary: 'Отмена сертификата',
    description: 'Дополнение к документу. Остаток больше использовать нельзя; отмена не отменяется.',
    middleware: [may(...verbs.staffRoles)],
    request: { params: z.object({ certificate_id: idParam }) },
    responses: { 200: { description: 'Отменён', ...json(Certificate) }, ...no(400, 401, 403, 404, 422) },
  }),
  async (c) => {
    const { certificate_id: id } = c.req.valid('param')
    const done = unlessLapsed(await c.var.db.transaction((tx) => changes.cancel(tx, c.var.actor, id)))
    return c.json(spellCertificate(c, done), 200)
  },
)
