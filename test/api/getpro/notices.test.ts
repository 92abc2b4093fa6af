import { expect, onTestFinished, test } from 'vitest'
import { telegramApi } from '../../../api/providers/telegram-api.ts'
import { startTelegram } from '../../../api/tasks/telegram.ts'
import { NOTIFICATION_CHANNEL } from '../../../db/postgres/channels.ts'
import { journal } from '../journal.ts'
import { outboxOf } from '../outbox.ts'
import { credentials, misbehave, simulated } from '../providers/simulated.ts'
import { refusal, rest } from './rest-stage.ts'

const house = await rest()
const { db, admin, customer, rich, post, read, call } = house
const mail = outboxOf(db)

/** Telegram, and senders; what earlier tests have told is out of the way. */
async function telegram({ senders = 1 } = {}) {
  await mail.clean()
  const there = await simulated('stars')
  const api = telegramApi({ timeoutSeconds: 1, callsMax: 50, url: there.url, token: credentials.stars })
  const own = journal()
  for (let made = 0; made < senders; made++) {
    const sender = await startTelegram({ db, log: own.log, telegram: api, timeZone: 'Europe/Moscow' })
    onTestFinished(() => sender.close())
  }
  const letters = () =>
    there.asked.map(({ body }) => JSON.parse(body.toString())) as { chat_id: number; text: string }[]
  return { there, letters, ...own }
}
interface Row {
  kind: string
  channel: string
  status: string
  attempts: number
  lastError: string | null
}
const rowsOf = (accountId: number) => db.sql<Row[]>`
  select kind, channel, status, attempts, last_error from notifications where owner_id = ${accountId} order by id`
const told = async (accountId: number, channel = 'telegram') =>
  (await rowsOf(accountId)).filter((row) => row.channel === channel)
const kinds = async (accountId: number, channel?: string) => (await told(accountId, channel)).map(({ kind }) => kind)
const sent = async (accountId: number) => (await told(accountId)).filter(({ status }) => status === 'sent').length
const plan = async () =>
  (await post('/plans', admin.token, { name: `План ${Math.random()}`, months: 1, price_kopecks: 19_900 })).body.data.id
const news = (to: object, key?: string, change: object = {}) =>
  post('/notifications', admin.token, { title: 'Работы', body: 'Ночью <b>сервис</b> & бот', ...to, ...change }, key)
const settings = (one: { id: number; token: string }, body: object) =>
  call('PUT', `/users/${one.id}/notifications`, { token: one.token, body })

test('what happens to a subscription is told once, in the language of its owner', async () => {
  const { letters } = await telegram()
  const [ru, en] = [await rich(50_000), await rich(50_000, { language_code: 'en' })]
  const planId = await plan()
  for (const one of [ru, en]) await post('/subscriptions', one.token, { plan_id: planId }, 'once')
  await post('/subscriptions', ru.token, { plan_id: planId }, 'once')
  await expect.poll(async () => [await sent(ru.id), await sent(en.id)], { timeout: 15_000 }).toEqual([1, 1])
  const textTo = (id: number) =>
    letters()
      .filter(({ chat_id }) => chat_id === id)
      .map(({ text }) => text)
  expect(textTo(ru.telegramId)).toEqual([expect.stringMatching(/^Подписка активна\n\nПодписка активна до \d/)])
  expect(textTo(en.telegramId)).toEqual([expect.stringMatching(/^Subscription active\n\nYour subscription is active/)])
  expect(await kinds(ru.id, 'app')).toEqual(['getpro.subscription_activated'])
})

test('promo codes, gifts and trials say what they gave', async () => {
  await telegram()
  const one = await customer()
  await post('/subscriptions/trial', one.token)
  await post('/promo-codes', admin.token, { code: 'TOLD', bonus_days: 7, activations_max: 5 })
  await post('/promo-codes/apply', one.token, { code: 'told' })
  await post('/subscriptions/gift', admin.token, { user_id: one.id, days: 3 })
  expect(await kinds(one.id, 'app')).toEqual([
    'getpro.subscription_activated',
    'getpro.promo_applied',
    'getpro.subscription_extended',
  ])
  const { body } = await read(`/users/${one.id}/notifications`, one.token)
  expect(body.data).toMatchObject({ total: 3, unread: 3, settings: { telegram: true, email: false, news: true } })
  expect(body.data.items[1]).toMatchObject({ kind: 'promo_applied', body: expect.stringContaining('7 дней') })
})

