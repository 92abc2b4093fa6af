import { expect, test } from 'vitest'
import { z } from 'zod'
import { paymentApis } from '../../../api/providers/payment-apis.ts'
import { paymentConfig, paymentSettings } from '../../../api/providers/payment-settings.ts'
import { BadSettings, parseSettings } from '../../../db/platform/config.ts'
import { credentials, simulated, value } from './simulated.ts'

const read = (env: Record<string, string>) => paymentConfig(parseSettings(z.object(paymentSettings), env))
const on = (env: Record<string, string>) =>
  Object.entries(paymentApis(read(env))).flatMap(([name, api]) => (api === null ? [] : [name]))
const [shopId = '', secretKey = ''] = credentials.yookassa.split(':')

test('nobody is asked whose secret nobody gave', () => {
  expect(on({})).toEqual([])
  expect(on({ FREEKASSA_MERCHANT_ID: '777', FREEKASSA_SECOND_SECRET: 'two' })).toEqual([])
  expect(on({ FREEKASSA_MERCHANT_ID: '777', FREEKASSA_FIRST_SECRET: 'one' })).toEqual(['freekassaLink'])
  expect(on({ FREEKASSA_MERCHANT_ID: '777', FREEKASSA_API_KEY: 'key' })).toEqual(['freekassa'])
  expect(on({ CRYPTOPAY_TOKEN: '1:AA', TRIBUTE_API_KEY: 'key', TELEGRAM_BOT_TOKEN: '1:AA' })).toEqual([
    'cryptopay',
    'tribute',
    'telegram',
  ])
  expect(on({ PANEL_API_URL: 'https://panel.example.org', PANEL_API_KEY: 'key' })).toEqual(['panel'])
})

test.each([
  [{ YOOKASSA_SHOP_ID: '1' }, 'YOOKASSA_SECRET_KEY is required when YOOKASSA_SHOP_ID is set'],
  [{ YOOKASSA_SECRET_KEY: 'test_1' }, 'YOOKASSA_SHOP_ID is required when YOOKASSA_SECRET_KEY is set'],
  [{ PANEL_API_KEY: 'key' }, 'PANEL_API_URL is required when PANEL_API_KEY is set'],
  [{ FREEKASSA_API_KEY: 'key' }, 'FREEKASSA_MERCHANT_ID is required when a secret of FreeKassa is set'],
])('half of what is needed is a mistake: %j', (env, line) => {
  expect(() => read(env)).toThrow(new BadSettings([line]))
})

test('an address may end in a slash, and what is set is what is asked', async () => {
  const there = await simulated('yookassa', { needsReceipts: true })
  const env = { YOOKASSA_SHOP_ID: shopId, YOOKASSA_SECRET_KEY: secretKey, YOOKASSA_API_URL: `${there.url}//` }
  const payment = {
    key: 'payment:1:1',
    amountMinor: 100,
    description: 'Подписка',
    capture: true,
    metadata: {},
    buyer: { email: 'payer@example.org', phone: null },
    by: { returnUrl: 'https://example.org', save: false },
  }
  const bare = paymentApis(read(env)).yookassa!
  expect(await bare.create(payment)).toMatchObject({ kind: 'refused', why: 'Receipt is missing or illegal' })
  const { yookassa } = paymentApis(read({ ...env, YOOKASSA_RECEIPTS: 'true', YOOKASSA_VAT_CODE: '11' }))
  value(await yookassa!.create({ ...payment, key: 'payment:1:2' }))
  const { receipt } = JSON.parse(there.asked.at(-1)!.body.toString())
  expect(receipt.items[0]).toMatchObject({ vat_code: 11, payment_mode: 'full_payment', payment_subject: 'service' })
  expect(receipt).not.toHaveProperty('tax_system_code')
})
