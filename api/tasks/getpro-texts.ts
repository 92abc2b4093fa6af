import type { NoticeKind } from '../../db/getpro/notices.ts'
import type { NotificationData } from '../../db/messages/notifications.ts'

/** What a message says, in plain text. */
export interface Text {
  title: string
  body: string
}

/** How a language writes what stands in a message. */
interface Spelling {
  date(iso: string): string
  money(kopecks: number): string
  days(count: number): string
}

type Texts = { [K in NoticeKind]: (data: NotificationData[K], spell: Spelling) => Text }

const russian: Texts = {
  'getpro.payment_succeeded': ({ amountKopecks }, { money }) => ({
    title: 'Платёж получен',
    body: `Мы получили ваш платёж: ${money(amountKopecks)}. Спасибо!`,
  }),
  'getpro.payment_failed': ({ amountKopecks }, { money }) => ({
    title: 'Платёж не прошёл',
    body: `Платёж на ${money(amountKopecks)} не прошёл, деньги не списаны. Попробуйте ещё раз или выберите другой способ оплаты.`,
  }),
  'getpro.payment_refunded': ({ amountKopecks }, { money }) => ({
    title: 'Деньги возвращены',
    body: `Мы вернули вам ${money(amountKopecks)}.`,
  }),
  'getpro.subscription_activated': ({ endsAt }, { date }) => ({
    title: 'Подписка активна',
    body: `Подписка активна до ${date(endsAt)}.`,
  }),
  'getpro.subscription_extended': ({ endsAt }, { date }) => ({
    title: 'Подписка продлена',
    body: `Теперь подписка активна до ${date(endsAt)}.`,
  }),
  'getpro.subscription_shortened': ({ endsAt }, { date }) => ({
    title: 'Срок подписки изменён',
    body: `Оплата возвращена, поэтому подписка действует до ${date(endsAt)}.`,
  }),
  'getpro.subscription_ending': ({ endsAt, autoRenews }, { date }) => ({
    title: autoRenews ? 'Подписка скоро продлится' : 'Подписка скоро закончится',
    body: autoRenews
      ? `Подписка действует до ${date(endsAt)} и продлится сама: спишем с баланса или с сохранённого способа оплаты.`
      : `Подписка действует до ${date(endsAt)}. Продлите её, чтобы не потерять доступ.`,
  }),
  'getpro.subscription_expired': ({ endsAt }, { date }) => ({
    title: 'Подписка закончилась',
    body: `Подписка закончилась ${date(endsAt)}. Продлите её, чтобы вернуть доступ.`,
  }),
  'getpro.renewal_failed': ({ endsAt, amountKopecks, isLast }, { date, money }) => ({
    title: 'Не удалось продлить подписку',
    body: `Не получилось списать ${money(amountKopecks)} за продление. ${
      isLast
        ? `Автопродление выключено, доступ — до ${date(endsAt)}.`
        : 'Пополните баланс или проверьте карту: мы попробуем ещё раз.'
    }`,
  }),
  'getpro.promo_applied': ({ days, endsAt }, spell) => ({
    title: 'Промокод применён',
    body: `Промокод добавил ${spell.days(days)}: подписка активна до ${spell.date(endsAt)}.`,
  }),
  'getpro.referral_bonus': ({ days, endsAt }, spell) => ({
    title: 'Бонус за приглашение',
    body: `За приглашение начислено ${spell.days(days)}: подписка активна до ${spell.date(endsAt)}.`,
  }),
  'getpro.news': (words) => words,
  'getpro.login_linked': () => ({
    title: 'Telegram привязан',
    body: 'Ваш аккаунт Telegram связан с учётной записью. Если это были не вы, сообщите в поддержку.',
  }),
}

