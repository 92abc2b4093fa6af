import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** Judges values against the schemas of an OpenAPI 3.1 document, which are JSON Schema 2020-12. */
export function judgeOf(document: any) {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  // CommonJS seen from a module: the function is one step further in.
  formats.default(ajv, { mode: 'full' })
  ajv.addSchema({ $id: 'api:/document', components: document.components }, 'api')
  // A reference inside a piece of the document means the document.
  const anchored = (schema: any): any => {
    if (Array.isArray(schema)) return schema.map(anchored)
    if (schema === null || typeof schema !== 'object') return schema
    return Object.fromEntries(
      Object.entries(schema).map(([key, value]) => [
        key,
        key === '$ref' ? `api:/document${value as string}` : anchored(value),
      ]),
    )
  }
  const compiled = new Map<object, ReturnType<Ajv2020['compile']>>()
  return {
    /** What is wrong with a value, as `/path message`; empty: nothing. */
    faults(schema: object, value: unknown): string[] {
      const check = compiled.get(schema) ?? ajv.compile(anchored(schema))
      compiled.set(schema, check)
      return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
    },
  }
}
