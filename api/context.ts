import type { HttpBindings } from '@hono/node-server'
import { createMiddleware } from 'hono/factory'
import type { Registry } from 'prom-client'
import type { Answers } from '../db/devices/answer-listener.ts'
import type { Acquirer } from '../db/paygo/acquirer.ts'
import type { Actor } from '../db/platform/actor.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'
import type { ApiConfig } from './config.ts'
import type { Live } from './live.ts'
import type { Desk } from './providers/desk.ts'
import type { Providers } from './providers/webhook-events.ts'

/** What every surface stands on. Made once by `main.ts`, or by a test. */
export interface AppContext {
  db: Db
  answers: Answers
  live: Live
  /** Who takes and gives back the money. */
  acquirer: Acquirer
  /** Who is heard, and what their words do. */
  providers: Providers
  /** Where payments of 2GETPRO are made and asked for. */
  desk: Desk
  config: ApiConfig
  log: Log
  /** Where the process counts; `/metrics` prints it. */
  metrics: Registry
}

/** What the door knows of a request before it chooses a surface. */
export interface Arrival extends Partial<HttpBindings> {
  requestId: string
  /** The client's address, trusted proxies taken off. */
  address: string
}

/** Hono's context in every surface. `actor` and `sessionId` are there on every route behind `bearer`. */
export interface Env {
  Bindings: Arrival
  Variables: Pick<AppContext, 'db' | 'answers' | 'live' | 'acquirer' | 'providers' | 'desk' | 'config' | 'log'> & {
    actor: Actor
    /** Which of the actor's sessions it is. */
    sessionId: string
  }
}

/** The first middleware of a surface: hands its routes the ground, and the client the request's id. */
export const arrive = ({ db, answers, live, acquirer, providers, desk, config, log }: AppContext) =>
  createMiddleware<Env>(async (c, next) => {
    c.set('db', db)
    c.set('answers', answers)
    c.set('live', live)
    c.set('acquirer', acquirer)
    c.set('providers', providers)
    c.set('desk', desk)
    c.set('config', config)
    c.set('log', log)
    // Before next(): a header set afterwards makes Hono build the response twice (hono 4: measured at 4 x).
    c.header('X-Request-Id', c.env.requestId)
    c.header('Cache-Control', 'no-store')
    await next()
  })
