import type { NoticeKind } from '../../db/getpro/notices.ts'
import type { NotificationData, NotificationKind } from '../../db/messages/notifications.ts'
import type { Email } from '../../db/messages/outbox.ts'
import { getproText, isGetpro, type Text } from './getpro-texts.ts'

const biometry: Record<string, string> = { fingerprint: 'отпечатку пальца', face: 'лицу', voice: 'голосу' }
const warning = 'Если это были не вы, смените пароль и сообщите администратору.'

const minorPerRouble = 100
const sums = new Intl.NumberFormat('ru-RU', { style: 'currency', currency: 'RUB' })
const roubles = (minor: number) => sums.format(minor / minorPerRouble)

/** The words of each notification, in the language of its readers. A kind that has none does not compile. */
const texts: { [K in Exclude<NotificationKind, NoticeKind>]: (data: NotificationData[K]) => Text } = {
  'user.registered': () => ({
    title: 'Заявка на регистрацию принята',
    body: 'Ваша заявка принята и ждёт одобрения администратором. Мы сообщим о решении письмом.',
  }),
  'user.approved': ({ orgUnitName }) => ({
    title: 'Учётная запись одобрена',
    body: `Ваша учётная запись одобрена${orgUnitName ? `, вы добавлены в «${orgUnitName}»` : ''}. Теперь вы можете войти по номеру телефона.`,
  }),
  'user.rejected': ({ reason }) => ({
    title: 'Заявка на регистрацию отклонена',
    body: `К сожалению, ваша заявка отклонена.${reason ? `\nПричина: ${reason}` : ''}`,
  }),
  'user.imported': () => ({
    title: 'Для вас создана учётная запись',
    body: 'Администратор создал для вас учётную запись. Вы можете войти по номеру телефона.',
  }),
  'loan.reminder': ({ orderId, serialNumber, hours }) => ({
    title: 'Не забудьте вернуть повербанк',
    body: `Повербанк${serialNumber ? ` ${serialNumber}` : ''} у вас уже больше ${hours} ч (заказ № ${orderId}). Пожалуйста, верните его в любую станцию.`,
  }),
  'loan.written_off': ({ orderId, serialNumber, hours }) => ({
    title: 'Повербанк списан как утерянный',
    body: `Повербанк${serialNumber ? ` ${serialNumber}` : ''} не возвращён за ${hours} ч и списан как утерянный (заказ № ${orderId}). Если он у вас, верните его в любую станцию и сообщите администратору.`,
  }),
  'account.locked': ({ minutes }) => ({
    title: 'Вход временно закрыт',
    body: `Слишком много неверных попыток входа. Войти можно будет через ${minutes} мин; открытые сеансы продолжают работать.`,
  }),
  'password.changed': () => ({
    title: 'Пароль изменён',
    body: `Пароль вашей учётной записи изменён, остальные сеансы завершены. ${warning}`,
  }),
  'biometric.enrolled': ({ type }) => ({
    title: 'Подключён вход по биометрии',
    body: `Для вашей учётной записи подключён вход по ${biometry[type] ?? 'биометрии'}. ${warning}`,
  }),
  'transaction.completed': ({ transactionId, amountMinor }) => ({
    title: 'Платёж прошёл',
    body: `Оплачено ${roubles(amountMinor)} (операция № ${transactionId}).`,
  }),
  'transaction.failed': ({ transactionId, amountMinor }) => ({
    title: 'Платёж не прошёл',
    body: `Платёж на ${roubles(amountMinor)} отклонён, деньги не списаны (операция № ${transactionId}).`,
  }),
  'transaction.cancelled': ({ transactionId, amountMinor }) => ({
    title: 'Платёж отменён',
    body: `Платёж на ${roubles(amountMinor)} отменён (операция № ${transactionId}).`,
  }),
  'transaction.refunded': ({ transactionId, amountMinor }) => ({
    title: 'Деньги возвращены',
    body: `По операции № ${transactionId} всего возвращено ${roubles(amountMinor)}.`,
  }),
  'biometric.removed': ({ type }) => ({
    title: 'Вход по биометрии отключён',
    body: `Для вашей учётной записи отключён вход по ${biometry[type] ?? 'биометрии'}. ${warning}`,
  }),
}

/** What stands where a password stood, in what is kept. */
const passwordMask = '••••••'

/** What somebody is told where they are logged in, of a kind that brings no password. */
export const shownText = (kind: Exclude<NotificationKind, NoticeKind>, data: object): Text => texts[kind](data as never)

/** The letter in words; dates by the clocks of a zone. A null password: it brings none. */
export function write(email: Email, password: string | null, timeZone: string): Text {
  const { kind, data, languageCode } = email
  // Each kind has its own data; the compiler cannot follow that through a union.
  if (isGetpro(kind)) return getproText({ kind, data: data as never, languageCode }, timeZone)
  const { title, body } = texts[kind](data as never)
  const access = password === null ? '' : `\n\nТелефон: ${email.phone}\nПароль: ${password}`
  return { title, body: `Здравствуйте, ${email.fullName}!\n\n${body}${access}\n` }
}

/** The same, as it may be kept. */
export const keep = (email: Email, bringsPassword: boolean, timeZone: string): Text =>
  write(email, bringsPassword ? passwordMask : null, timeZone)
