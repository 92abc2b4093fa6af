import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { neutral, type Surface } from './app.ts'
import { type AppContext, arrive, type Env } from './context.ts'
import { pages } from './docs/doc-pages.ts'
import { describe } from './docs/openapi.ts'
import { Health, healthOf } from './health.ts'

const tags = ['Служебное']
const health = { content: { 'application/json': { schema: Health } } }

const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  tags,
  summary: 'Состояние сервиса',
  security: [],
  responses: {
    200: { description: 'Работает', ...health },
    503: { description: 'Не отвечает то, без чего нельзя работать', ...health },
  },
})

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags,
  summary: 'Метрики в формате Prometheus',
  security: [],
  responses: { 200: { description: 'Текст', content: { 'text/plain': { schema: z.string() } } } },
})

/** What belongs to no contract: health, metrics, the description of the API and the pages that show it. */
export function site(ground: AppContext, surfaces: Surface[]): Surface {
  const app = new OpenAPIHono<Env>({ strict: false })
  app.use(arrive(ground))
  app.onError((error, c) => {
    ground.log('request.failed', { requestId: c.env.requestId, path: c.req.path, error })
    return neutral(500, 'Internal error')
  })
  const health = healthOf(ground)
  app.openapi(healthRoute, async (c) => {
    const body = await health()
    return c.json(body, body.status === 'healthy' ? 200 : 503)
  })
  const { config, metrics } = ground
  if (config.hasMetrics)
    app.openapi(metricsRoute, async (c) =>
      c.text(await metrics.metrics(), 200, { 'Content-Type': metrics.contentType }),
    )
  const described = { name: 'site', app, refuse }
  let document: string | undefined
  app.get('/api/openapi.json', (c) => {
    document ??= JSON.stringify(describe([...surfaces, described], config.publicUrl))
    return c.body(document, 200, { 'Content-Type': 'application/json; charset=UTF-8' })
  })
  for (const path of ['/', '/docs', '/api']) app.get(path, (c) => c.redirect('/api/docs'))
  app.get('/redoc', (c) => c.redirect('/api/redoc'))
  app.route('/', pages())
  return described
}

const refuse = (status: 405 | 413) => neutral(status, status === 405 ? 'Method not allowed' : 'Payload too large')
