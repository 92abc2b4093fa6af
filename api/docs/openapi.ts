import { readFileSync } from 'node:fs'
import type { Surface } from '../app.ts'
import { sharedPaths } from '../login-dialect.ts'
import { both, type Operation } from './shared.ts'

/** Of this house. */
export const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const info = {
  title: 'Voltbay API',
  version,
  description:
    'Открытая платформа между уличным оборудованием и бизнесом, который на нём работает. ' +
    'Документ собран из самих маршрутов: чего здесь нет, того сервер не умеет.',
}

type Parts = Record<string, Record<string, unknown>>

/** OpenAPI 3.1 of all surfaces, made from their routes. Throws when two surfaces give different schemas one name. */
export function describe(surfaces: Surface[], publicUrl: string | null) {
  const paths: Parts = {}
  const components: Parts = {
    securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
  }
  for (const { app, name, endsInSlash } of surfaces) {
    const part = app.getOpenAPI31Document({ openapi: '3.1.0', info })
    for (const [path, operations] of Object.entries(part.paths ?? {})) {
      const known = (paths[endsInSlash && !sharedPaths.has(path) ? `${path}/` : path] ??= {})
      for (const [method, operation] of Object.entries(named(path, operations, name)))
        known[method] = known[method] ? both(known[method] as Operation, operation) : operation
    }
    for (const [kind, members] of Object.entries(part.components ?? {})) {
      const known = (components[kind] ??= {})
      for (const [member, schema] of Object.entries(members ?? {})) {
        if (member in known) throw new Error(`${name} describes ${member} a second time: give it another name`)
        known[member] = schema
      }
    }
  }
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: publicUrl ?? '/' }],
    security: [{ bearerAuth: [] }],
    tags: tagsOf(paths),
    paths,
    components,
  }
}

/** Client generators name their functions after `operationId`: `getOrgUnitsByOrgUnitId`. Each says whose it is. */
function named(path: string, operations: object, surface: string): Record<string, Operation> {
  const words = path
    .replace(/^\/api\//, '')
    .replace(/\{/g, 'by-')
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean)
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
  return Object.fromEntries(
    Object.entries(operations).map(([method, operation]) => [
      method,
      { operationId: method + words.join(''), ...(operation as Operation), 'x-surfaces': [surface] },
    ]),
  )
}

/** In the order of their first route, which is the order of the document. */
function tagsOf(paths: Parts) {
  const names = Object.values(paths).flatMap((operations) =>
    Object.values(operations).flatMap((operation) => (operation as { tags?: string[] }).tags ?? []),
  )
  return [...new Set(names)].map((name) => ({ name }))
}
