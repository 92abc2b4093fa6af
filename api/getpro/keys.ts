import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import type { Env } from '../context.ts'
import { idempotencyOf } from '../idempotency.ts'

/**
 * What a request is known by when it is said again, and a hash of all it says: the caller's own key, which is nobody else's; a
 * request without one is never said again.
 */
export function keyOf(c: Context<Env>, body: object = {}): { key: string; hash: string } {
  const given = idempotencyOf(c, body)
  return { key: `${c.var.actor.userId} ${given?.key ?? randomUUID()}`, hash: given?.hash ?? '' }
}
