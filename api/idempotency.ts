import { createHash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Idempotency } from '../db/devices/commands.ts'
import type { Env } from './context.ts'

const keyCharactersMax = 255

/**
 * The header of every POST that makes something: the same key finds what was made, an order, a command, a certificate.
 * `refusal`: the surface's status of a key that was used for something else.
 */
export const idempotencyKey = (refusal: 400 | 409) =>
  z.object({
    'idempotency-key': z
      .string()
      .max(keyCharactersMax)
      .regex(/^[\x21-\x7e]+$/, 'ожидаются печатные символы ASCII без пробелов')
      .optional()
      .openapi({
        description: `Повтор с тем же ключом и телом вернёт то, что уже создано; с другим телом — ${refusal}.`,
        example: '0b9d3f0e-6f0a-4a67-9c5e-6f1f3c1f2a10',
      }),
  })

export const IdempotencyKey = idempotencyKey(400)

/** The same text for equal values, however a client orders the keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner?.constructor === Object
      ? Object.fromEntries(Object.entries(inner as object).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

/** The request's key with a hash of what it is used for, or undefined when the client sent none. */
export function idempotencyOf(c: Context<Env>, body: object): Idempotency | undefined {
  const key = c.req.header('idempotency-key')
  if (key === undefined) return undefined
  const used = `${c.req.method} ${c.req.path.replace(/\/$/, '')}\n${canonical(body)}`
  return { key, hash: createHash('sha256').update(used).digest('hex') }
}
