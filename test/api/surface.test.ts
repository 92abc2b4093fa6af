import { createRoute, z } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { expect, test } from 'vitest'
import { words as loyaltyWords, reasons as spokenReasons } from '../../api/loyalty/refusals.ts'
import { router as powerbankRouter } from '../../api/powerbank/surface.ts'
import { surface, type Words } from '../../api/surface.ts'
import type { LedgerCode } from '../../db/ledger/refused.ts'
import { type LoyaltyReason, Refused as LoyaltyRefused } from '../../db/loyalty/refused.ts'
import { Refused as GenericRefused, refusals } from '../../db/platform/refused.ts'
import { Refused as PowerbankRefused } from '../../db/powerbank/refused.ts'
import { startApiServer } from './server.ts'

// A family of clients that is neither of ours: Django REST framework's errors and pages, with a domain of its own.
type ToyCode = 'toy_broken'
type ToyReason = 'toy_lost' | 'toy_sold'
const Refused = refusals<ToyCode, ToyReason>()

const words: Words<ToyCode> = {
  not_found: [404, 'Not found.'],
  conflict: [400, 'Not now.'],
  duplicate: [400, 'Taken.'],
  invalid: [400, 'Invalid.'],
  unauthenticated: [401, 'No credentials.'],
  forbidden: [403, 'No permission.'],
  not_yours: [404, 'Not found.'],
  idempotency_mismatch: [400, 'Another request.'],
  limit: [429, 'Throttled.'],
  unavailable: [503, 'Come back.'],
  unreadable: [400, 'Malformed.'],
  media_type: [415, 'Unsupported media type.'],
  no_method: [405, 'Method not allowed.'],
  too_large: [413, 'Too large.'],
  internal: [500, 'Server error.'],
  toy_broken: [400, ({ pieces }) => `It is in ${pieces} pieces.`],
}
const reasons: Record<ToyReason, string> = { toy_lost: 'It is lost.', toy_sold: 'It is sold.' }

const drf = surface({
  name: 'telecom',
  words,
  reasons,
  taken: { name: 'This name is taken.' },
  failure: ({ status, words, about, requestId }) => ({
    status: 'error',
    message: words,
    code: status,
    about,
    requestId,
  }),
  shape: {
    status: 400,
    body: (issues) => Object.fromEntries(issues.map(({ path, message }) => [path.join('.'), [message]])),
  },
  errors: {
    text: { 400: 'Wrong', 404: 'Not there' },
    schema: () => z.object({ status: z.literal('error'), message: z.string() }),
    always: [404],
  },
  paging: { size: 'page_size', rows: 100, rowsMax: 1_000 },
  instant: '2026-01-31T12:00:00+06:00',
})

const faults: Record<string, () => Error> = {
  reason: () => new Refused('conflict', '', { reason: 'toy_sold', left: 2 }),
  taken: () => new Refused('duplicate', '', { field: 'name' }),
  own: () => new Refused('toy_broken', '', { pieces: 3 }),
  text: () => new Refused('invalid', '', { text: 'In its own words.' }),
  foreign: () => new PowerbankRefused('slot_empty'),
  http: () => new HTTPException(413),
  bug: () => new Error('a secret of ours'),
}

const toys = drf.router()
toys.openapi(
  createRoute({
    method: 'get',
    path: '/toys',
    request: { query: z.object({ ...drf.paging, fault: z.string().optional() }) },
    responses: {
      200: { description: 'Toys', ...drf.json(z.object({ results: z.array(z.int()), at: drf.Time })) },
      ...drf.no(400),
    },
  }),
  async (c) => {
    const { fault, ...at } = c.req.valid('query')
    if (fault) throw faults[fault]!()
    const { limit, offset } = drf.rowsOf(at)
    return c.json({ results: [limit, offset], at: drf.time(new Date('2026-01-31T20:30:15.999Z')) }, 200)
  },
)
const { stage, lines } = await startApiServer()
const { app, refuse } = drf.app(stage, { limits: [], open: [toys], closed: [] })
const ask = async (query: string, path = '/api/toys') => {
  const response = await app.fetch(new Request(`http://localhost${path}?${query}`), { requestId: 'r1', address: '' })
  return { status: response.status, body: await response.json() }
}

