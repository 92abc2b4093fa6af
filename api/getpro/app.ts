import type { Surface } from '../app.ts'
import type { AppContext } from '../context.ts'
import { app } from './surface.ts'
import { webhooks } from './webhooks.ts'

/** The surface of 2GETPRO: what payment providers and the panel tell (docs/contracts.md 2). */
export const getpro = (ground: AppContext): Surface =>
  app(ground, {
    // In front of all limits: a provider takes 429 for a failure.
    first: [['/', webhooks(ground.config)]],
    limits: [],
    open: [],
    closed: [],
  })
