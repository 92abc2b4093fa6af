import { Counter, Histogram, type Registry } from 'prom-client'

/** An answered request, as it is counted. */
export interface Answered {
  surface: string
  method: string
  /** The route's pattern, never the path; null: nobody's. */
  route: string | null
  status: number
  seconds: number
}

const bucketsSeconds = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]
/** What a client may make up is one name: each other would be series of its own, for ever. */
const methodsKnown = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const errorStatusMin = 400

/**
 * Counts answered requests: all of them under our name, and those of 2GETPRO under the names of its document
 * (docs/contracts.md 2), to which `/health` and `/metrics` belong.
 */
export function requestMetrics(metrics: Registry): (answered: Answered) => void {
  const about = { registers: [metrics] }
  const all = new Histogram({
    ...about,
    name: 'http_request_duration_seconds',
    help: 'Requests by surface, method, route and status.',
    labelNames: ['surface', 'method', 'route', 'status'],
    buckets: bucketsSeconds,
  })
  const labelNames = ['method', 'endpoint', 'status']
  const requests = new Counter({ ...about, name: 'bot_requests_total', help: 'Requests to 2GETPRO.', labelNames })
  const errors = new Counter({
    ...about,
    name: 'bot_errors_total',
    help: 'Requests to 2GETPRO that were refused or failed.',
    labelNames,
  })
  const duration = new Histogram({
    ...about,
    name: 'bot_request_duration_seconds',
    help: 'How long requests to 2GETPRO took.',
    labelNames: ['method', 'endpoint'],
    buckets: bucketsSeconds,
  })
  return ({ surface, route, status, seconds, ...answered }) => {
    const method = methodsKnown.has(answered.method) ? answered.method : 'other'
    all.observe({ surface, method, route: route ?? 'unknown', status }, seconds)
    if (route === null || !(surface === 'getpro' || route === '/health' || route === '/metrics')) return
    requests.inc({ method, endpoint: route, status })
    duration.observe({ method, endpoint: route }, seconds)
    if (status >= errorStatusMin) errors.inc({ method, endpoint: route, status })
  }
}
