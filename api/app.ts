import { randomUUID } from 'node:crypto'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import { addressList, clientIp } from './client-ip.ts'
import type { AppContext, Arrival, Env } from './context.ts'
import { readBytes } from './limit.ts'
import { loggedPath } from './logged-path.ts'
import { type LoginRequest, loginDialect, sharedPaths } from './login-dialect.ts'
import { requestMetrics } from './request-metrics.ts'
import type { SocketRoute } from './socket-holders.ts'

/** A family of clients with its own envelope, errors and paging: an app of its own (docs/decisions.md "Surfaces behind one door"). */
export interface Surface {
  name: string
  app: OpenAPIHono<Env, any, any>
  /** What the door itself refuses on this surface's behalf: a method its path does not have, a body beyond all bounds. */
  refuse(status: 405 | 413): Response
  /** Its WebSockets. */
  sockets?: readonly SocketRoute[]
  /** Its document ends every path in a slash, and so does our description. */
  endsInSlash?: boolean
}

/** The front door: one `fetch` for all surfaces, and Hono's own `request` for tests. */
export interface ApiRouter {
  fetch(request: Request, bindings?: Partial<Arrival>): Promise<Response>
  request(path: string, init?: RequestInit): Promise<Response>
}

type Owner = { surface: Surface; pattern: string }
/** Bytes of a request to a shared path; more is answered before it is read. */
const sharedBodyBytesMax = 1_048_576
const requestIdCharactersMax = 64

/** What an unknown path is answered: readable for the clients of every surface (docs/contracts.md C5). */
export const neutral = (status: number, error: string) =>
  Response.json({ success: false, error, detail: error, status: 'error', message: error }, { status })

/**
 * Hands each request to the surface that owns its route. A route owned twice stops the start, unless it is one of
 * the shared paths.
 */
export function apiRouter(ground: AppContext, surfaces: Surface[]): ApiRouter {
  const { match, methods, shared } = owners(surfaces)
  const trusted = addressList(ground.config.trustedProxies)
  const measure = meter(ground)

  async function answer(request: Request, url: URL, path: string, bindings: Arrival) {
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const among = shared.get(`${method} ${path}`)
    if (among) return await answerShared(among, request, url, path, bindings)
    const owner = match(method, path)
    if (owner) return { owner, response: await owner.surface.app.fetch(request, bindings) }
    const allow = methods.filter((other) => match(other, path))
    const other = allow[0] && match(allow[0], path)
    if (other) {
      const response = other.surface.refuse(405)
      response.headers.set('Allow', allow.join(', '))
      return { owner: other, response }
    }
    return { owner: null, response: neutral(404, 'Not found') }
  }

  async function fetch(request: Request, bindings: Partial<Arrival> = {}) {
    const began = performance.now()
    const url = new URL(request.url)
    // One trailing slash is spelling, not meaning (docs/contracts.md C4); a redirect would lose the body.
    const path = url.pathname.length > 1 && url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname
    const peer = bindings.incoming?.socket?.remoteAddress
    const arrival: Arrival = {
      ...bindings,
      requestId: requestId(request),
      address: bindings.address ?? clientIp(peer, request.headers.get('x-forwarded-for'), trusted),
    }
    const { owner, response } = await answer(request, url, path, arrival).catch((error: unknown) => {
      ground.log('request.failed', { requestId: arrival.requestId, path: loggedPath(path), error })
      return { owner: null, response: neutral(500, 'Internal error') }
    })
    if (!response.headers.has('x-request-id')) response.headers.set('X-Request-Id', arrival.requestId)
    measure(request, path, owner, response, arrival, performance.now() - began)
    return response
  }

  return { fetch, request: (path, init) => fetch(new Request(new URL(path, 'http://localhost'), init)) }
}

/** Reads the body, because it decides, and gives the chosen surface the same request once more. */
async function answerShared(among: Owner[], request: Request, url: URL, path: string, bindings: Arrival) {
  const bytes = await readBytes(request, sharedBodyBytesMax)
  if (bytes === null) return { owner: among[0]!, response: among[0]!.surface.refuse(413) }
  const asked: LoginRequest = {
    path,
    slash: url.pathname !== path,
    contentType: request.headers.get('content-type') ?? '',
    query: url.searchParams,
    body: bytes.toString('utf8'),
  }
  const dialect = loginDialect(asked)
  // Where the dialect's surface is not part of this house, whoever has the path says what is wrong with the request.
  const owner = among.find(({ surface }) => surface.name === dialect) ?? among[0]!
  // As bytes: a text would be given a content type of its own where the client named none.
  const body = bytes.byteLength > 0 ? { body: bytes } : {}
  const again = new Request(url, { method: request.method, headers: request.headers, ...body })
  return { owner, response: await owner.surface.app.fetch(again, bindings) }
}

/** Whose is which route: Hono's own routers, filled from the apps' route lists. */
function owners(surfaces: Surface[]) {
  const router = new SmartRouter<Owner>({ routers: [new RegExpRouter(), new TrieRouter()] })
  const shared = new Map<string, Owner[]>()
  const seen = new Map<string, string>()
  const methods = new Set<string>()
  for (const surface of surfaces) {
    for (const { method, path } of surface.app.routes) {
      const route = `${method} ${path}`
      // A route appears once per middleware; middleware alone ('ALL') owns nothing.
      if (method === 'ALL' || seen.get(route) === surface.name) continue
      const owner = { surface, pattern: path }
      methods.add(method)
      if (sharedPaths.has(path)) shared.set(route, [...(shared.get(route) ?? []), owner])
      else if (seen.has(route)) throw new Error(`${route} belongs to ${seen.get(route)} and to ${surface.name}`)
      seen.set(route, surface.name)
      router.add(method, path, owner)
    }
  }
  const match = (method: string, path: string): Owner | null => router.match(method, path)[0][0]?.[0] ?? null
  return { match, methods: [...methods], shared }
}

/** A caller's own id is kept if it is harmless in a header and a log. */
function requestId(request: Request): string {
  const given = request.headers.get('x-request-id')
  return given && given.length <= requestIdCharactersMax && /^[\w.-]+$/.test(given) ? given : randomUUID()
}

/** Counts and logs an answered request. The path without its query: there a client may have put a secret. */
function meter({ log, metrics }: AppContext) {
  const count = requestMetrics(metrics)
  const msPerSecond = 1_000
  return (request: Request, path: string, owner: Owner | null, response: Response, arrival: Arrival, ms: number) => {
    const surface = owner?.surface.name ?? 'none'
    const { method } = request
    const { status } = response
    count({ surface, method, route: owner?.pattern ?? null, status, seconds: ms / msPerSecond })
    const { requestId, address } = arrival
    const about = { requestId, address, method, path: loggedPath(path), surface, status, ms: Math.round(ms) }
    log('request.answered', about)
  }
}
