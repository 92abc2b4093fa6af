import type { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type RefusalCode, Refused } from '../../db/platform/refused.ts'
import type { Env } from '../context.ts'
import { faultStatus } from '../error-status.ts'
import { loggedPath } from '../logged-path.ts'
import { toUnitsText } from './money.ts'

const elsewhere = [400, 'Операция невозможна в текущем состоянии'] as const

/** Every refusal on this surface: its status (docs/contracts.md 3, "Коды ошибок") and its words. */
export const status: Record<RefusalCode, readonly [ContentfulStatusCode, string]> = {
  not_found: [404, 'Не найдено'],
  conflict: [400, 'Операция невозможна в текущем состоянии'],
  duplicate: [400, 'Такая запись уже существует'],
  invalid: [400, 'Неверные данные'],
  unauthorised: [401, 'Не удалось проверить учётные данные'],
  forbidden: [403, 'Недостаточно прав'],
  not_yours: [403, 'Недостаточно прав'],
  limit_reached: [400, 'Достигнут предел'],
  idempotency_mismatch: [400, 'Ключ идемпотентности уже использован для другой операции'],
  insufficient_funds: [400, 'Недостаточно средств'],
  // What only devices and their fleets refuse: no verb of this surface asks them.
  station_not_found: elsewhere,
  station_inactive: elsewhere,
  device_offline: elsewhere,
  device_silent: elsewhere,
  no_access: elsewhere,
  slot_out_of_range: elsewhere,
  slot_empty: elsewhere,
  no_free_slot: elsewhere,
  no_power_bank: elsewhere,
  power_bank_not_found: elsewhere,
  power_bank_not_active: elsewhere,
  power_bank_on_loan: elsewhere,
  power_bank_not_in_station: elsewhere,
  no_open_order: elsewhere,
  eject_failed: elsewhere,
  too_many_commands: elsewhere,
}

/** A `duplicate` says what is taken. */
const taken: Record<string, string> = {
  email: 'Пользователь с таким email уже зарегистрирован',
  phone: 'Пользователь с таким телефоном уже зарегистрирован',
  custom_code: 'Такой реферальный код уже занят',
}

/** The words for `about.reason`, where a verb says more than its code. */
const reasons: Record<string, string> = {
  account_unknown: 'Счёт лояльности не найден',
  account_inactive: 'Счёт лояльности не активен',
  rule_unknown: 'Правило не найдено',
  rule_percentage: 'Не больше 100 процентов',
  user_unknown: 'Пользователь не найден',
  user_inactive: 'Учётная запись не активна',
  certificate_unknown: 'Сертификат не найден',
  certificate_used: 'Сертификат уже использован',
  certificate_expired: 'Срок действия сертификата истёк',
  certificate_cancelled: 'Сертификат отменён',
  validity_past: 'Срок действия должен быть в будущем',
  recipient_unknown: 'Получатель не зарегистрирован',
  transfer_to_owner: 'Сертификат уже принадлежит получателю',
  document_used: 'Документ уже учтён с другим содержанием',
  referral_code_unknown: 'Реферальный код не найден или не действует',
  own_referral_code: 'Нельзя использовать собственный реферальный код',
  referrer_type_foreign: 'Этот тип назначает только администратор',
}

/** Refusals that are HTTP's own: no verb was asked. */
const httpStatus: Record<number, readonly [ContentfulStatusCode, string]> = {
  404: [404, 'Не найдено'],
  405: [405, 'Метод не поддерживается'],
  413: [413, 'Тело запроса слишком велико'],
  429: [429, 'Слишком много запросов, повторите позже'],
  503: [503, 'Сервис временно недоступен, повторите позже'],
}
const faultText = { 400: 'Неверные данные', 500: 'Внутренняя ошибка сервера', 503: httpStatus[503]![1] }

/** What is wrong with the shape of a request, in FastAPI's words: where, what, and which kind of mistake. */
export interface Fault {
  loc: (string | number)[]
  msg: string
  type: string
}

/** A request whose shape no schema could judge: 422 with these faults. */
export class Misshapen extends Error {
  readonly faults: Fault[]
  constructor(...faults: Fault[]) {
    super('the request has another shape')
    this.name = 'Misshapen'
    this.faults = faults
  }
}