test('a chat hears its messages in their order, each of them from one sender', async () => {
  const { letters } = await telegram({ senders: 3 })
  const one = await customer()
  for (const days of [1, 2, 3]) await post('/subscriptions/gift', admin.token, { user_id: one.id, days })
  await expect.poll(() => sent(one.id), { timeout: 18_000 }).toBe(3)
  const mine = letters().filter(({ chat_id }) => chat_id === one.telegramId)
  expect(mine.map(({ text }) => text.split('\n')[0])).toEqual([
    'Подписка активна',
    'Подписка продлена',
    'Подписка продлена',
  ])
})

test('429 is obeyed and is no attempt', async () => {
  const { there, until } = await telegram()
  misbehave(there, '429:1')
  const one = await customer()
  await post('/subscriptions/trial', one.token)
  await until('notification.postponed')
  expect(await told(one.id)).toMatchObject([{ status: 'queued', attempts: 0, lastError: 'too many requests' }])
  await expect.poll(() => sent(one.id), { timeout: 15_000 }).toBe(1)
})

test.each(['timeout:1', 'reset:1', '5xx:1', 'html:1'] as const)(
  'after %s, when nobody knows whether it arrived, a message is sent again later',
  async (fault) => {
    const { there, until } = await telegram()
    misbehave(there, fault)
    const one = await customer()
    await post('/subscriptions/trial', one.token)
    await until('notification.postponed')
    expect(await told(one.id)).toMatchObject([{ status: 'queued', attempts: 1 }])
    await mail.comeDue()
    await expect.poll(() => sent(one.id), { timeout: 15_000 }).toBe(1)
  },
)

test('whoever stopped the bot is left alone until they want to hear again', async () => {
  const { there, until } = await telegram()
  await db.sql`update getpro_accounts set telegram_id = telegram_id + 10000 where telegram_id = 403403`
  const one = await customer()
  await db.sql`update getpro_accounts set telegram_id = 403403 where id = ${one.id}`
  await post('/subscriptions/gift', admin.token, { user_id: one.id, days: 1 })
  await until('notification.given_up')
  expect(await told(one.id)).toMatchObject([{ status: 'failed', lastError: expect.stringMatching(/blocked/) }])
  await post('/subscriptions/gift', admin.token, { user_id: one.id, days: 2 })
  expect([await kinds(one.id), (await kinds(one.id, 'app')).length, there.asked.length]).toEqual([
    ['getpro.subscription_activated'],
    2,
    1,
  ])
  expect((await read(`/users/${one.id}/notifications`, one.token)).body.data.settings.telegram_blocked).toBe(true)
  expect((await settings(one, { telegram: true })).body.data.settings.telegram_blocked).toBe(false)
  await post('/subscriptions/gift', admin.token, { user_id: one.id, days: 3 })
  await until('notification.given_up', 2)
})

test('what somebody does not want is not sent, and stands in their list all the same', async () => {
  await telegram({ senders: 0 })
  const one = await customer({ email: 'Ivan@example.com' })
  expect(await settings(one, { subscriptions: false, email: true })).toMatchObject({ status: 200 })
  await post('/subscriptions/trial', one.token)
  expect([await kinds(one.id), await kinds(one.id, 'email'), (await kinds(one.id, 'app')).length]).toEqual([[], [], 1])
  await settings(one, { subscriptions: true, telegram: false })
  await post('/subscriptions/gift', admin.token, { user_id: one.id, days: 1 })
  expect([await kinds(one.id), await kinds(one.id, 'email')]).toEqual([[], ['getpro.subscription_extended']])
  const { until } = await mail.sender(null)
  await until('notification.captured')
  const [letter] = await db.sql`
    select title, body, recipient from notifications where owner_id = ${one.id} and channel = 'email'`
  expect(letter).toMatchObject({ title: 'Подписка продлена', recipient: 'Ivan@example.com' })
})

