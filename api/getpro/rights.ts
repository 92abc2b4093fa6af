import type { Context } from 'hono'
import * as accounts from '../../db/getpro/accounts.ts'
import { may } from '../auth.ts'
import type { Env } from '../context.ts'

/** Who runs the business. */
export const admins = may('admin')
/** Them, and its customers; each customer for themselves (`reached`). */
export const people = may('admin', 'user')

/** The account that a request is about: the caller's own unless it says whose. @throws Refused not_yours, not_found */
export const reached = (c: Context<Env>, id: number | null = null) => accounts.reach(c.var.db.sql, c.var.actor, id)
