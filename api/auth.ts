import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import * as identity from '../db/identity/identity.ts'
import type { Surface } from '../db/identity/words.ts'
import { type Actor, hasRole } from '../db/platform/actor.ts'
import { Refused } from '../db/platform/refused.ts'
import type { Env } from './context.ts'
import { verify } from './token.ts'

const bearerHeader = /^bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i

/**
 * Puts the actor into `c.var`, with the roles it has on this surface. Throws `Refused('unauthenticated')` without a
 * valid token, and when its session was revoked or its user blocked or deleted since.
 */
export const bearer = (surface: Surface) =>
  createMiddleware<Env>(async (c, next) => {
    const known = await bearerOf(c, surface)
    if (!known) throw new Refused('unauthenticated', 'no valid token')
    c.set('actor', known.actor)
    c.set('sessionId', known.sessionId)
    await next()
  })

/** The token in an `Authorization` header, whatever it is; undefined: it has none. */
export const bearerIn = (header: string | undefined) => bearerHeader.exec(header ?? '')?.[1]

/** The token of a request, whatever it is; undefined: it has none. */
export const tokenOf = (c: Context<Env>) => bearerIn(c.req.header('authorization'))

/** Whom a request's token speaks for on a surface, and by which session; null: for nobody (any more). */
export async function bearerOf(c: Context<Env>, surface: Surface): Promise<{ actor: Actor; sessionId: string } | null> {
  const token = tokenOf(c)
  const claims = token ? await verify(token, c.var.config.jwtSecret) : null
  const actor = claims && (await identity.actor(c.var.db.sql, { ...claims, surface }))
  return actor && { actor, sessionId: claims.sessionId }
}

const roleLists = new WeakMap<object, readonly string[]>()

/** Lets pass who has one of these roles on the surface; throws `Refused('forbidden')`. Goes behind `bearer`. */
export function may(...roles: [string, ...string[]]) {
  const guard = createMiddleware<Env>(async (c, next) => {
    if (!hasRole(c.var.actor, ...roles)) throw new Refused('forbidden', `needs ${roles.join(' or ')}`)
    await next()
  })
  roleLists.set(guard, roles)
  return guard
}

/** The roles that `may` among these middlewares asks for, for the description of a route. */
export const rolesOf = (middleware: object | object[] | undefined): string[] =>
  [middleware ?? []].flat().flatMap((one) => roleLists.get(one) ?? [])
