import type { ResourceDialect } from '../resource.ts'
import { idParam, json, no, ok, page, paged, paging, rowsOf, yes } from './surface.ts'

/** How this surface speaks of resources: `{success, message?, data}`, pages by `page` and `limit`, changes by PUT. */
export const dialect: ResourceDialect = {
  json,
  idParam,
  no,
  paging,
  rowsOf,
  page: { schema: page, value: paged },
  one: { schema: (data) => ok({ data }), value: (data, message) => yes({ ...(message ? { message } : {}), data }) },
  gone: { schema: () => ok({}), value: (message) => yes(message ? { message } : {}) },
  changes: { put: 'part' },
}
