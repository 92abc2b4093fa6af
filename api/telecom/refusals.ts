import type { TelecomCode, TelecomReason } from '../../db/telecom/refused.ts'
import { isAbsent } from '../absent.ts'
import { toUnitsText } from '../money.ts'
import type { Failure, Issue, Target, Words } from '../surface.ts'

/** Every refusal on this surface: its status and its words (docs/contracts.md 5). */
export const words: Words<TelecomCode> = {
  not_found: [404, 'Страница не найдена.'],
  conflict: [400, 'Операция невозможна в текущем состоянии'],
  duplicate: [400, 'Такая запись уже существует'],
  invalid: [400, 'Недопустимое значение'],
  unauthenticated: [401, 'Учетные данные не были предоставлены или недействительны.'],
  forbidden: [403, 'У вас недостаточно прав для выполнения данного действия.'],
  not_yours: [403, 'У вас недостаточно прав для выполнения данного действия.'],
  idempotency_mismatch: [400, 'Операция уже выполнена с другими данными'],
  insufficient_funds: [
    400,
    ({ available }) =>
      `Недостаточно средств на балансе${typeof available === 'number' ? `. Доступно: ${toUnitsText(available)}` : ''}`,
  ],
  unreadable: [400, 'Тело запроса не читается'],
  media_type: [415, 'Неподдерживаемый тип данных в запросе: ожидается application/json.'],
  no_method: [405, 'Метод не разрешен.'],
  too_large: [413, 'Тело запроса слишком велико'],
  limit: [429, 'Запрос был проигнорирован: слишком много запросов.'],
  unavailable: [503, 'Сервис временно недоступен, повторите позже'],
  internal: [500, 'Внутренняя ошибка сервера'],
}

/** A `duplicate` says what is taken. */
export const taken = {
  phone: 'Клиент с таким телефоном уже существует.',
  email: 'Клиент с таким email уже существует.',
  iccid: 'SIM-карта с таким ICCID уже существует.',
  imsi: 'SIM-карта с таким IMSI уже существует.',
  msisdn: 'SIM-карта с таким номером уже существует.',
  name: 'Тариф с таким названием уже существует.',
  transaction_id: 'Платеж с таким transaction_id уже существует.',
}

/** The words for `about.reason`, where a verb says more than its code. */
export const reasons: Record<TelecomReason, string> = {
  customer_unknown: 'Клиент не найден',
  contract_unknown: 'Договор не найден',
  sim_unknown: 'SIM-карта не найдена',
  tariff_unknown: 'Тариф не найден',
  payment_unknown: 'Платеж не найден',
  ticket_unknown: 'Тикет не найден',
  invoice_unknown: 'Счет не найден',
  user_unknown: 'Сотрудник не найден',
  customer_activate: 'Клиент уже активен',
  customer_suspend: 'Приостановить можно только активного клиента',
  customer_block: 'Заблокировать можно только активного или приостановленного клиента',
  customer_archive: 'Клиент уже в архиве',
  customer_inactive: 'Клиент не активен',
  customer_has_contracts: 'У клиента есть действующие договоры',
  customer_in_use: 'Нельзя удалить клиента, у которого есть договоры или тикеты',
  contract_activate: 'Активировать можно только черновик договора',
  contract_suspend: 'Приостановить можно только активный договор',
  contract_resume: 'Возобновить можно только приостановленный договор',
  contract_terminate: 'Договор уже закрыт',
  contract_fixed: 'Клиента можно изменить только у черновика договора',
  contract_in_use: 'Удалить можно только черновик договора без платежей и тикетов',
  contract_in_debt: 'Договор приостановлен за долг: сначала пополните баланс',
  contract_not_charged: 'По черновику договора списаний нет',
  contract_has_sim: 'У договора уже есть SIM-карта',
  contract_is_draft: 'Договор еще не активирован',
  contract_is_terminated: 'Договор закрыт',
  contract_of_another: 'Договор принадлежит другому клиенту',
  sim_activate: 'Активировать можно только свободную SIM-карту',
  sim_suspend: 'Приостановить можно только активную SIM-карту',
  sim_resume: 'Возобновить можно только приостановленную или заблокированную SIM-карту',
  sim_deactivate: 'Деактивировать можно только активную, приостановленную или заблокированную SIM-карту',
  sim_block: 'SIM-карта уже заблокирована или закрыта',
  sim_close: 'Закрыть можно только свободную или заблокированную SIM-карту',
  sim_not_free: 'SIM-карта не свободна',
  sim_in_use: 'SIM-карта используется договором',
  tariff_activate: 'Тариф уже активен',
  tariff_deactivate: 'Тариф уже неактивен',
  tariff_inactive: 'Тариф неактивен',
  tariff_in_use: 'Тариф используется договорами',
  payment_begin: 'Платеж уже не в ожидании',
  payment_process: 'Обработать можно только платеж в ожидании или в обработке',
  payment_refund: 'Вернуть можно только платеж в ожидании или в обработке',
  payment_cancel: 'Отменить можно только платеж в ожидании или в обработке',
  payment_fail: 'Отметить неуспешным можно только платеж в ожидании или в обработке',
  payment_booked: 'Проведенный платеж нельзя изменить или удалить',
  payment_sign: 'Сумма должна быть больше 0',
  ticket_assign: 'Решенный или закрытый тикет нельзя назначить',
  ticket_startWork: 'Работу можно начать только над новым, назначенным или ожидающим тикетом',
  calendar_missing:
    'Срок тикета не посчитать: нет календаря рабочих дней на этот год. Его загружает администратор: npm run telecom -- calendar',
  ticket_started: 'Работа над тикетом уже начата',
  ticket_wait: 'В ожидание можно перевести только тикет в работе',
  ticket_goOn: 'Продолжить можно только ожидающий тикет',
  ticket_resolve: 'Тикет уже решен или закрыт',
  ticket_close: 'Тикет уже закрыт',
  ticket_reason_needed: 'Нерешенный тикет закрывается только с указанием причины',
  ticket_reopen: 'Переоткрыть можно только решенный или закрытый тикет',
}

