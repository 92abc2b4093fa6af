import { expect } from 'vitest'
import * as identity from '../../db/identity/identity.ts'
import type { Route } from './routes.ts'
import { type startApiServer, webhookToken } from './server.ts'

type House = Awaited<ReturnType<typeof startApiServer>>

/** How a surface says no (docs/contracts.md C5). */
interface Dialect {
  /** Status of a request of another shape, and of a body that is no JSON. */
  shape: number
  format: object
  /** The words in which a mistake is told. */
  words(body: any): string
  /** What a list calls the size of its pages. */
  size: string
  /** A page that is no number is not there, and a size that is none is the standard one: no mistake of the request. */
  pagesLoosely?: boolean
}

const powerbank: Dialect = {
  shape: 400,
  format: { success: false, error: expect.any(String) },
  words: (body) => body.error,
  size: 'limit',
}
const loyalty: Dialect = {
  shape: 422,
  format: { detail: expect.anything() },
  words: ({ detail }) => (typeof detail === 'string' ? detail : detail.map(({ loc }: any) => loc.join('.')).join()),
  size: 'page_size',
}
const getpro: Dialect = {
  shape: 422,
  format: { status: 'error', error: { code: expect.any(String), message: expect.any(String), details: {} } },
  words: ({ error }) => JSON.stringify(error.details),
  size: 'page_size',
}
const paygo: Dialect = {
  shape: 422,
  format: { detail: expect.any(String), error_code: expect.stringMatching(/^[A-Z_]+$/), timestamp: expect.any(String) },
  words: ({ detail, errors = [] }) => [detail, ...errors.map(({ field }: any) => field)].join(),
  size: 'limit',
}
/** A field and its mistakes, or a sentence. */
const telecom: Dialect = {
  shape: 400,
  format: {},
  words: (body) => JSON.stringify(body),
  size: 'page_size',
  pagesLoosely: true,
}
const dialects: Record<string, Dialect> = { powerbank, loyalty, paygo, getpro, telecom, site: powerbank }

const surfacesOf = ({ operation }: Route): string[] => operation['x-surfaces']

/** The dialect a route answers in; of a shared path the one it falls back to (docs/contracts.md C1). */
export const dialectOf = (route: Route): Dialect =>
  dialects[surfacesOf(route).includes('loyalty') ? 'loyalty' : surfacesOf(route)[0]!]!

/** Of whichever surface that has the path. */
export const inFormat = (route: Route, body: unknown) => {
  const formats = surfacesOf(route).map((name) => dialects[name]!.format)
  if (formats.length === 1) return expect(body).toMatchObject(formats[0]!)
  const isOf = (format: object) => {
    const keys = Object.keys(format)
    return keys.length > 0 && keys.every((key) => key in (body as object))
  }
  const found = formats.filter(isOf).length
  // One of them may say no by the names of its fields alone.
  expect(found === 1 || (found === 0 && surfacesOf(route).includes('telecom')), JSON.stringify(body)).toBe(true)
}

export const isWebhook = ({ operation }: Route) => 'webhookToken' in (operation.security?.[0] ?? {})
/** Where a payment provider speaks: what it may say is its own, and its proof is over bytes (test/api/getpro/webhooks*.test.ts). */
export const isNotice = ({ path }: Route) => path.startsWith('/webhook/')
/** A body that is no JSON at all is told apart only where a machine sends it. */
export const brokenStatus = (route: Route) =>
  isWebhook(route) || dialectOf(route) === getpro ? 400 : dialectOf(route).shape
/** JSON, but no object. */
export const noObjectStatus = (route: Route) => (isWebhook(route) ? 400 : dialectOf(route).shape)

/** Somebody who may do everything on every surface. */
export async function chief({ person, db }: Pick<House, 'person' | 'db'>) {
  const one = await person('service_admin')
  await db.transaction(async (tx) => {
    for (const surface of ['loyalty', 'getpro', 'paygo', 'telecom'] as const)
      await identity.grant(tx, one.id, { surface, role: 'admin' })
  })
  return one
}

/** What a request of `token`'s owner needs to be let in at a route. */
export const admitted = (route: Route, token: string) =>
  isWebhook(route) ? { headers: { 'x-webhook-token': webhookToken } } : { token }

/** Every schema a JSON body of this route may have: of a shared path there are several. */
export const schemasOf = ({ operation }: Route): { schema: any; surface: string }[] => {
  const schema = operation.requestBody?.content?.['application/json']?.schema
  if (!schema) return []
  const surfaces: string[] = operation['x-surfaces']
  return (schema.oneOf ?? [schema]).map((one: any, n: number) => ({ schema: one, surface: surfaces[n]! }))
}
export const dialectNamed = (name: string) => dialects[name]!
