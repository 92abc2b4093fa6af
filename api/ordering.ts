import { z } from '@hono/zod-openapi'
import { snake } from './names.ts'

/** `-created_at,name`: what is no field to order by is passed over, unless the dialect has words for it. */
export function orderingOf(columns: readonly string[], called: Partial<Record<string, string>>, unknown?: string) {
  const fields = new Map(columns.map((by) => [called[by] ?? snake(by), by]))
  return z
    .string()
    .optional()
    .transform((text = '', context) =>
      text.split(',').flatMap((part) => {
        const by = fields.get(part.trim().replace(/^-/, ''))
        if (!by && unknown && part) context.addIssue({ code: 'custom', message: unknown })
        return by ? [{ by, isDescending: part.trim().startsWith('-') }] : []
      }),
    )
    .openapi({ type: 'string', description: `Поля: ${[...fields.keys()].join(', ')}; «-» впереди — по убыванию` })
}
