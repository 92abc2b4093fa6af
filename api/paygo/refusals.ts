import type { PaygoCode, PaygoReason } from '../../db/paygo/refused.ts'
import { type Failure, type Issue, Misshapen, type Words } from '../surface.ts'

const unavailable = 'Терминал недоступен'

/** Every refusal on this surface: its status (docs/contracts.md 1) and its words. */
export const words: Words<PaygoCode> = {
  not_found: [404, 'Ресурс не найден'],
  conflict: [400, 'Операция невозможна в текущем состоянии'],
  duplicate: [400, 'Такая запись уже существует'],
  invalid: [400, 'Неверные данные'],
  unauthenticated: [401, 'Не авторизован: токен отсутствует, истёк или отозван'],
  forbidden: [403, 'Недостаточно прав доступа'],
  not_yours: [404, 'Ресурс не найден'],
  idempotency_mismatch: [409, 'Ключ идемпотентности уже использован для другого запроса'],
  invalid_credentials: [401, 'Неверные данные для входа'],
  account_locked: [423, 'Учётная запись временно заблокирована из-за неверных попыток входа'],
  terminal_unavailable: [400, unavailable],
  device_offline: [400, unavailable],
  device_silent: [400, 'Терминал не ответил'],
  too_many_commands: [400, 'Терминал ещё выполняет прежние команды'],
  unreadable: [422, 'Тело запроса не читается'],
  media_type: [422, 'Тело запроса другого типа: ожидается application/json'],
  no_method: [405, 'Метод не поддерживается'],
  too_large: [413, 'Тело запроса слишком велико'],
  limit: [429, 'Слишком много запросов, повторите позже'],
  unavailable: [503, 'Сервис временно недоступен, повторите позже'],
  internal: [500, 'Внутренняя ошибка сервера'],
}

/** What programs tell them by. A reason that has a name of its own comes before its code. */
const errorCodes: Record<keyof typeof words, string> & { [K in PaygoReason]?: string } = {
  not_found: 'NOT_FOUND',
  conflict: 'BAD_REQUEST',
  duplicate: 'DUPLICATE',
  invalid: 'BAD_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'INSUFFICIENT_PERMISSIONS',
  not_yours: 'NOT_FOUND',
  idempotency_mismatch: 'IDEMPOTENCY_CONFLICT',
  invalid_credentials: 'INVALID_CREDENTIALS',
  account_locked: 'ACCOUNT_LOCKED',
  terminal_unavailable: 'TERMINAL_UNAVAILABLE',
  device_offline: 'TERMINAL_UNAVAILABLE',
  device_silent: 'TERMINAL_UNAVAILABLE',
  too_many_commands: 'TOO_MANY_COMMANDS',
  unreadable: 'VALIDATION_ERROR',
  media_type: 'VALIDATION_ERROR',
  no_method: 'METHOD_NOT_ALLOWED',
  too_large: 'PAYLOAD_TOO_LARGE',
  limit: 'RATE_LIMIT_EXCEEDED',
  unavailable: 'SERVICE_UNAVAILABLE',
  internal: 'INTERNAL_ERROR',
  user_inactive: 'ACCOUNT_INACTIVE',
  password_needed: 'PASSWORD_REQUIRED',
  password_wrong: 'INVALID_PASSWORD',
  card_unknown: 'CARD_NOT_FOUND',
  card_known: 'CARD_ALREADY_ADDED',
  cards_too_many: 'CARD_LIMIT_REACHED',
  card_needed: 'CARD_REQUIRED',
  terminal_unknown: 'TERMINAL_NOT_FOUND',
  method_unsupported: 'PAYMENT_METHOD_NOT_SUPPORTED',
  command_unknown: 'COMMAND_NOT_FOUND',
  transaction_unknown: 'TRANSACTION_NOT_FOUND',
  refund_reversed: 'INVALID_STATE',
  refund_not_completed: 'INVALID_STATE',
  refund_under_way: 'INVALID_STATE',
  refund_too_much: 'REFUND_AMOUNT_EXCEEDED',
  refund_declined: 'REFUND_DECLINED',
  refund_not_for_owners: 'INSUFFICIENT_PERMISSIONS',
  dates_reversed: 'INVALID_DATE_RANGE',
}

