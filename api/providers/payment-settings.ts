import { z } from 'zod'
import { address, flag, type Rule, refuse, whole } from '../../db/platform/config.ts'
import type { CryptopayAccess } from './cryptopay-api.ts'
import type { FreekassaAccess } from './freekassa-api.ts'
import type { Newcomers } from './panel-access.ts'
import type { PanelAccess } from './panel-api.ts'
import type { TelegramAccess } from './telegram-api.ts'
import type { TributeAccess } from './tribute-api.ts'
import type { YookassaAccess } from './yookassa-api.ts'

const secret = () => z.string().min(1).optional()
/** One that travels as a header. */
const token = () =>
  z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must have printable ASCII only')
    .optional()
const api = (standard: string) => address(['http', 'https'], standard).default(standard)

/** Whom we ask for payments and whatever follows them, and as whom (docs/providers.md 10). */
export const paymentSettings = {
  PROVIDER_TIMEOUT_SECONDS: whole(1, 60).default(10).describe('how long a call to a payment provider may take'),
  PROVIDER_CALLS_MAX: whole(1, 1_000)
    .default(20)
    .describe('calls to one payment provider that are open at once; the others wait, and no other provider does'),
  PAYMENTS_POLL_SECONDS: whole(1, 3_600)
    .default(30)
    .describe('how often a provider is asked for an open payment at first; the older it is, the more rarely'),
  WEBHOOK_BASE_URL: address(['http', 'https'], 'https://pay.example.org')
    .optional()
    .describe('where providers and payers who come back reach this API; unset: PUBLIC_URL'),
  PAYMENTS_RETURN_URL: address(['http', 'https'], 'https://t.me/example_bot')
    .optional()
    .describe('where payers who come back are sent on to, with payment_id and status; unset: a page of words'),
  YOOKASSA_SHOP_ID: z.string().regex(/^\d+$/, 'must be a number').optional().describe('YooKassa: number of the shop'),
  YOOKASSA_SECRET_KEY: secret().describe('its secret key (test_… or live_…); unset: YooKassa is switched off'),
  YOOKASSA_API_URL: api('https://api.yookassa.ru/v3').describe('where its API is'),
  YOOKASSA_RECEIPTS: flag().default(false).describe('whether receipts (54-FZ) go with payments and refunds'),
  YOOKASSA_VAT_CODE: whole(1, 12).default(1).describe('vat_code of receipts: 1 none … 11 22 %, 12 22/122'),
  YOOKASSA_TAX_SYSTEM_CODE: whole(1, 6).optional().describe('tax_system_code of receipts; unset: none is said'),
  YOOKASSA_PAYMENT_MODE: z
    .enum(
      ['full_prepayment', 'partial_prepayment', 'advance', 'full_payment', 'partial_payment', 'credit'],
      'must look like full_payment',
    )
    .default('full_payment')
    .describe('payment_mode of receipts'),
  YOOKASSA_PAYMENT_SUBJECT: z
    .string()
    .regex(/^[a-z_]{1,40}$/, 'must look like service')
    .default('service')
    .describe('payment_subject of receipts'),
  YOOKASSA_MEASURE: z
    .string()
    .regex(/^[a-z_]{1,40}$/, 'must look like piece')
    .optional()
    .describe('measure of receipts (FFD 1.2); unset: none is said'),
  CRYPTOPAY_TOKEN: token().describe('token of the app at @CryptoBot; unset: CryptoPay is switched off'),
  CRYPTOPAY_API_URL: api('https://pay.crypt.bot/api').describe(
    'where its API is; the test network has https://testnet-pay.crypt.bot/api and tokens of its own',
  ),
  CRYPTOPAY_CURRENCY_TYPE: z
    .enum(['fiat', 'crypto'], 'must be fiat or crypto')
    .default('fiat')
    .describe('what invoices are in'),
  CRYPTOPAY_ASSET: z
    .string()
    .regex(/^[A-Z]{2,10}$/, 'must look like RUB or USDT')
    .default('RUB')
    .describe('currency of invoices: of fiat its code, of crypto the asset'),
  FREEKASSA_MERCHANT_ID: z.string().regex(/^\d+$/, 'must be a number').optional().describe('FreeKassa: the shop'),
  FREEKASSA_FIRST_SECRET: secret().describe('secret word 1, which signs links to its payment form'),
  FREEKASSA_SECOND_SECRET: secret().describe('secret word 2, which signs what it tells; unset: it is not heard'),
  FREEKASSA_API_KEY: secret().describe('key of its API; unset: nothing can be asked, links only'),
  FREEKASSA_API_URL: api('https://api.fk.life/v1').describe('where its API is'),
  FREEKASSA_PAY_URL: api('https://pay.fk.money').describe('where its payment form is'),
  FREEKASSA_PAYMENT_IP: z
    .union([z.ipv4(), z.ipv6()], 'must be an address')
    .optional()
    .describe('address told to its API for a payer whose own is not known'),
  FREEKASSA_PAYMENT_METHOD: whole(1, 999)
    .optional()
    .describe('by which method orders of its API are paid: 44 SBP, 36 card …; unset: by its form, where payers choose'),
  TRIBUTE_API_KEY: token().describe('key of the account at Tribute; unset: Tribute is switched off'),
  TRIBUTE_API_URL: api('https://tribute.tg/api/v1').describe('where its API is'),
  TELEGRAM_BOT_TOKEN: z
    .string()
    .regex(/^\d+:[\w-]+$/, 'must look like 123456:ABC…')
    .optional()
    .describe('token of the bot that sells for Stars and writes to people; unset: it does neither'),
  TELEGRAM_API_URL: api('https://api.telegram.org').describe('where the Bot API is'),
  PANEL_API_URL: address(['http', 'https'], 'https://panel.example.org').optional().describe('Remnawave panel'),
  PANEL_API_KEY: token().describe('token of its API; required with PANEL_API_URL'),
  PANEL_VERSION: z.enum(['2', '3'], 'must be 2 or 3').default('3').describe('major version of the panel'),
  PANEL_USER_TAG: z
    .string()
    .regex(/^[A-Z0-9_]{1,16}$/, 'must have up to 16 of A-Z 0-9 _')
    .optional()
    .describe('tag of users that are made at the panel; unset: none'),
  PANEL_SQUADS: z
    .string()
    .regex(/^[0-9a-f-]{36}(?:,[0-9a-f-]{36})*$/, 'must be ids divided by commas')
    .optional()
    .describe('ids of internal squads that users made at the panel join, divided by commas; unset: none'),
  PANEL_DEVICES_MAX: whole(1, 1_000)
    .optional()
    .describe('most devices of users made at the panel; unset: the limit of the panel'),
}

