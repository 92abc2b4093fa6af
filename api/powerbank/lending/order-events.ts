import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/order-events.ts'
import * as list from '../../../db/powerbank/order-list.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import { MalformedBody } from '../../../protocol/errors.ts'
import { explain } from '../../../protocol/explain.ts'
import { STAFF, staff } from '../people/rights.ts'
import { idParam, json, no, page, paged, paging, router, Time, time } from '../surface.ts'

/** Members of a frame that are a secret of the operator's: then its bytes are one too. */
const SECRETS = ['password', 'key']

/** A frame as it went over the wire, and what it means; null where nobody can read it, or where it holds a secret. */
const Frame = z
  .object({
    hex: z.string().nullable(),
    from: z.enum(['device', 'server']),
    dialect: z.string().nullable(),
    command: z.string().nullable(),
    name: z.string().nullable(),
    body: z.record(z.string(), z.unknown()),
  })
  .openapi('OrderEventFrame', {
    example: {
      hex: '000865018ECAFC1D9E01',
      from: 'server',
      dialect: 'B',
      command: '0x65',
      name: 'eject',
      body: { slot: 1 },
    },
  })

/** One thing that happened to an order (docs/contracts.md 4.5). */
const OrderEvent = z
  .object({
    at: Time,
    source: z.enum(['event', 'queued', 'sent', 'answered', 'given_up']).openapi({
      description:
        'event: что стало верным; остальное — о команде станции: записана, отправлена, отвечена, ответа не дождались',
    }),
    kind: z.string().openapi({ description: 'Имя события или команды', example: 'order.borrowed' }),
    station_id: z.int().nullable(),
    user_id: z.int().nullable(),
    command_id: z.int().nullable(),
    evidence: z.string().nullable().openapi({ description: 'Почему так решено', example: 'eject answer' }),
    data: z.record(z.string(), z.unknown()),
    frame: Frame.nullable(),
  })
  .openapi('OrderEvent')

/** A frame in words. What one dialect cannot read another may: the cabinet may have been replaced since. */
function frameOf(hex: string, from: 'device' | 'server'): z.infer<typeof Frame> {
  try {
    const { dialect, command, name, body } = explain(Buffer.from(hex, 'hex'), { from })
    const isSecret = SECRETS.some((member) => member in body)
    return { hex: isSecret ? null : hex, from, dialect, command, name, body: isSecret ? {} : body }
  } catch (error) {
    // What a cabinet said is shown all the same.
    if (!(error instanceof MalformedBody)) throw error
    return { hex, from, dialect: null, command: null, name: null, body: {} }
  }
}

/** The value of `OrderEvent`. */
const toJson = ({ frame, ...event }: verbs.OrderEvent): z.infer<typeof OrderEvent> => ({
  at: time(event.at),
  source: event.source,
  kind: event.kind,
  station_id: event.stationId,
  user_id: event.userId,
  command_id: event.commandId,
  evidence: event.evidence,
  data: event.data,
  frame: frame === null ? null : frameOf(frame, event.source === 'sent' ? 'server' : 'device'),
})

/** How an order came to be what it is: for staff who have to say why. */
export const orderEvents = router()

orderEvents.openapi(
  createRoute({
    method: 'get',
    path: '/orders/{order_id}/events',
    tags: ['Управление заказами'],
    summary: 'Что происходило с заказом',
    description:
      'По порядку: события заказа и его повербанка, команда станции и её ответ с кадрами, решения с основанием. Для персонала.',
    middleware: staff,
    request: { params: z.object({ order_id: idParam }), query: z.object(paging) },
    responses: {
      200: { description: 'Страница, сначала старые', ...json(page(OrderEvent).openapi('OrderEvents')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { actor, db } = c.var
    const at = c.req.valid('query')
    const order = await list.get(db.sql, c.req.valid('param').order_id)
    if (!order) throw new Refused('not_found', '', { reason: 'order_unknown' })
    scope.assertInScope(await scope.of(db.sql, actor, ...STAFF), order.orgUnitId)
    const { rows, total } = await verbs.list(db.sql, order.id, at)
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)
