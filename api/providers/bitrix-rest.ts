import { z } from 'zod'
import { readBytes } from '../limit.ts'

const timeoutMs = 10_000
const answerBytesMax = 262_144

/** Fields of `crm.contact.get` that we read; phones and addresses are lists (docs/providers.md 8). */
const Values = z
  .array(z.object({ VALUE: z.string() }))
  .nullish()
  .catch(null)
const Answer = z.object({
  result: z.object({
    ID: z.union([z.string(), z.number()]).transform(String),
    NAME: z.string().nullish(),
    LAST_NAME: z.string().nullish(),
    PHONE: Values,
    EMAIL: Values,
  }),
})
const Refusal = z.object({ error: z.union([z.string(), z.number()]), error_description: z.string().default('') })

export interface BitrixContact {
  id: string
  email: string | null
  phone: string | null
  name: string | null
  lastName: string | null
}

/** The portal answered, but not with a contact. Never carries the address asked: it holds a secret. */
class BitrixFailed extends Error {
  constructor(why: string) {
    super(`Bitrix24: ${why}`)
    this.name = 'BitrixFailed'
  }
}

/** The body as JSON; reading stops where it is too long. @throws BitrixFailed */
async function readJson(response: Response): Promise<unknown> {
  const bytes = await readBytes(response, answerBytesMax)
  if (bytes === null) throw new BitrixFailed('the answer is too long')
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new BitrixFailed(`answered ${response.status} without JSON`)
  }
}

/**
 * Asks the configured portal, and nobody a webhook event names (that would let a stranger send us anywhere), for one contact;
 * null when there is none any more.
 * @throws BitrixFailed, or what `fetch` throws
 */
export async function fetchContact(restUrl: string, id: string): Promise<BitrixContact | null> {
  const response = await fetch(`${restUrl.replace(/\/$/, '')}/crm.contact.get.json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: Number(id) }),
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const body = await readJson(response)
  const refusal = Refusal.safeParse(body)
  if (refusal.success) {
    if (/not found/i.test(refusal.data.error_description)) return null
    throw new BitrixFailed(`answered ${response.status} ${refusal.data.error}`.slice(0, 100))
  }
  const parsed = Answer.safeParse(body)
  if (!parsed.success) throw new BitrixFailed(`answered ${response.status} without a contact`)
  const { ID, NAME, LAST_NAME, PHONE, EMAIL } = parsed.data.result
  if (ID !== id) throw new BitrixFailed('answered with another contact')
  const first = (values: z.output<typeof Values>) => values?.[0]?.VALUE ?? null
  return { id, email: first(EMAIL), phone: first(PHONE), name: NAME ?? null, lastName: LAST_NAME ?? null }
}
