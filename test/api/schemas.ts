import { createRequire } from 'node:module'

/** What of JSON Schema's judge is used here. */
interface Ajv {
  addSchema(schema: object, key: string): Ajv
  compile(schema: object): ((value: unknown) => boolean) & { errors?: { instancePath: string; message: string }[] }
}

// ajv comes with the validator of OpenAPI documents, which is a dependency of ours: one judge for both.
const nearby = createRequire(createRequire(import.meta.url).resolve('@seriousme/openapi-schema-validator'))
const Ajv2020: new (options: object) => Ajv = nearby('ajv/dist/2020.js').default
const addFormats: (ajv: Ajv, options: object) => void = nearby('ajv-formats')

/** Judges values against the schemas of an OpenAPI 3.1 document, which are JSON Schema 2020-12. */
export function judgeOf(document: any) {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats(ajv, { mode: 'full' })
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
  const compiled = new Map<object, ReturnType<Ajv['compile']>>()
  return {
    /** What is wrong with a value, as `/path message`; empty: nothing. */
    faults(schema: object, value: unknown): string[] {
      const check = compiled.get(schema) ?? ajv.compile(anchored(schema))
      compiled.set(schema, check)
      return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
    },
  }
}