const english: Texts = {
  'getpro.payment_succeeded': ({ amountKopecks }, { money }) => ({
    title: 'Payment received',
    body: `We have received your payment of ${money(amountKopecks)}. Thank you!`,
  }),
  'getpro.payment_failed': ({ amountKopecks }, { money }) => ({
    title: 'Payment failed',
    body: `Your payment of ${money(amountKopecks)} did not go through and nothing was charged. Please try again or pay another way.`,
  }),
  'getpro.payment_refunded': ({ amountKopecks }, { money }) => ({
    title: 'Refund',
    body: `We have returned ${money(amountKopecks)} to you.`,
  }),
  'getpro.subscription_activated': ({ endsAt }, { date }) => ({
    title: 'Subscription active',
    body: `Your subscription is active until ${date(endsAt)}.`,
  }),
  'getpro.subscription_extended': ({ endsAt }, { date }) => ({
    title: 'Subscription extended',
    body: `Your subscription is now active until ${date(endsAt)}.`,
  }),
  'getpro.subscription_shortened': ({ endsAt }, { date }) => ({
    title: 'Subscription changed',
    body: `A payment was refunded, so your subscription is active until ${date(endsAt)}.`,
  }),
  'getpro.subscription_ending': ({ endsAt, autoRenews }, { date }) => ({
    title: autoRenews ? 'Subscription renews soon' : 'Subscription ends soon',
    body: autoRenews
      ? `Your subscription is active until ${date(endsAt)} and renews by itself, from your balance or saved payment method.`
      : `Your subscription is active until ${date(endsAt)}. Renew it to keep access.`,
  }),
  'getpro.subscription_expired': ({ endsAt }, { date }) => ({
    title: 'Subscription ended',
    body: `Your subscription ended on ${date(endsAt)}. Renew it to get access back.`,
  }),
  'getpro.renewal_failed': ({ endsAt, amountKopecks, isLast }, { date, money }) => ({
    title: 'Renewal failed',
    body: `We could not charge ${money(amountKopecks)} for the renewal. ${
      isLast
        ? `Auto-renewal is off now; access lasts until ${date(endsAt)}.`
        : 'Please top up your balance or check your card: we will try again.'
    }`,
  }),
  'getpro.promo_applied': ({ days, endsAt }, spell) => ({
    title: 'Promo code applied',
    body: `The promo code added ${spell.days(days)}: your subscription is active until ${spell.date(endsAt)}.`,
  }),
  'getpro.referral_bonus': ({ days, endsAt }, spell) => ({
    title: 'Referral bonus',
    body: `A referral gave you ${spell.days(days)}: your subscription is active until ${spell.date(endsAt)}.`,
  }),
  'getpro.news': (words) => words,
  'getpro.login_linked': () => ({
    title: 'Telegram linked',
    body: 'Your Telegram account is linked to a login now. If this was not you, please contact support.',
  }),
}

const kopecksPerRouble = 100
const russianDays: Partial<Record<Intl.LDMLPluralRule, string>> = { one: 'день', few: 'дня' }
const languages = {
  ru: { texts: russian, locale: 'ru-RU', day: (rule: Intl.LDMLPluralRule) => russianDays[rule] ?? 'дней' },
  en: { texts: english, locale: 'en-GB', day: (rule: Intl.LDMLPluralRule) => (rule === 'one' ? 'day' : 'days') },
}

/** Whoever speaks Russian is told in Russian, everybody else in English. */
const languageOf = (code: string | null) => languages[code === null || code.startsWith('ru') ? 'ru' : 'en']

/** What a customer of 2GETPRO is told, in their language; dates by the clocks of a zone. Plain text: nothing in it is markup. */
export function getproText<K extends NoticeKind>(
  { kind, data, languageCode }: { kind: K; data: NotificationData[K]; languageCode: string | null },
  timeZone: string,
): Text {
  const { texts, locale, day } = languageOf(languageCode)
  const dates = new Intl.DateTimeFormat(locale, { timeZone, dateStyle: 'long', timeStyle: 'short' })
  const sums = new Intl.NumberFormat(locale, { style: 'currency', currency: 'RUB' })
  const plurals = new Intl.PluralRules(locale)
  return texts[kind](data, {
    date: (iso) => dates.format(new Date(iso)),
    money: (kopecks) => sums.format(kopecks / kopecksPerRouble),
    days: (count) => `${count} ${day(plurals.select(count))}`,
  })
}

/** Whether a notification is one of 2GETPRO's. */
export const isGetpro = (kind: string): kind is NoticeKind => Object.hasOwn(russian, kind)