/** The fault of a field that is required and not there. */
export const missing = (...loc: string[]): Fault => ({ loc, msg: 'Обязательное поле', type: 'missing' })

/** Hono's words for a body that is not what its content type says, or of a type that the route does not take. */
const unreadable: Record<number, Fault> = {
  400: { loc: ['body'], msg: 'Тело запроса не читается', type: 'json_invalid' },
  415: { loc: ['body'], msg: 'Тело запроса другого типа', type: 'model_attributes_type' },
}

/** The words of a refusal: `about.text` of a route of this surface, else those for `about.reason`, else the code's. */
export function words({ code, about }: Refused): string {
  const { text, field, reason, available } = about
  if (typeof text === 'string') return text
  if (code === 'insufficient_funds' && typeof available === 'number')
    return `${status[code][1]}. Доступно: ${toUnitsText(available)}`
  if (typeof reason === 'string' && reasons[reason]) return reasons[reason]
  if (code === 'duplicate' && typeof field === 'string' && taken[field]) return taken[field]
  return status[code][1]
}

/** Every error of the surface as `{detail}`. Only what nobody threw on purpose is logged, with the request's id. */
export function failure(error: Error, c: Context<Env>): Response {
  if (error instanceof Refused) {
    const [code] = status[error.code]
    if (code === 401) c.header('WWW-Authenticate', 'Bearer')
    return c.json({ detail: words(error) }, code)
  }
  if (error instanceof Misshapen) return c.json({ detail: error.faults }, 422)
  if (error instanceof HTTPException) {
    const fault = unreadable[error.status]
    if (fault) return c.json({ detail: [fault] }, 422)
    const [code, detail] = httpStatus[error.status] ?? [500, faultText[500]]
    return c.json({ detail }, code)
  }
  const code = faultStatus(error)
  if (code === 400) return c.json({ detail: faultText[400] }, 400)
  c.var.log('request.failed', { requestId: c.env.requestId, path: loggedPath(c.req.path), error })
  return c.json({ detail: faultText[code], request_id: c.env.requestId }, code)
}

/** What the door refuses for this surface, before any route is asked. */
export const refuse = (code: 405 | 413) => Response.json({ detail: httpStatus[code]![1] }, { status: code })

type Issue = z.core.$ZodIssue
const kinds: Record<string, readonly [string, string]> = {
  string: ['string_type', 'ожидается строка'],
  number: ['float_type', 'ожидается число'],
  int: ['int_type', 'ожидается целое число'],
  boolean: ['bool_type', 'ожидается true или false'],
  object: ['model_attributes_type', 'ожидается объект'],
  array: ['list_type', 'ожидается список'],
}

const valueAt = (data: unknown, path: PropertyKey[]): unknown =>
  path.reduce<any>((value, step) => (typeof value === 'object' ? value?.[step] : undefined), data)

/**
 * One validation issue as FastAPI would list it; `part` is where in the request, `data` what stood there, where it is
 * known. A schema's own Russian message wins.
 */
export function explain(issue: Issue, part: string, data?: unknown): Fault {
  const loc = [part, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))]
  const told = (type: string, msg: string): Fault => ({
    loc,
    msg: /[а-яё]/i.test(issue.message) ? issue.message : msg,
    type,
  })
  const isAbsent = data !== undefined && issue.path.length > 0 && valueAt(data, issue.path) === undefined
  if (isAbsent || /received undefined$/.test(issue.message)) return { ...missing(), loc }
  if (issue.code === 'custom') return told(String(issue.params?.type ?? 'value_error'), 'недопустимое значение')
  switch (issue.code) {
    case 'invalid_type':
      return told(...(kinds[issue.expected] ?? (['value_error', `ожидается ${issue.expected}`] as const)))
    case 'too_small':
      return issue.origin === 'string'
        ? told('string_too_short', `не короче ${issue.minimum} символов`)
        : told('greater_than_equal', `не меньше ${issue.minimum}`)
    case 'too_big':
      return issue.origin === 'string'
        ? told('string_too_long', `не длиннее ${issue.maximum} символов`)
        : told('less_than_equal', `не больше ${issue.maximum}`)
    case 'invalid_value':
      return told('enum', `допустимые значения: ${issue.values.map(String).join(', ')}`)
    default:
      return told('value_error', 'неверный формат')
  }
}
