import { createRoute, z } from '@hono/zod-openapi'
import * as certificates from '../../db/loyalty/certificates.ts'
import { expire } from '../../db/loyalty/certificates-changes.ts'
import { perMinute, slowDown } from '../limit.ts'
import { toUnitsText } from '../money.ts'
import { Code, PublicCertificate, spellPublic } from './certificate-view.ts'
import { reasons } from './refusals.ts'
import { json, jsonBody, no, router } from './surface.ts'

/** An amount as the document writes it: `3500`, `3500.50`. */
const roubles = (minor: number) => toUnitsText(minor).replace(/\.00$/, '')

const verifyRoute = createRoute({
  method: 'post',
  path: '/certificates/verify',
  tags: ['Лояльность: сертификаты'],
  summary: 'Проверка действительности сертификата',
  description: 'Публично. Неизвестный код — тот же ответ с `valid: false`. О владельце и поздравлении не говорит.',
  security: [],
  request: {
    body: jsonBody(
      z.object({ code: Code }).openapi('CertificateCheck', { example: { code: 'CERT-A1B2C3D4E5F60718' } }),
    ),
  },
  responses: {
    200: {
      description: 'Что с ним',
      ...json(
        z
          .object({
            valid: z.boolean(),
            certificate: PublicCertificate.nullable(),
            message: z.string().openapi({ example: 'Сертификат действителен. Доступно: 3500 руб.' }),
          })
          .openapi('CertificateVerified'),
      ),
    },
    ...no(422),
  },
})

/** Is this code worth something? Anybody may ask, not often (docs/contracts.md 3.3). */
export function verification({ verificationsPerMinute }: { verificationsPerMinute: number }) {
  const questions = perMinute(verificationsPerMinute)
  const app = router()
  app.openapi(verifyRoute, async (c) => {
    slowDown(c, questions.take(c.env.address))
    const { db } = c.var
    const found = await certificates.look(db.sql, c.req.valid('json').code)
    if (!found) return c.json({ valid: false, certificate: null, message: reasons.certificate_unknown }, 200)
    if (found.isLapsed) await db.transaction((tx) => expire(tx, found.id))
    const message =
      found.status === 'active'
        ? `Сертификат действителен. Доступно: ${roubles(found.currentAmount)} руб.`
        : reasons[`certificate_${found.status}`]
    return c.json({ valid: found.status === 'active', certificate: spellPublic(c, found), message }, 200)
  })
  return app
}
