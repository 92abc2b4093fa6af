import type { GetproCode, GetproReason } from '../../db/getpro/refused.ts'
import { snaked } from '../names.ts'
import type { Failure, Issue, Words } from '../surface.ts'

/** Every refusal on this surface: its status and its words (docs/contracts.md 2, "Коды ошибок"). */
export const words: Words<GetproCode> = {
  not_found: [404, 'Не найдено'],
  conflict: [409, 'Операция невозможна в текущем состоянии'],
  duplicate: [409, 'Такая запись уже существует'],
  invalid: [400, 'Неверные данные'],
  unauthenticated: [401, 'Не авторизован'],
  forbidden: [403, 'Недостаточно прав'],
  not_yours: [403, 'Недостаточно прав'],
  idempotency_mismatch: [409, 'Ключ идемпотентности уже использован для другой операции'],
  insufficient_funds: [400, 'Недостаточно средств на балансе'],
  unreadable: [400, 'Тело запроса не читается'],
  media_type: [400, 'Тело запроса другого типа'],
  no_method: [405, 'Метод не поддерживается'],
  too_large: [413, 'Тело запроса слишком велико'],
  limit: [429, 'Превышен лимит запросов'],
  unavailable: [503, 'Сервис недоступен'],
  internal: [500, 'Внутренняя ошибка сервера'],
}

/** The document's codes, and ours where it has none (docs/contracts.md 2). */
const codes: Record<keyof typeof words, string> = {
  not_found: 'NOT_FOUND',
  conflict: 'CONFLICT',
  duplicate: 'DUPLICATE',
  invalid: 'INVALID_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  not_yours: 'FORBIDDEN',
  idempotency_mismatch: 'IDEMPOTENCY_CONFLICT',
  insufficient_funds: 'INSUFFICIENT_FUNDS',
  unreadable: 'INVALID_REQUEST',
  media_type: 'INVALID_REQUEST',
  no_method: 'METHOD_NOT_ALLOWED',
  too_large: 'PAYLOAD_TOO_LARGE',
  limit: 'RATE_LIMIT_EXCEEDED',
  unavailable: 'SERVICE_UNAVAILABLE',
  internal: 'INTERNAL_ERROR',
}

/** Reasons that have a code of their own in the document. */
const codesByReason: Partial<Record<GetproReason, string>> = {
  account_unknown: 'USER_NOT_FOUND',
  login_unknown: 'USER_NOT_FOUND',
  payment_unknown: 'PAYMENT_NOT_FOUND',
  provider_refused: 'PAYMENT_REFUSED',
}

/** The words for `about.reason`, where a verb says more than its code. */
export const reasons: Record<GetproReason, string> = {
  account_unknown: 'Пользователь не найден',
  broadcast_unknown: 'Рассылка не найдена',
  login_unknown: 'Учётная запись не найдена',
  inviter_unknown: 'Пригласивший не найден',
  plan_unknown: 'Тариф не найден',
  plan_without_stars: 'Тариф не продаётся за звёзды',
  provider_off: 'Провайдер не настроен',
  provider_unreachable:
    'Провайдер не ответил: платёж записан, его состояние выяснится само; можно повторить с тем же ключом',
  provider_refused: 'Провайдер отказал',
  provider_cannot: 'Через этого провайдера так нельзя',
  payment_not_paid: 'Платёж не оплачен или уже возвращён',
  payment_not_held: 'Платёж не удержан: подтвердить или отменить нечего',
  payment_busy: 'Платёж уже подтверждают или отменяют',
  refund_too_much: 'Столько вернуть нельзя',
  payment_unknown: 'Платеж не найден',
  promo_unknown: 'Промокод не найден или не действует',
  promo_used_up: 'Промокод исчерпан',
  promo_used: 'Промокод уже использован',
  subscription_unknown: 'Подписка не найдена',
  no_saved_method: 'Нет сохранённого способа оплаты',
  renewed_elsewhere: 'Подписку продлевает платёжный сервис: управлять продлением нужно в нём',
  task_unknown: 'Задача не найдена',
  trial_used: 'Пробный период уже использован',
}

/** A `duplicate` says what is taken. */
export const taken = {
  telegram_id: 'Пользователь с таким Telegram id уже есть',
  code: 'Такой промокод уже есть',
  name: 'Тариф с таким названием уже есть',
  login_id: 'Учётная запись уже связана с другим пользователем',
}

/** An error as the document has it. */
export const errorOf = (code: string, message: string, details: object = {}) => ({
  status: 'error' as const,
  error: { code, message, details },
  timestamp: new Date().toISOString(),
})

/** Every error of the surface. */
export const failure = ({ code, words, about, requestId }: Failure) => {
  const { reason, ...rest } = about
  const details = snaked(rest, (at) => at.toISOString())
  const known = (reason && codesByReason[reason as GetproReason]) ?? codes[code as keyof typeof codes]
  return errorOf(known, words, requestId === undefined ? details : { ...details, request_id: requestId })
}

/** What zod found wrong with a request: which field, and what. */
export const shapeOf = (issues: Issue[]) => ({
  ...errorOf('VALIDATION_ERROR', 'Запрос не той формы', {
    fields: issues.map(({ path, message }) => ({ field: path.map(String).join('.'), message })),
  }),
})
