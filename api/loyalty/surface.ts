import { z } from '@hono/zod-openapi'
import { surface } from '../surface.ts'
import { failure, faultsOf, reasons, taken, words } from './refusals.ts'

const Failure = z.object({ detail: z.string().openapi({ example: 'Описание ошибки' }) }).openapi('LoyaltyFailure')
const Faults = z
  .object({
    detail: z.array(z.object({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), type: z.string() })),
  })
  .openapi('LoyaltyFaults', {
    example: { detail: [{ loc: ['body', 'email'], msg: 'Обязательное поле', type: 'missing' }] },
  })

export const { app, idBody, idParam, json, jsonBody, no, paging, pagingBy, router, rowsOf, shown, Time } = surface({
  name: 'loyalty',
  words,
  reasons,
  taken,
  failure,
  challenges: true,
  shape: { status: 422, body: (...found) => ({ detail: faultsOf(...found) }) },
  errors: {
    text: {
      400: 'Неверные данные: так нельзя в текущем состоянии',
      401: 'Не авторизован',
      403: 'Недостаточно прав',
      404: 'Не найдено',
      409: 'Такой документ уже пришёл с другим содержанием',
      422: 'Запрос не той формы',
      429: 'Слишком много запросов',
      503: 'Не настроено',
    },
    schema: (status): z.ZodType<unknown> => (status === 422 ? Faults : Failure),
    // Any of them may be asked too often.
    always: [429],
  },
  // docs/contracts.md 3.2; the audit log has its own bounds
  paging: { size: 'page_size', rows: 20, rowsMax: 100 },
  // docs/contracts.md 3
  instant: '2025-09-30T12:00:00Z',
})

interface PageAt {
  page: number
  page_size: number
}

/** What a list says beside its items: ``z.object({ transactions: z.array(…), ...pageKeys })``. */
export const pageKeys = { total: z.int(), page: z.int(), page_size: z.int() }

/** The values of `pageKeys`. */
export const pageOf = (total: number, { page, page_size }: PageAt) => ({ total, page, page_size })

/** A text in a body that may be left out or null; blanks around it are not part of it. */
export const textOrNull = (charactersMax: number) => z.string().trim().max(charactersMax).nullish()
