/** One operation of the API's own description. */
export interface Route {
  method: string
  path: string
  operation: any
}

/** Every route there is, from the description: tests of them are written once (docs/contributing.md "Tests"). */
export const routesOf = (document: any): Route[] =>
  Object.entries<any>(document.paths).flatMap(([path, operations]) =>
    Object.entries<any>(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )

export const nameOf = ({ method, path }: Route) => `${method} ${path}`
export const isOpen = ({ operation }: Route) => operation.security?.length === 0
export const named = (list: Route[]) => list.map((route) => [nameOf(route), route] as const)
/** A path with this value in every place. */
export const filled = (path: string, value: string | number) => path.replaceAll(/\{[^}]+\}/g, String(value))
/** The JSON or form body a route takes. */
export const bodyOf = ({ operation }: Route, type = 'application/json') => operation.requestBody?.content?.[type]

/** A schema with its reference followed. */
export const resolved = (document: any, schema: any): any =>
  schema?.$ref ? resolved(document, document.components.schemas[schema.$ref.split('/').at(-1)]) : schema

/** The example of a body, wherever the description has it: whole, or field by field. */
export function exampleOf(document: any, schema: any): any {
  const { example, properties } = resolved(document, schema) ?? {}
  if (example !== undefined || !properties) return example
  const fields = Object.entries(properties).map(([key, one]) => [key, exampleOf(document, one)])
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
}