const schema = z.object(paymentSettings)
type PaymentSettings = z.output<typeof schema>

/** Settings that are worth nothing without each other. */
const pairs: (keyof PaymentSettings)[][] = [
  ['YOOKASSA_SHOP_ID', 'YOOKASSA_SECRET_KEY'],
  ['PANEL_API_URL', 'PANEL_API_KEY'],
]
const halves = (given: Partial<PaymentSettings>) =>
  pairs.flatMap((names) => {
    const set = names.find((name) => given[name] !== undefined)
    const unset = names.filter((name) => given[name] === undefined)
    return set ? unset.map((name) => `${name} is required when ${set} is set`) : []
  })
const merchantMistakes = (given: Partial<PaymentSettings>) =>
  (given.FREEKASSA_FIRST_SECRET || given.FREEKASSA_SECOND_SECRET || given.FREEKASSA_API_KEY) &&
  !given.FREEKASSA_MERCHANT_ID
    ? ['FREEKASSA_MERCHANT_ID is required when a secret of FreeKassa is set']
    : []

/** What is wrong between the settings of payment providers. */
export const paymentRules: Rule<PaymentSettings>[] = [halves, merchantMistakes]

/** How the payment providers are reached; null: switched off. */
export interface ProviderAccess {
  yookassa: YookassaAccess | null
  cryptopay: CryptopayAccess | null
  freekassa: FreekassaAccess | null
  tribute: TributeAccess | null
  telegram: TelegramAccess | null
  panel: (PanelAccess & { newcomers: Newcomers }) | null
}

