import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as myOrders from '../../../db/powerbank/my-orders.ts'
import * as verbs from '../../../db/powerbank/order-list.ts'
import type { Env } from '../../context.ts'
import { json, no, page, paged, paging, router } from '../surface.ts'
import { Order, OrderStatus, toJson } from './orders.ts'

const stream = 'text/event-stream'
const status = OrderStatus.optional()
type Asked = { page: number; limit: number; status?: z.infer<typeof OrderStatus> | undefined }

/** The caller's own loans, as a page or as they change (docs/contracts.md 4.15). */
export const userOrders = router()

/** One page of the caller's loans, under both keys. */
async function mine(c: Context<Env>, { status, ...at }: Asked) {
  const { db, actor } = c.var
  const { rows, total } = await myOrders.list(db.sql, actor.userId, { status, ...at })
  const orders = rows.map(toJson)
  return { ...paged(orders, total, at), orders }
}

/** The same, and then every change of it: `orders` the page, `order` one change with the order as it stands now. */
function changes(c: Context<Env>, asked: Asked): Response {
  const { db, actor, live } = c.var
  const body = live.open({
    userId: actor.userId,
    lastEventId: c.req.header('last-event-id'),
    greet: async () => ({ event: 'orders', data: await mine(c, asked) }),
    tell: async ({ kind, orderId }) => {
      const order = orderId === null ? undefined : await verbs.get(db.sql, orderId)
      if (!order || order.userId !== actor.userId) return null
      return { event: 'order', data: { change: kind, order: toJson(order) } }
    },
    drop: () => c.env.outgoing?.destroy(),
  })
  // Proxies that collect answers before they pass them on are told not to.
  return c.body(body, 200, { 'Content-Type': `${stream}; charset=utf-8`, 'X-Accel-Buffering': 'no' })
}

userOrders.openapi(
  createRoute({
    method: 'get',
    path: '/user/orders',
    tags: ['Пользовательский API'],
    summary: 'Получение заказов пользователя',
    description:
      'С `Accept: text/event-stream` ответ — поток событий: сначала `orders` (та же страница), затем `order` при каждом изменении: `{change, order}`, где `order` — заказ, каков он теперь. После обрыва клиент с `Last-Event-ID` получает пропущенное.',
    request: {
      query: z.object({ ...paging, status }),
      headers: z.object({ 'last-event-id': z.string().optional() }),
    },
    responses: {
      200: {
        description: 'Страница, сначала новые; или поток событий',
        content: {
          ...json(
            page(Order)
              .extend({ orders: z.array(Order) })
              .openapi('UserOrders'),
          ).content,
          [stream]: { schema: z.string() },
        },
      },
      ...no(400, 401),
    },
  }),
  async (c) => {
    const asked = c.req.valid('query')
    const wanted = c.req.header('accept') ?? ''
    return wanted.includes(stream) ? changes(c, asked) : c.json(await mine(c, asked), 200)
  },
)
