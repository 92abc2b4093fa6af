import type { LoyaltyCode, LoyaltyReason } from '../../db/loyalty/refused.ts'
import { isAbsent } from '../absent.ts'
import { toUnitsText } from '../money.ts'
import { type Failure, type Issue, Misshapen, type Target, type Words } from '../surface.ts'

/** Every refusal on this surface: its status (docs/contracts.md 3, "Коды ошибок") and its words. */
export const words: Words<LoyaltyCode> = {
  not_found: [404, 'Не найдено'],
  conflict: [400, 'Операция невозможна в текущем состоянии'],
  duplicate: [400, 'Такая запись уже существует'],
  invalid: [400, 'Неверные данные'],
  unauthenticated: [401, 'Не удалось проверить учётные данные'],
  forbidden: [403, 'Недостаточно прав'],
  not_yours: [403, 'Недостаточно прав'],
  idempotency_mismatch: [400, 'Ключ идемпотентности уже использован для другой операции'],
  insufficient_funds: [
    400,
    ({ available }) =>
      `Недостаточно средств${typeof available === 'number' ? `. Доступно: ${toUnitsText(available)}` : ''}`,
  ],
  unreadable: [422, 'Тело запроса не читается'],
  media_type: [422, 'Тело запроса другого типа'],
  no_method: [405, 'Метод не поддерживается'],
  too_large: [413, 'Тело запроса слишком велико'],
  limit: [429, 'Слишком много запросов, повторите позже'],
  unavailable: [503, 'Сервис временно недоступен, повторите позже'],
  internal: [500, 'Внутренняя ошибка сервера'],
}

/** A `duplicate` says what is taken. */
export const taken = {
  email: 'Пользователь с таким email уже зарегистрирован',
  phone: 'Пользователь с таким телефоном уже зарегистрирован',
  custom_code: 'Такой реферальный код уже занят',
}

/** The words for `about.reason`, where a verb says more than its code. */
export const reasons: Record<LoyaltyReason, string> = {
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

/** What is wrong with the shape of a request, in FastAPI's words: where, what, and which kind of mistake. */
export interface Fault {
  loc: (string | number)[]
  msg: string
  type: string
}

/** A request whose shape no schema could judge: 422 with these faults. */
export const misshapen = (...faults: Fault[]) => new Misshapen({ detail: faults })

/** The fault of a field that is required and not there. */
export const missing = (...loc: string[]): Fault => ({ loc, msg: 'Обязательное поле', type: 'missing' })

/** A body that is not what its content type says, or of a type that the route does not take: a fault as well. */
const faultTypes: Record<string, string> = { unreadable: 'json_invalid', media_type: 'model_attributes_type' }

/** Every error of the surface as `{detail}`. */
export const failure = ({ code, words, requestId }: Failure) => ({
  detail: faultTypes[code] ? [{ loc: ['body'], msg: words, type: faultTypes[code] }] : words,
  ...(requestId === undefined ? {} : { request_id: requestId }),
})

const kinds: Record<string, readonly [string, string]> = {
  string: ['string_type', 'ожидается строка'],
  number: ['float_type', 'ожидается число'],
  int: ['int_type', 'ожидается целое число'],
  boolean: ['bool_type', 'ожидается true или false'],
  object: ['model_attributes_type', 'ожидается объект'],
  array: ['list_type', 'ожидается список'],
}

/** Where FastAPI says a fault is. */
const parts: Partial<Record<Target, string>> = { json: 'body', form: 'body', param: 'path' }

/** What zod found wrong with this part of a request, as FastAPI would list it. */
export const faultsOf = (issues: Issue[], target: Target, data: unknown): Fault[] =>
  issues.map((issue) => explain(issue, parts[target] ?? target, data))

/**
 * One validation issue as FastAPI would list it; `part` is where in the request, `data` what stood there, where it is
 * known. A schema's own Russian message wins.
 */
function explain(issue: Issue, part: string, data?: unknown): Fault {
  const loc = [part, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))]
  const told = (type: string, msg: string): Fault => ({
    loc,
    msg: /[а-яё]/i.test(issue.message) ? issue.message : msg,
    type,
  })
  if (isAbsent(issue, data)) return { ...missing(), loc }
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
