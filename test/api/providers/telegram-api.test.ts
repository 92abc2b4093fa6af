import { expect, test } from 'vitest'
import { type StarsInvoice, telegramApi } from '../../../api/providers/telegram-api.ts'
import { blockedId } from '../../../simulators/provider/telegram-api.ts'
import { receiver } from './receiver.ts'
import { credentials, limits, misbehave, outcomes, simulated, value } from './simulated.ts'

const secret = 'stars_Secret-Token_0123456789'
const payerId = 123_456

async function bot(answer?: Parameters<typeof receiver>[0]) {
  const heard = answer && (await receiver(answer))
  const there = await simulated('stars', heard ? { notices: { url: heard.url, secret } } : {})
  return { there, heard, api: telegramApi({ ...limits, url: there.url, token: credentials.stars }) }
}
const invoice = (more: Partial<StarsInvoice> = {}): StarsInvoice => ({
  title: 'Подписка на 1 месяц',
  description: 'Доступ на 30 дней',
  payload: 'order-42',
  stars: 150,
  isSubscription: false,
  ...more,
})
const pay = (url: string) => fetch(url)
const letter = { title: 'Здравствуйте', body: 'Это <b>не</b> разметка & *не* Markdown_' }

test('an invoice is paid once its checkout is answered, and given back once', async () => {
  const { there, heard, api } = await bot(async (body) => {
    const { pre_checkout_query: query } = JSON.parse(body)
    if (query) expect(await api.answerCheckout(query.id, null)).toEqual({ kind: 'done', value: true })
    return { status: 200, body: '' }
  })
  await pay(value(await api.invoiceLink(invoice())))
  await there.notices!.idle()
  const [checkout, paid] = heard!.bodies.map((body) => JSON.parse(body))
  expect(checkout.pre_checkout_query).toMatchObject({ currency: 'XTR', total_amount: 150, invoice_payload: 'order-42' })
  const { telegram_payment_charge_id: id, ...payment } = paid.message.successful_payment
  expect(payment).toMatchObject({ currency: 'XTR', total_amount: 150, invoice_payload: 'order-42' })
  expect(value(await api.transactions(0, 100))).toMatchObject([{ id, stars: 150, payload: 'order-42' }])
  for (let times = 0; times < 2; times++) expect(await api.refund(payerId, id)).toEqual({ kind: 'done', value: true })
  expect(value(await api.transactions(0, 100)).map(({ payload }) => payload)).toEqual(['order-42', null])
  expect(await api.refund(payerId, 'stxUnknown')).toMatchObject({
    kind: 'refused',
    why: 'Bad Request: CHARGE_NOT_FOUND',
  })
})

test('a checkout may be answered in the reply to the webhook; one that is refused is not paid', async () => {
  for (const isOk of [true, false]) {
    const { there, heard, api } = await bot(async (body) => {
      const { pre_checkout_query: query } = JSON.parse(body)
      if (!query) return { status: 200, body: '' }
      const reply = {
        method: 'answerPreCheckoutQuery',
        pre_checkout_query_id: query.id,
        ok: isOk,
        error_message: 'нет',
      }
      return { status: 200, body: JSON.stringify(reply) }
    })
    await pay(value(await api.invoiceLink(invoice({ isSubscription: true }))))
    await there.notices!.idle()
    expect(heard!.bodies).toHaveLength(isOk ? 2 : 1)
    expect(value(await api.transactions(0, 100))).toHaveLength(isOk ? 1 : 0)
  }
})

test('an answer to a checkout that is over is refused', async () => {
  const { api } = await bot()
  const over = await api.answerCheckout('530216410129343222', 'Заказ закрыт')
  expect(over).toMatchObject({ kind: 'refused', status: 400, why: expect.stringMatching(/query is too old/) })
})

test.each(outcomes)('%s: a letter and a refund are in doubt, or come later', async (fault, outcome) => {
  const { there, api } = await bot()
  misbehave(there, fault)
  expect(await api.send(payerId, letter)).toEqual(outcome)
  expect(value(await api.send(payerId, letter))).toEqual(expect.any(Number))
  misbehave(there, fault)
  expect(await api.refund(payerId, 'stx')).toEqual(outcome)
})

test('whoever blocked the bot is a refusal that says so', async () => {
  const { api } = await bot()
  expect(await api.send(blockedId, letter)).toEqual({
    kind: 'refused',
    status: 403,
    code: 'Forbidden',
    why: 'Forbidden: bot was blocked by the user',
  })
})

test('texts are cut to what Telegram takes, and a payload is never', async () => {
  const { there, api } = await bot()
  const long = { title: '🚀'.repeat(33), description: 'д'.repeat(256) }
  value(await api.invoiceLink(invoice({ ...long, isSubscription: true })))
  expect(JSON.parse(there.asked[0]!.body.toString())).toMatchObject({
    title: '🚀'.repeat(32),
    provider_token: '',
    currency: 'XTR',
    prices: [{ amount: 150 }],
    subscription_period: 2_592_000,
  })
  for (const payload of ['', 'я'.repeat(65)]) expect(() => api.invoiceLink(invoice({ payload }))).toThrow(RangeError)
})

test('what people wrote is never markup, and the title stands out all the same', async () => {
  const { there, api } = await bot()
  value(await api.send(payerId, letter))
  const said = JSON.parse(there.asked[0]!.body.toString())
  expect(said).toMatchObject({
    chat_id: payerId,
    text: `${letter.title}\n\n${letter.body}`,
    entities: [{ type: 'bold', offset: 0, length: 12 }],
  })
  expect(said).not.toHaveProperty('parse_mode')
})

test('a wrong token is refused, and told nowhere', async () => {
  const { there } = await bot()
  const stranger = telegramApi({ ...limits, url: there.url, token: '1:hush' })
  const reply = await stranger.send(payerId, letter)
  expect(reply).toMatchObject({ kind: 'refused', status: 401, code: 'Unauthorized' })
  expect(JSON.stringify(reply)).not.toContain('hush')
})
