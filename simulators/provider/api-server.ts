import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type Faults, nextApiFault } from './fault.ts'

/** Something that a provider is asked. */
export interface Asked {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: Buffer
}

/** What it answers; an object is told as JSON. */
export interface Said {
  status: number
  body?: object | string
  headers?: Record<string, string>
}

/** A provider's API: what is behind it and no faults. */
export interface Api {
  answer(asked: Asked): Said | Promise<Said>
  /** Whether it misbehaves there too; pages for people never do. */
  isApi(path: string): boolean
}

/** An API that listens on this machine. */
export interface ProviderServer {
  url: string
  port: number
  /** What it was asked of late, the last at the end. */
  asked: Asked[]
  /** Called with everything that is asked. */
  watch(listener: (asked: Asked) => void): void
  /** What it does wrong from now on; a test changes it as it likes. */
  faults: Faults
  close(): Promise<void>
}

const askedMax = 1_000
const bodyBytesMax = 1_048_576
const retryAfterSeconds = 1
const processingMs = 1_500
const page = '<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>'

/** Reads the JSON of a request; {} when it is none. */
export function wordsOf({ body }: Asked): Record<string, unknown> {
  try {
    const words: unknown = JSON.parse(body.toString() || '{}')
    return typeof words === 'object' && words !== null ? (words as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function say(response: ServerResponse, { status, body = '', headers }: Said): void {
  const isText = typeof body === 'string'
  response.writeHead(status, { 'content-type': isText ? 'text/html; charset=utf-8' : 'application/json', ...headers })
  response.end(isText ? body : JSON.stringify(body))
}

async function serve(api: Api, faults: Faults, asked: Asked, response: ServerResponse): Promise<void> {
  const fault = api.isApi(asked.path) ? nextApiFault(faults) : undefined
  if (fault === '429')
    return say(response, { status: 429, body: page, headers: { 'retry-after': String(retryAfterSeconds) } })
  if (fault === 'html') return say(response, { status: 200, body: page })
  const said = await api.answer(asked)
  switch (fault) {
    case 'timeout':
      return
    case 'reset':
      response.socket?.resetAndDestroy()
      return
    case '5xx':
      return say(response, { status: 500, body: { type: 'error', code: 'internal_server_error' } })
    case 'processing':
      return say(response, { status: 202, body: { type: 'processing', retry_after: processingMs } })
    default:
      return say(response, said)
  }
}

/** Opens a provider's API on loopback; port 0 takes a free one. */
export async function listen(api: Api, port: number, faults: Faults): Promise<ProviderServer> {
  const asked: Asked[] = []
  let listener: (asked: Asked) => void = () => {}
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://here')
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) return say(response, { status: 413 })
    const body = await buffer(request)
    const one = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
    }
    asked.push(one)
    listener(one)
    if (asked.length > askedMax) asked.shift()
    await serve(api, faults, one, response)
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    asked,
    faults,
    watch(one) {
      listener = one
    },
    async close() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
