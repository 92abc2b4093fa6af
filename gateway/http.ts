import { createServer, type RequestListener } from 'node:http'
import type { Registry } from 'prom-client'
import { listening } from './listeners.ts'

/** The gateway's own little HTTP: for Prometheus and for whoever watches the process. */
export interface MetricsServer {
  port: number
  close(): Promise<void>
}

/** What `/health` tells. 200 as long as the process works: a restart would drop every cabinet and mend no database. */
interface Health {
  node: string
  database: boolean
  cabinets: number
}

/** Answers a path of its own. False: it is not one of them. */
export type More = (...of: Parameters<RequestListener>) => Promise<boolean>

/** Serves `/metrics` and `/health`, and what `more` answers. Rejects with the system's error when the port is taken. */
export async function serveMetrics(
  { host, port }: { host: string; port: number },
  registry: Registry,
  health: () => Promise<Health>,
  more: More = async () => false,
): Promise<MetricsServer> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0]
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (path === '/metrics' && isRead) {
      const body = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType }).end(body)
    } else if (path === '/health' && isRead) {
      const body = JSON.stringify({ status: 'ok', ...(await health()) })
      response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    } else if (!(await more(request, response)))
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not here\n')
  })
  server.headersTimeout = 5_000
  server.requestTimeout = 10_000
  return {
    port: await listening(server, port, { host, reusePort: false }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