test('a description is all that a surface needs', async () => {
  expect(await ask('page=3&page_size=20')).toEqual({
    status: 200,
    body: { results: [20, 40], at: '2026-02-01T02:30:15+06:00' },
  })
  expect(await ask('')).toMatchObject({ body: { results: [100, 0] } })
  expect(await ask('page=0')).toEqual({ status: 400, body: { page: ['допустимо от 1 до 1000000'] } })
  const refused = refuse(405)
  expect(refused.status).toBe(405)
  expect(await refused.json()).toMatchObject({ status: 'error', message: 'Method not allowed.' })
  expect(await ask('', '/api/elsewhere')).toMatchObject({ status: 401 })
})

test('a refusal is told in the words of its text, reason, field or code', async () => {
  const error = (code: number, message: string, about = {}) => ({
    status: code,
    body: { status: 'error', message, code, about },
  })
  expect(await ask('fault=reason')).toEqual(error(400, 'It is sold.', { reason: 'toy_sold', left: 2 }))
  expect(await ask('fault=taken')).toEqual(error(400, 'This name is taken.', { field: 'name' }))
  expect(await ask('fault=own')).toEqual(error(400, 'It is in 3 pieces.', { pieces: 3 }))
  expect(await ask('fault=text')).toEqual(error(400, 'In its own words.'))
  expect(await ask('fault=http')).toEqual(error(413, 'Too large.'))
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})

test('a bug tells nothing but its number in the log, and so does a code the surface does not speak', async () => {
  for (const fault of ['bug', 'foreign']) {
    const body = { status: 'error', message: 'Server error.', code: 500, about: {}, requestId: 'r1' }
    expect(await ask(`fault=${fault}`)).toEqual({ status: 500, body })
    expect(lines.pop()).toMatchObject({ event: 'request.failed', about: { requestId: 'r1' } })
  }
})

test('every domain throws the one class', () => {
  for (const Domain of [Refused, PowerbankRefused, LoyaltyRefused]) {
    expect(new Domain('not_found')).toBeInstanceOf(GenericRefused)
    expect(new Domain('not_found').name).toBe('Refused')
  }
})

// The compiler is the judge of these: `npm run check` fails when one of the marked lines begins to compile.

test('a refusal says only what its domain knows', () => {
  const unknown = [
    // @ts-expect-error a code of nobody
    new GenericRefused('slot_empty'),
    // @ts-expect-error a reason of nobody: outside a domain there are none
    new GenericRefused('conflict', '', { reason: 'toy_sold' }),
    // @ts-expect-error a power bank's code, where loyalty is spoken
    new LoyaltyRefused('slot_empty'),
    // @ts-expect-error a power bank's reason, where loyalty is spoken
    new LoyaltyRefused('conflict', '', { reason: 'order_move' }),
    // @ts-expect-error a misspelt reason
    new Refused('conflict', '', { reason: 'toy_stolen' }),
  ]
  expect(unknown).toHaveLength(5)
})

test('a surface has words for what it speaks, and for all of it', () => {
  const { toy_broken: _, ...unbroken } = words
  const { own_referral_code: __, ...others } = spokenReasons
  // @ts-expect-error a code of the domain has no words
  const codes: Words<ToyCode> = unbroken
  // @ts-expect-error a generic code has no words
  const generic: Words = { ...words, not_found: undefined }
  // @ts-expect-error a reason has no words
  const lacking: Record<LoyaltyReason, string> = others
  // @ts-expect-error the words of a domain that is not spoken
  const foreign: Words<LedgerCode> = { ...loyaltyWords, slot_empty: [400, 'В слоте нет повербанка'] }
  expect(codes).not.toHaveProperty('toy_broken')
  expect(lacking).not.toHaveProperty('own_referral_code')
  expect(generic.not_found).toBeUndefined()
  expect(foreign).toHaveProperty('slot_empty')
})

test('a handler answers what its route describes', () => {
  const responses = { 200: { description: 'One', ...drf.json(z.object({ id: z.int() })) }, ...drf.no(400) }
  const route = createRoute({ method: 'get', path: '/one', responses })
  // @ts-expect-error another body
  drf.router().openapi(route, (c) => c.json({ id: 'one' }, 200))
  // @ts-expect-error another status
  powerbankRouter().openapi(route, (c) => c.json({ id: 1 }, 201))
  // @ts-expect-error an error in another format than the surface's
  drf.router().openapi(route, (c) => c.json({ detail: 'No' }, 400))
  const one = drf.router().openapi(route, (c) => c.json({ id: 1 }, 200))
  expect(one.routes).toHaveLength(1)
})
