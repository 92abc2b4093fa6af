import type { KioskReason } from '../../db/kiosk/refused.ts'
import type { PowerbankCode } from '../../db/powerbank/refused.ts'
import { isAbsent } from '../absent.ts'
import type { Failure, Issue, Target, Words } from '../surface.ts'

/** Every refusal on this surface: its status (docs/contracts.md 4, "Коды ответов") and its words. */
export const words: Words<PowerbankCode> = {
  not_found: [404, 'Ресурс не найден'],
  conflict: [400, 'Операция невозможна в текущем состоянии'],
  duplicate: [400, 'Такая запись уже существует'],
  invalid: [400, 'Неверные параметры запроса'],
  unauthenticated: [401, 'Не авторизован'],
  forbidden: [403, 'Доступ запрещен'],
  not_yours: [403, 'Доступ запрещен'],
  station_not_found: [404, 'Станция не найдена'],
  station_inactive: [400, 'Станция не активна'],
  device_offline: [400, 'Станция не подключена'],
  device_silent: [408, 'Станция не ответила вовремя'],
  no_access: [403, 'Нет доступа к этой станции'],
  slot_out_of_range: [400, 'Номер слота вне диапазона станции'],
  slot_empty: [400, 'В слоте нет повербанка'],
  no_free_slot: [400, 'На станции нет свободных слотов'],
  no_power_bank: [400, 'На станции нет доступных повербанков'],
  power_bank_not_found: [404, 'Повербанк не найден'],
  power_bank_not_active: [400, 'Повербанк не активен'],
  power_bank_on_loan: [400, 'Повербанк уже выдан'],
  power_bank_not_in_station: [400, 'Повербанк не находится в станции'],
  no_open_order: [400, 'Активный заказ не найден'],
  limit_reached: [400, 'Достигнут лимит повербанков'],
  eject_failed: [400, 'Станция не смогла выдать повербанк'],
  too_many_commands: [429, 'Слишком много команд в очереди станции, повторите позже'],
  idempotency_mismatch: [400, 'Ключ идемпотентности уже использован для другого запроса'],
  unreadable: [400, 'Тело запроса не читается: ожидается корректный JSON или форма'],
  no_method: [405, 'Метод не поддерживается'],
  too_large: [413, 'Тело запроса слишком велико'],
  // 415 is not among the document's codes.
  media_type: [400, 'Ожидается тело запроса в формате application/json'],
  limit: [429, 'Слишком много запросов, повторите позже'],
  unavailable: [503, 'Сервис временно недоступен, повторите позже'],
  internal: [500, 'Внутренняя ошибка сервера'],
}

/** A `duplicate` says what is taken. */
export const taken = {
  phone: 'Пользователь с таким телефоном уже существует',
  email: 'Пользователь с таким email уже существует',
  username: 'Пользователь с таким именем уже существует',
  role: 'Такая роль у пользователя уже есть',
  box_id: 'Станция с таким box_id уже существует',
  serial_number: 'Повербанк с таким серийным номером уже существует',
  slot_number: 'Слот уже занят',
  powerbank_id: 'Повербанк уже числится в станции',
  station_id: 'Станция уже в избранном',
  terminal_id: 'Терминал уже стоит у станции',
  valid_from: 'Тариф с этого времени уже задан',
}