test('what was read is read once, and only by its owner', async () => {
  const [one, other] = [await customer(), await customer()]
  await post('/subscriptions/trial', one.token)
  await post('/subscriptions/gift', admin.token, { user_id: one.id, days: 1 })
  const { items } = (await read(`/users/${one.id}/notifications`, one.token)).body.data
  const path = { id: one.id, token: other.token }
  expect(await settings(path, { read_to: items[0].id })).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await read(`/users/${one.id}/notifications`, other.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect((await settings(one, { read_to: items[1].id })).body.data.unread).toBe(1)
  const [, first] = (await read(`/users/${one.id}/notifications`, one.token)).body.data.items
  expect(first.read_at).toEqual(expect.any(String))
  expect((await settings(one, { read_to: items[0].id })).body.data.unread).toBe(0)
  expect((await read(`/users/${one.id}/notifications`, one.token)).body.data.items[1]).toEqual(first)
  expect(await settings(one, { email: 'yes' })).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect(await settings({ id: 999_999, token: admin.token }, {})).toMatchObject(refusal(404, 'USER_NOT_FOUND'))
})

test('news said twice are told once, to whom they are for, and how far they got is seen', async () => {
  const { until } = await telegram()
  const [one, other, refuser] = [await customer(), await customer({ language_code: 'en' }), await customer()]
  await settings(refuser, { news: false })
  const to = { user_ids: [one.id, other.id, refuser.id, one.id] }
  const english = { title_en: 'Maintenance', body_en: 'Tonight' }
  const answers = await Promise.all([1, 2, 3].map(() => news(to, 'news-1', english)))
  expect(answers.map(({ status, body }) => [status, body.data.total])).toEqual([1, 2, 3].map(() => [201, 3]))
  const id = answers[0]!.body.data.broadcast_id
  expect(answers.map(({ body }) => body.data.broadcast_id)).toEqual([id, id, id])
  await until('notification.sent', 2)
  await expect
    .poll(async () => (await read(`/notifications/${id}`, admin.token)).body.data, { timeout: 15_000 })
    .toMatchObject({ broadcast_id: id, total: 3, telegram: { queued: 0, sent: 2, failed: 0 } })
  const seen = async ({ id, token }: { id: number; token: string }) =>
    (await read(`/users/${id}/notifications`, token)).body.data.items.map((item: any) => item.title)
  expect([await seen(one), await seen(other), await seen(refuser)]).toEqual([['Работы'], ['Maintenance'], ['Работы']])
  expect(await news(to, 'news-1', { body: 'Другое' })).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  expect(await news({ user_ids: [one.id, 999_999] })).toMatchObject(refusal(404, 'USER_NOT_FOUND'))
  for (const wrong of [{}, { ...to, audience: 'all' }, { user_ids: [] }, { ...to, title: 'Две\nстроки' }])
    expect(await news(wrong)).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect(await post('/notifications', one.token, { title: 'x', body: 'x', ...to })).toMatchObject(
    refusal(403, 'FORBIDDEN'),
  )
  expect(await read(`/notifications/${id}`, one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await read('/notifications/999999', admin.token)).toMatchObject(refusal(404, 'NOT_FOUND'))
})

test('a sender that dies in the middle loses nothing', async () => {
  await telegram({ senders: 0 })
  const one = await customer()
  await post('/subscriptions/trial', one.token)
  await db.sql`
    update notifications set status = 'sending', attempts = 1, due_at = now() - interval '1 second'
    where owner_id = ${one.id} and channel = 'telegram'`
  const there = await simulated('stars')
  const api = telegramApi({ timeoutSeconds: 1, callsMax: 50, url: there.url, token: credentials.stars })
  const sender = await startTelegram({ db, log: () => {}, telegram: api, timeZone: 'Europe/Moscow' })
  onTestFinished(() => sender.close())
  await db.sql`select pg_notify(${NOTIFICATION_CHANNEL}, '')`
  await expect.poll(() => sent(one.id), { timeout: 15_000 }).toBe(1)
})

test('without a bot messages are captured, and wait for nobody', async () => {
  await mail.clean()
  const { log, until } = journal()
  const sender = await startTelegram({ db, log, telegram: null, timeZone: 'Europe/Moscow' })
  onTestFinished(() => sender.close())
  const one = await customer()
  await post('/subscriptions/trial', one.token)
  await until('notification.captured')
  expect(await told(one.id)).toMatchObject([{ status: 'captured' }])
})

test('none of this was a bug of ours', () => {
  expect(house.lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