/** An error that is about no field. */
export const errorOf = (message: string) => ({ status: 'error' as const, message })

/** Every error of the surface: of a field by its name, as Django REST framework's clients read it, or in words. */
export const failure = ({ status, words, about, requestId }: Failure): Record<string, unknown> => {
  const { field, code } = about
  if (field) return { [field]: [words] }
  return {
    ...errorOf(words),
    ...([401, 403, 404, 405, 415, 429].includes(status) ? { detail: words } : {}),
    ...(code === undefined ? {} : { code }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
  }
}

/** One mistake, in Django REST framework's words; a schema's own Russian message wins. */
function explain(issue: Issue, data: unknown): string {
  if (isAbsent(issue, data)) return 'Обязательное поле.'
  if (/[а-яё]/i.test(issue.message)) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'object' ? 'Неправильные данные: ожидается объект.' : 'Недопустимое значение.'
    case 'too_small':
      if (issue.origin !== 'string') return `Убедитесь, что это значение больше либо равно ${issue.minimum}.`
      return issue.minimum === 1
        ? 'Это поле не может быть пустым.'
        : `Убедитесь, что это значение содержит не менее ${issue.minimum} символов.`
    case 'too_big':
      return issue.origin === 'string'
        ? `Убедитесь, что это значение содержит не более ${issue.maximum} символов.`
        : `Убедитесь, что это значение меньше либо равно ${issue.maximum}.`
    case 'invalid_value':
      return `Допустимые значения: ${issue.values.map(String).join(', ')}.`
    default:
      return 'Недопустимое значение.'
  }
}

/** What zod found wrong with a request: `{field: [text]}`. */
export function fieldsOf(issues: Issue[], _target: Target, data: unknown): Record<string, string[]> {
  const fields: Record<string, string[]> = {}
  for (const issue of issues) {
    const field = String(issue.path[0] ?? 'non_field_errors')
    fields[field] = [...(fields[field] ?? []), explain(issue, data)]
  }
  return fields
}

/** The same of an act, which is told in one sentence. */
export const sentenceOf = (issues: Issue[], target: Target, data: unknown) =>
  errorOf(
    Object.entries(fieldsOf(issues, target, data))
      .map(([field, texts]) => (field === 'non_field_errors' ? texts.join(' ') : `${field}: ${texts.join(' ')}`))
      .join(' '),
  )