/** The words for `about.reason`, where a verb says more than its code. */
export const reasons: Record<KioskReason, string> = {
  unit_unknown: 'Организационная единица не найдена',
  unit_in_use: 'Нельзя удалить: есть связанные подгруппы, станции, повербанки или пользователи',
  group_has_parent: 'У группы не может быть родителя',
  group_has_subgroups: 'У группы есть подгруппы: она не может стать подгруппой',
  subgroup_needs_parent: 'Для подгруппы нужна родительская группа',
  parent_is_self: 'Подгруппа не может быть собственным родителем',
  parent_not_group: 'Родитель подгруппы должен быть группой',
  role_needs_unit: 'Для этой роли нужен org_unit_id',
  user_unknown: 'Пользователь не найден',
  user_not_pending: 'Пользователь не ожидает одобрения',
  user_status: 'Такой переход статуса пользователя невозможен',
  user_has_loans: 'Нельзя удалить: у пользователя есть активные заказы',
  own_role: 'Нельзя менять собственную роль, статус или удалять себя',
  role_unknown: 'Роль не найдена',
  slot_occupied: 'Число слотов меньше номера занятого слота',
  power_bank_not_unknown: 'Активировать можно только повербанк со статусом unknown',
  power_bank_written_off: 'Повербанк уже списан',
  power_bank_unknown: 'Повербанк не найден',
  reason_of_active: 'У активного повербанка не может быть причины списания',
  unit_incompatible: 'Повербанк стоит в станции несовместимой группы',
  station_unknown: 'Станция не найдена',
  order_unknown: 'Заказ не найден',
  order_under_way: 'Заказ сейчас обрабатывается станцией, повторите позже',
  order_move: 'Такой переход статуса заказа невозможен',
  loan_unknown: 'Активный заказ этого пользователя на этот повербанк не найден',
  error_type_unknown: 'Неизвестный тип поломки',
  link_unknown: 'Связь станция-повербанк не найдена',
  favorite_unknown: 'Запись избранного не найдена',
  pending_device_unknown: 'Запись карантина не найдена',
  terminal_unknown: 'Терминал не найден',
  kiosk_unknown: 'Киоск не найден',
  tariff_unknown: 'Тариф не найден',
  tariff_needed: 'У группы станции нет действующего тарифа: сначала задайте его',
  valid_from_past: 'Тариф не может начаться в прошлом',
  lost_over_deposit: 'Цена утерянного повербанка больше залога',
  rental_unknown: 'Аренда не найдена',
  command_unknown: 'Станции этого семейства такой команды не знают: она не отправлена',
}

const snake = (name: string) => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
/** Names of a verb's data in this surface's spelling, those inside (a `limit`) too. */
const snakeKeys = (data: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      snake(name),
      value?.constructor === Object ? snakeKeys(value) : value,
    ]),
  )

/** `{success: false, error}`, with what a verb says beside it in snake_case. */
export const failure = ({ words, about, requestId }: Failure) => ({
  ...snakeKeys(about),
  success: false as const,
  error: words,
  ...(requestId === undefined ? {} : { request_id: requestId }),
})

const kindName: Record<string, string> = {
  string: 'строка',
  number: 'число',
  int: 'целое число',
  boolean: 'true или false',
  object: 'объект',
  array: 'список',
}

/** A request of another shape: the first mistake as the error, and the first of each field. */
export function misshapen(issues: Issue[], _target: Target, data: unknown) {
  const told = issues.map((issue) => explain(issue, isAbsent(issue, data)))
  const errors = told.filter(({ field }, at) => told.findIndex((one) => one.field === field) === at)
  return { success: false, error: errors[0]?.error ?? words.invalid[1], errors }
}

/** One validation issue in the surface's words, always naming the field. A schema's own Russian message wins. */
function explain(issue: Issue, isMissing: boolean): { field: string; error: string } {
  const field = issue.path.map(String).join('.') || 'body'
  if (/[а-яё]/i.test(issue.message)) return { field, error: `Поле ${field}: ${issue.message}` }
  if (isMissing) return { field, error: `Отсутствует обязательное поле ${field}` }
  const reason = (): string => {
    switch (issue.code) {
      case 'invalid_type':
        return `ожидается ${kindName[issue.expected] ?? issue.expected}`
      case 'too_small':
        return issue.origin === 'string' ? 'слишком короткое значение' : `не меньше ${issue.minimum}`
      case 'too_big':
        return issue.origin === 'string' ? 'слишком длинное значение' : `не больше ${issue.maximum}`
      case 'invalid_value':
        return `допустимые значения: ${issue.values.map(String).join(', ')}`
      default:
        return 'неверный формат'
    }
  }
  return { field, error: `Поле ${field}: ${reason()}` }
}