/** The same, and how payments are made there. */
export interface PaymentConfig extends ProviderAccess {
  /** Of a call to any of them. */
  timeoutSeconds: number
  /** How often an open payment is asked for at first. */
  pollSeconds: number
  /** Without a slash at its end; null: none of its own. */
  webhookBaseUrl: string | null
  /** Where payers who come back are sent on to; null: nowhere. */
  returnUrl: string | null
}

const receiptCodes = (given: PaymentSettings): YookassaAccess['receipts'] =>
  given.YOOKASSA_RECEIPTS
    ? {
        vatCode: given.YOOKASSA_VAT_CODE,
        taxSystemCode: given.YOOKASSA_TAX_SYSTEM_CODE ?? null,
        paymentMode: given.YOOKASSA_PAYMENT_MODE,
        paymentSubject: given.YOOKASSA_PAYMENT_SUBJECT,
        measure: given.YOOKASSA_MEASURE ?? null,
      }
    : null

/** @throws BadSettings */
export function paymentConfig(given: PaymentSettings): PaymentConfig {
  refuse([...halves(given), ...merchantMistakes(given)])
  const limits = { timeoutSeconds: given.PROVIDER_TIMEOUT_SECONDS, callsMax: given.PROVIDER_CALLS_MAX }
  const at = (url: string) => ({ ...limits, url: url.replace(/\/+$/, '') })
  const { YOOKASSA_SHOP_ID: shopId, YOOKASSA_SECRET_KEY: secretKey, FREEKASSA_MERCHANT_ID: merchantId } = given
  return {
    timeoutSeconds: given.PROVIDER_TIMEOUT_SECONDS,
    pollSeconds: given.PAYMENTS_POLL_SECONDS,
    webhookBaseUrl: given.WEBHOOK_BASE_URL?.replace(/\/+$/, '') ?? null,
    returnUrl: given.PAYMENTS_RETURN_URL ?? null,
    yookassa:
      shopId && secretKey ? { ...at(given.YOOKASSA_API_URL), shopId, secretKey, receipts: receiptCodes(given) } : null,
    cryptopay: given.CRYPTOPAY_TOKEN
      ? {
          ...at(given.CRYPTOPAY_API_URL),
          token: given.CRYPTOPAY_TOKEN,
          currencyType: given.CRYPTOPAY_CURRENCY_TYPE,
          currency: given.CRYPTOPAY_ASSET,
        }
      : null,
    freekassa: merchantId
      ? {
          ...at(given.FREEKASSA_API_URL),
          payUrl: given.FREEKASSA_PAY_URL.replace(/\/+$/, ''),
          merchantId,
          firstSecret: given.FREEKASSA_FIRST_SECRET ?? null,
          apiKey: given.FREEKASSA_API_KEY ?? null,
          payerAddress: given.FREEKASSA_PAYMENT_IP ?? null,
          method: given.FREEKASSA_PAYMENT_METHOD ?? null,
        }
      : null,
    tribute: given.TRIBUTE_API_KEY ? { ...at(given.TRIBUTE_API_URL), apiKey: given.TRIBUTE_API_KEY } : null,
    telegram: given.TELEGRAM_BOT_TOKEN ? { ...at(given.TELEGRAM_API_URL), token: given.TELEGRAM_BOT_TOKEN } : null,
    panel:
      given.PANEL_API_URL && given.PANEL_API_KEY
        ? {
            ...at(given.PANEL_API_URL),
            apiKey: given.PANEL_API_KEY,
            version: given.PANEL_VERSION,
            newcomers: {
              tag: given.PANEL_USER_TAG ?? null,
              squads: given.PANEL_SQUADS?.split(',') ?? [],
              devicesMax: given.PANEL_DEVICES_MAX ?? null,
            },
          }
        : null,
  }
}