/** A `duplicate` says what is taken. */
export const taken = {
  email: 'Пользователь с таким email уже существует',
  phone: 'Пользователь с таким телефоном уже существует',
}

/** The words for `about.reason`, where a verb says more than its code. */
export const reasons: Record<PaygoReason, string> = {
  user_inactive: 'Учётная запись не активна',
  password_needed: 'Вход по паролю был слишком давно: повторите с current_password',
  password_wrong: 'Неверный текущий пароль',
  template_unknown: 'Такой способ биометрического входа не подключён',
  card_unknown: 'Карта не найдена',
  card_known: 'Эта карта уже добавлена',
  cards_too_many: 'Добавлено наибольшее число карт',
  card_needed: 'Нет сохранённой карты: добавьте карту или укажите card_id',
  terminal_unknown: 'Терминал не найден',
  method_unsupported: 'Терминал не поддерживает этот способ оплаты',
  command_unknown: 'Команда не найдена',
  transaction_unknown: 'Транзакция не найдена',
  refund_reversed: 'Транзакция отменена: возвращать нечего',
  refund_not_completed: 'Вернуть можно только завершённую транзакцию',
  refund_under_way: 'По транзакции уже выполняется операция, повторите позже',
  refund_too_much: 'Сумма возврата больше невозвращённого остатка',
  refund_declined: 'Эквайрер отказал в возврате',
  refund_not_for_owners: 'Возврат оформляет сотрудник',
  dates_reversed: 'Начальная дата позже конечной',
}

/** One mistake in the shape of a request. */
export interface Mistake {
  field: string
  message: string
}

const millisecondsAndZone = /\.\d+Z$/
const now = () => new Date().toISOString().replace(millisecondsAndZone, 'Z')
const codeOf = ({ code, about }: Pick<Failure, 'code' | 'about'>) =>
  (about.reason && errorCodes[about.reason as PaygoReason]) ?? errorCodes[code as keyof typeof words]

/** Every error of the surface as `{detail, error_code, timestamp}`. */
export const failure = ({ words: detail, requestId, ...rest }: Failure) => {
  const code = codeOf(rest)
  return {
    detail,
    error_code: code,
    timestamp: now(),
    ...(code === 'VALIDATION_ERROR' ? { errors: [{ field: 'body', message: detail }] } : {}),
    ...(requestId === undefined ? {} : { request_id: requestId }),
  }
}

/** A request of another shape, with all its mistakes; the first is told at once. */
export const mistaken = (errors: readonly Mistake[]) => ({
  detail: errors[0] ? `${errors[0].field}: ${errors[0].message}` : words.invalid[1],
  error_code: 'VALIDATION_ERROR',
  timestamp: now(),
  errors,
})

/** A request whose shape no schema could judge: 422 with these mistakes. */
export const misshapen = (...errors: Mistake[]) => new Misshapen(mistaken(errors))

/** The mistake of a field that is required and not there. */
export const missing = (field: string): Mistake => ({ field, message: 'обязательное поле' })

const kinds: Record<string, string> = {
  string: 'ожидается строка',
  number: 'ожидается число',
  int: 'ожидается целое число',
  boolean: 'ожидается true или false',
  object: 'ожидается объект',
  array: 'ожидается список',
}

/** What zod found wrong, field by field. A schema's own Russian message wins. */
export const mistakesOf = (issues: readonly Issue[]): Mistake[] => issues.flatMap(explain)

function explain(issue: Issue): Mistake[] {
  const field = issue.path.map(String).join('.') || 'body'
  const told = (message: string) => [{ field, message: /[а-яё]/i.test(issue.message) ? issue.message : message }]
  if (/received undefined$/.test(issue.message)) return [missing(field)]
  switch (issue.code) {
    case 'invalid_type':
      return told(kinds[issue.expected] ?? `ожидается ${issue.expected}`)
    case 'too_small':
      return told(issue.origin === 'string' ? `не короче ${issue.minimum} символов` : `не меньше ${issue.minimum}`)
    case 'too_big':
      return told(issue.origin === 'string' ? `не длиннее ${issue.maximum} символов` : `не больше ${issue.maximum}`)
    case 'invalid_value':
      return told(`допустимые значения: ${issue.values.map(String).join(', ')}`)
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ field: [...issue.path, key].map(String).join('.'), message: 'лишнее поле' }))
    default:
      return told('неверный формат')
  }
}
