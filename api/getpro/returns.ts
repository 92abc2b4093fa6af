import { createRoute, z } from '@hono/zod-openapi'
import * as openPayments from '../../db/getpro/open-payments.ts'
import * as verbs from '../../db/getpro/payments.ts'
import { Refused } from '../../db/getpro/refused.ts'
import type { ApiConfig } from '../config.ts'
import { ask } from '../providers/desk.ts'
import { no, router } from './surface.ts'

const words: Record<verbs.Payment['status'], string> = {
  pending:
    'Оплата ещё не подтверждена. Если вы заплатили, она будет зачтена сама, как только её подтвердит платёжный сервис.',
  waiting_for_capture: 'Оплата принята и ждёт подтверждения.',
  succeeded: 'Оплачено. Спасибо!',
  refunded: 'Оплата возвращена.',
  canceled: 'Платёж отменён, деньги не списаны.',
  failed: 'Платёж не состоялся, деньги не списаны.',
}

const returnRoute = createRoute({
  method: 'get',
  path: '/payments/return/{reference}',
  tags: ['2GETPRO: платежи'],
  summary: 'Плательщик вернулся от провайдера',
  description:
    'Сам по себе возврат ничего не значит: провайдера спрашивают, и решает его ответ. С `PAYMENTS_RETURN_URL` ведёт дальше туда, с `payment_id` и `status`.',
  security: [],
  request: { params: z.object({ reference: z.uuid() }) },
  responses: {
    200: { description: 'Как стоит платёж, словами', content: { 'text/plain': { schema: z.string() } } },
    303: { description: 'Дальше, на страницу магазина' },
    ...no(404, 422),
  },
})

/** Where payers come back to; nobody logs in, the reference is a secret of theirs (docs/contracts.md 2). */
export function returns({ providers }: Pick<ApiConfig, 'providers'>) {
  const app = router()
  const { returnUrl } = providers.payments
  app.openapi(returnRoute, async (c) => {
    const { db, desk } = c.var
    const id = await verbs.byReference(db.sql, c.req.valid('param').reference)
    if (id === undefined) throw new Refused('not_found', 'there is no such payment', { reason: 'payment_unknown' })
    const asking = await openPayments.claimOne(db.sql, id, desk.leaseSeconds)
    // Whoever else is asking does what the answer means; a provider that is switched off says nothing.
    if (asking && desk.gateways[asking.provider]) await ask(desk, asking)
    const { status } = (await verbs.get(db.sql, id))!
    if (returnUrl === null) return c.text(words[status], 200)
    const to = new URL(returnUrl)
    to.searchParams.set('payment_id', String(id))
    to.searchParams.set('status', status)
    return c.redirect(to.href, 303)
  })
  return app
}
