import { serve as serveHttp } from '@hono/node-server'
import { Hono } from 'hono'
import { serve, usage } from './child.ts'

const skills = {
  /** A bare handler on a free port: reads the body, says yes, knows nothing. */
  listen: () =>
    new Promise<number>((resolve) => {
      const app = new Hono()
      app.post('/webhook/*', async (c) => {
        await c.req.arrayBuffer()
        return c.json({ status: 'success', data: {}, message: 'Уведомление принято' })
      })
      serveHttp({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => resolve(port))
    }),
  usage,
}

/** For `start`. */
export type HonoChild = typeof skills

serve(skills)
