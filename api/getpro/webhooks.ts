import { type RouteConfig, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { AppContext, Env } from '../context.ts'
import { type Limiter, limitBody, limiter, slowDown } from '../limit.ts'
import { at, word } from '../providers/payload.ts'
import { jsonOf, type Provider, Unreadable } from '../providers/provider.ts'
import * as webhookEvents from '../providers/webhook-events.ts'
import { errorOf } from './refusals.ts'
import { json, no, router, success } from './surface.ts'

type Name = Exclude<Provider['name'], '1c' | 'bitrix24'>

const tags = ['Webhook']
/** Telegram waits ten seconds for the answer to a checkout. */
const checkoutMs = 8_000
const checkoutWords: Record<string, string> = {
  unknown: 'Заказ не найден',
  closed: 'Заказ уже оплачен или отменён',
  price: 'Цена изменилась, начните заново',
  late: 'Не удалось проверить заказ, попробуйте ещё раз',
}

/** What each wants to hear of a webhook event that is stored: said again, of no use, of nothing we know, all the same. */
const accepted: Record<Name, (c: Context<Env>) => Response> = {
  yookassa: (c) => c.json(success('Уведомление принято'), 200),
  cryptopay: (c) => c.json(success('Уведомление принято'), 200),
  freekassa: (c) => c.text('YES', 200),
  tribute: (c) => c.json({ status: 'ok' }, 200),
  // Telegram would take a body for a call of its own API.
  stars: (c) => c.body(null, 200),
  panel: (c) => c.json(success('Уведомление принято'), 200),
}

interface Door {
  providers: webhookEvents.Providers
  /** Of requests that are not authentic; null: they are not counted. */
  forgeries: Limiter | null
}

const refuse = (c: Context<Env>, status: 400 | 403 | 503, code: string, words: string) =>
  c.json(errorOf(code, words), status)

/** The fields of a form, whichever way they were sent. */
async function formOf(c: Context<Env>): Promise<Buffer> {
  if (c.req.method === 'GET') return Buffer.from(new URL(c.req.url).search.slice(1))
  const raw = Buffer.from(await c.req.arrayBuffer())
  const contentType = c.req.header('content-type') ?? ''
  if (!/^\s*multipart\/form-data\b/i.test(contentType)) return raw
  try {
    const form = await new Response(raw, { headers: { 'content-type': contentType } }).formData()
    const fields = [...form].filter((field): field is [string, string] => typeof field[1] === 'string')
    return Buffer.from(new URLSearchParams(fields).toString())
  } catch {
    // No form of any kind: nothing in it will be signed.
    return raw
  }
}

/** Everything a provider's request goes through: configured, authentic, stored; it is worked by the inbox task. */
function receiver({ providers, forgeries }: Door, name: Name) {
  return async (c: Context<Env>) => {
    const provider = providers[name]
    if (!provider) return refuse(c, 503, 'SERVICE_UNAVAILABLE', 'Провайдер не настроен')
    const raw = name === 'freekassa' ? await formOf(c) : Buffer.from(await c.req.arrayBuffer())
    const { address } = c.env
    const { log } = c.var
    if (!provider.isAuthentic(raw, c.req.raw.headers, address)) {
      log('webhook.forged', { provider: name, address })
      if (forgeries) slowDown(c, forgeries.take(address))
      return refuse(c, 403, 'INVALID_SIGNATURE', 'Неверная подпись')
    }
    if (provider.isExpected?.(address) === false) log('webhook.elsewhere', { provider: name, address })
    const answer = take(c, providers, name, raw)
    return name === 'stars' ? await inTime(c, answer, raw) : await answer
  }
}

/** Stores what is authentic, and answers it. */
async function take(c: Context<Env>, providers: webhookEvents.Providers, name: Name, raw: Buffer): Promise<Response> {
  const { db, log } = c.var
  try {
    const told = { raw, headers: c.req.raw.headers, address: c.env.address }
    const { webhookEvent, is, isLater } = await webhookEvents.take(db, providers[name]!, told)
    const { id: webhookEventId } = webhookEvent
    log(is === 'conflict' ? 'webhook.contradicted' : 'webhook.received', { provider: name, webhookEventId, is })
    if (isLater || is === 'conflict') return accepted[name](c)
    const { webhookEvent: worked } = await webhookEvents.work(db, providers, webhookEventId)
    return c.json(checkoutAnswer(checkoutOf(raw) ?? '', worked.result ?? {}), 200)
  } catch (error) {
    if (!(error instanceof Unreadable)) {
      // Whatever it was: it is not stored, and its sender has to send it again.
      log('webhook.unstored', { provider: name, requestId: c.env.requestId, error })
      return refuse(c, 503, 'SERVICE_UNAVAILABLE', 'Сервис недоступен, повторите позже')
    }
    log('webhook.unread', { provider: name, reason: error.message })
    // Telegram would send the same again and again, and nobody can mend it.
    if (name === 'stars') return accepted.stars(c)
    return refuse(c, 400, 'INVALID_REQUEST', 'Тело запроса не читается')
  }
}

/** The id of the checkout that an update is; null: it is something else. */
function checkoutOf(raw: Buffer): string | null {
  try {
    return word(at(jsonOf(raw), 'pre_checkout_query', 'id'))
  } catch (error) {
    if (error instanceof Unreadable) return null
    throw error
  }
}

/** A call of the Bot API in the place of an answer (docs/providers.md 5). */
const checkoutAnswer = (id: string, { isAllowed = false, refusal = 'late' }: Record<string, any>) => ({
  method: 'answerPreCheckoutQuery',
  pre_checkout_query_id: id,
  ok: isAllowed,
  ...(isAllowed ? {} : { error_message: checkoutWords[refusal] ?? checkoutWords.late }),
})

/** What a checkout is answered in time, whatever becomes of it: Telegram asks no second time. */
async function inTime(c: Context<Env>, answer: Promise<Response>, raw: Buffer): Promise<Response> {
  const id = checkoutOf(raw)
  if (id === null) return await answer
  const { promise: late, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => resolve(null), checkoutMs)
  const first = await Promise.race([answer, late])
  clearTimeout(timer)
  if (first && first.status === 200) return first
  c.var.log('webhook.late', { provider: 'stars', requestId: c.env.requestId })
  return c.json(checkoutAnswer(id, {}), 200)
}

const Accepted = z
  .object({
    status: z.literal('success'),
    data: z.record(z.string(), z.any()).openapi({ example: {} }),
    message: z.string().openapi({ example: 'Уведомление принято' }),
    timestamp: z.string().openapi({ format: 'date-time' }),
  })
  .openapi('WebhookAccepted')
const anything = { 'application/json': { schema: z.record(z.string(), z.any()) } }
const text = { 'text/plain': { schema: z.literal('YES') } }

interface Described {
  summary: string
  /** The security scheme that proves it. */
  proof: string
  header: string | null
  accepts: object
  answers: RouteConfig['responses'][number]
}

/** Each with what proves it, and what it is answered. */
const described: Record<Name, Described> = {
  yookassa: {
    summary: 'Уведомления YooKassa; подлинность — адрес отправителя и перечитывание объекта по API',
    ...{ proof: 'yookassaAddress', header: null, accepts: anything },
    answers: { description: 'Принято; повтор получает то же', ...json(Accepted) },
  },
  cryptopay: {
    summary: 'Оплаченные счета CryptoPay; HMAC-SHA256 тела, ключ — SHA-256 токена',
    ...{ proof: 'cryptopaySignature', header: 'crypto-pay-api-signature', accepts: anything },
    answers: { description: 'Принято; повтор получает то же', ...json(Accepted) },
  },
  freekassa: {
    summary: 'Оплаченные заказы FreeKassa; подпись в поле SIGN, ответ ровно YES',
    ...{ proof: 'freekassaSign', header: null },
    accepts: { 'application/x-www-form-urlencoded': { schema: z.record(z.string(), z.string()) } },
    answers: { description: 'Принято; повтор получает то же', content: text },
  },
  tribute: {
    summary: 'События Tribute; HMAC-SHA256 тела',
    ...{ proof: 'tributeSignature', header: 'trbt-signature', accepts: anything },
    answers: { description: 'Принято; повтор получает то же', ...json(z.object({ status: z.literal('ok') })) },
  },
  stars: {
    summary: 'Обновления Telegram: оплата звёздами, проверка перед оплатой; секрет setWebhook',
    ...{ proof: 'telegramSecret', header: 'X-Telegram-Bot-Api-Secret-Token', accepts: anything },
    answers: { description: 'Пустой ответ; на pre_checkout_query — вызов answerPreCheckoutQuery' },
  },
  panel: {
    summary: 'События панели Remnawave; HMAC-SHA256 тела',
    ...{ proof: 'panelSignature', header: 'X-Remnawave-Signature', accepts: anything },
    answers: { description: 'Принято; повтор получает то же', ...json(Accepted) },
  },
}

const proofOf = (header: string | null) =>
  header === null
    ? { type: 'apiKey' as const, in: 'query' as const, name: 'SIGN' }
    : { type: 'apiKey' as const, in: 'header' as const, name: header }

/** Webhook events of payment providers and the panel (docs/contracts.md 2): stored before they are answered, worked afterwards. */
export function webhooks({ config, providers }: Pick<AppContext, 'config' | 'providers'>) {
  const app = router()
  const { notices } = config.providers
  const forgeries = notices.limit && limiter(notices.limit.requests, notices.limit.windowSeconds)
  const door = { providers, forgeries }
  app.use('/webhook/*', limitBody(notices.bodyBytesMax))
  for (const [name, { summary, proof, header, accepts, answers }] of Object.entries(described) as [Name, Described][]) {
    const path = `/webhook/${name}`
    app.openAPIRegistry.registerComponent('securitySchemes', proof, proofOf(header))
    // Described, but not read by the description: the bytes decide, whatever their content type.
    app.openAPIRegistry.registerPath({
      ...{ method: 'post', path, tags, summary, security: [{ [proof]: [] }] },
      request: { body: { required: true, content: accepts } },
      responses: { 200: answers, ...no(400, 403, 413, 503) },
    } as RouteConfig)
    app.post(path, receiver(door, name))
  }
  if (notices.freekassa?.isByGet) app.get('/webhook/freekassa', receiver(door, 'freekassa'))
  return app
}
