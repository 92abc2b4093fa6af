import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import type { Env } from './context.ts'

const secondMs = 1_000

/** Counts per key in windows of fixed length, in this process's memory. */
export interface Limiter {
  /** Counts one; returns the seconds to wait when that was too many, else 0. */
  take(key: string, now?: number): number
  /** The same without counting. */
  wait(key: string, now?: number): number
  /** Forgets a key. */
  clear(key: string): void
}

const keysMaxDefault = 50_000

/** At most `max` per key and window. Holds `keysMax` keys and forgets the oldest windows first. */
export function limiter(max: number, windowSeconds: number, keysMax = keysMaxDefault): Limiter {
  // A Map keeps insertion order, and a window is inserted anew when it begins: the first entry is the oldest.
  const windows = new Map<string, { count: number; endsAt: number }>()
  const current = (key: string, now: number) => {
    const window = windows.get(key)
    return window && window.endsAt > now ? window : null
  }
  const secondsLeft = (window: { count: number; endsAt: number } | null, now: number, most: number) =>
    window && window.count > most ? Math.ceil((window.endsAt - now) / secondMs) : 0
  return {
    take(key, now = performance.now()) {
      let window = current(key, now)
      if (!window) {
        windows.delete(key)
        if (windows.size >= keysMax) windows.delete(windows.keys().next().value!)
        window = { count: 0, endsAt: now + windowSeconds * secondMs }
        windows.set(key, window)
      }
      window.count++
      return secondsLeft(window, now, max)
    },
    wait: (key, now = performance.now()) => secondsLeft(current(key, now), now, max - 1),
    clear: (key) => void windows.delete(key),
  }
}

const minuteSeconds = 60

/** At most `max` per key in so many minutes. */
export const perMinute = (max: number, minutes = 1): Limiter => limiter(max, minutes * minuteSeconds)

/** Tells a client to wait so many seconds (429), unless there is nothing to wait for. */
export function slowDown(c: Pick<Context, 'header'>, seconds: number): void {
  if (seconds === 0) return
  c.header('Retry-After', String(seconds))
  throw new HTTPException(429)
}

/** So many requests of one address in a window; counted once the request is known to be the surface's. */
export function limitRequests(max: number, windowSeconds: number) {
  const requests = limiter(max, windowSeconds)
  return createMiddleware<Env>(async (c, next) => {
    slowDown(c, requests.take(c.env.address))
    await next()
  })
}

/** A body, or null once it grows beyond `bytesMax`. */
export async function readBytes(
  { headers, body }: Pick<Request | Response, 'headers' | 'body'>,
  bytesMax: number,
): Promise<Buffer<ArrayBuffer> | null> {
  if (Number(headers.get('content-length') ?? 0) > bytesMax) return null
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Refuses a body over `bytesMax` with 413. A declared length is believed (HTTP holds the client to it) and costs nothing. */
export function limitBody(bytesMax: number) {
  const counted = bodyLimit({
    maxSize: bytesMax,
    onError: () => {
      throw new HTTPException(413)
    },
  })
  return createMiddleware(async (c, next) => {
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
    const declared = c.req.header('content-length')
    if (declared === undefined || c.req.header('transfer-encoding') !== undefined) return counted(c, next)
    if (Number(declared) > bytesMax) throw new HTTPException(413)
    return next()
  })
}
