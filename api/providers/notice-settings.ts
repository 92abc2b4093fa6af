import { z } from 'zod'
import { flag, type Rule, readBy, refuse, whole } from '../../db/platform/config.ts'
import { addressList } from '../client-ip.ts'
import type { CryptopayNotices } from './cryptopay.ts'
import { type FreekassaNotices, freekassaSchemes } from './freekassa.ts'
import type { PanelNotices } from './panel.ts'
import type { paymentSettings } from './payment-settings.ts'
import type { StarsNotices } from './stars.ts'
import type { TributeNotices } from './tribute.ts'
import type { YookassaNotices } from './yookassa.ts'

const list = (text: string) => text.split(/[\s,]+/).filter(Boolean)
const addresses = (standard: string) => readBy((text) => addressList(list(text))).default(standard)
const check = () => z.enum(['off', 'log', 'enforce'], 'must be off, log or enforce')
const telegramSecret = () =>
  z
    .string()
    .regex(/^[\w-]{16,256}$/, 'must have 16 to 256 of A-Z, a-z, 0-9, _ and -')
    .optional()
const panelSecret = () => z.string().min(32, 'must have at least 32 characters').optional()

/** Who of the payment providers may tell us things, and how each proves itself (docs/providers.md 10). */
export const noticeSettings = {
  WEBHOOK_MAX_BODY: whole(1_024, 10_485_760).default(262_144).describe('bytes that a webhook of 2GETPRO may have'),
  YOOKASSA_IP_CHECK: check()
    .default('enforce')
    .describe('whether only these addresses are heard: enforce, log (the others are written down) or off'),
  YOOKASSA_ALLOWED_IPS: addresses(
    '185.71.76.0/27,185.71.77.0/27,77.75.153.0/25,77.75.156.11/32,77.75.156.35/32,77.75.154.128/25,2a02:5180::/32',
  ).describe('where YooKassa speaks from'),
  YOOKASSA_VERIFY_BY_API: flag()
    .default(true)
    .describe('whether what YooKassa tells is asked for before it is believed; it signs nothing'),
  FREEKASSA_SIGNATURE_SCHEME: z
    .enum(freekassaSchemes, `must be ${freekassaSchemes.join(', ')}`)
    .default('md5')
    .describe('md5 is what FreeKassa sends; hmac-seed and hmac-sorted are those of documents'),
  FREEKASSA_HMAC_SECRET: z.string().min(1).optional().describe('of hmac-seed; unset: secret word 2'),
  FREEKASSA_IP_CHECK: check().default('log').describe('the same for FreeKassa, whose signature is what proves'),
  FREEKASSA_ALLOWED_IPS: addresses('168.119.157.136,168.119.60.227,178.154.197.79,51.250.54.238').describe(
    'where FreeKassa speaks from',
  ),
  FREEKASSA_NOTICE_METHOD: z
    .enum(['POST', 'any'], 'must be POST or any')
    .default('POST')
    .describe('any: notices by GET are taken as well'),
  TRIBUTE_SIGNATURE_ENCODING: z.enum(['hex', 'base64'], 'must be hex or base64').default('hex').describe('of its MAC'),
  STARS_WEBHOOK_SECRET: telegramSecret().describe('secret_token of setWebhook; unset: Telegram is not heard'),
  STARS_WEBHOOK_SECRET_PREVIOUS: telegramSecret().describe('the one before it, good as well while it is changed'),
  PANEL_WEBHOOK_SECRET: panelSecret().describe('WEBHOOK_SECRET_HEADER of the panel; unset: it is not heard'),
  PANEL_WEBHOOK_SECRET_PREVIOUS: panelSecret().describe('the one before it, good as well while it is changed'),
  PANEL_WEBHOOK_MAX_AGE: whole(0, 31_536_000)
    .default(0)
    .describe('seconds after which what happened at the panel is not acted upon; 0: however long'),
  RATE_LIMIT_ENABLED: flag()
    .default(true)
    .describe('whether requests to 2GETPRO are counted; what is authentic never is'),
  RATE_LIMIT_REQUESTS: whole(1, 1_000_000).default(30).describe('requests of one address in a window'),
  RATE_LIMIT_WINDOW: whole(1, 86_400).default(60).describe('seconds of that window'),
}

const schema = z.object(noticeSettings)
type NoticeSettings = z.output<typeof schema> & z.output<z.ZodObject<typeof paymentSettings>>

/** Something has to prove that it is YooKassa. */
const proofMistakes = (given: Partial<NoticeSettings>) =>
  given.YOOKASSA_SHOP_ID && given.YOOKASSA_IP_CHECK !== 'enforce' && given.YOOKASSA_VERIFY_BY_API === false
    ? ['YOOKASSA_VERIFY_BY_API must be true unless YOOKASSA_IP_CHECK is enforce']
    : []
const sortedMistakes = (given: Partial<NoticeSettings>) =>
  given.FREEKASSA_SIGNATURE_SCHEME === 'hmac-sorted' && given.FREEKASSA_MERCHANT_ID && !given.FREEKASSA_API_KEY
    ? ['FREEKASSA_API_KEY is required when FREEKASSA_SIGNATURE_SCHEME is hmac-sorted']
    : []

/** What is wrong between the settings of who tells us things. */
export const noticeRules: Rule<NoticeSettings>[] = [proofMistakes, sortedMistakes]

/** Who of the payment providers is heard; null: not heard, and gets 503. */
export interface NoticeConfig {
  bodyBytesMax: number
  /** Of one address: requests that are not authentic, and later those of people. Null: not counted. */
  limit: { requests: number; windowSeconds: number } | null
  yookassa: (Omit<YookassaNotices, 'api'> & { isVerified: boolean }) | null
  cryptopay: CryptopayNotices | null
  freekassa: (FreekassaNotices & { isByGet: boolean }) | null
  tribute: TributeNotices | null
  stars: StarsNotices | null
  panel: PanelNotices | null
}

const given = (...secrets: (string | undefined)[]) => secrets.filter((secret) => secret !== undefined)

function freekassaConfig(settings: NoticeSettings): NoticeConfig['freekassa'] {
  const { FREEKASSA_SIGNATURE_SCHEME: scheme, FREEKASSA_MERCHANT_ID: merchantId } = settings
  const secrets = {
    md5: settings.FREEKASSA_SECOND_SECRET,
    'hmac-seed': settings.FREEKASSA_HMAC_SECRET ?? settings.FREEKASSA_SECOND_SECRET,
    'hmac-sorted': settings.FREEKASSA_API_KEY,
  }
  const secret = secrets[scheme]
  if (!merchantId || !secret) return null
  return {
    ...{ merchantId, scheme, secret },
    addressCheck: settings.FREEKASSA_IP_CHECK,
    addresses: addressList(list(settings.FREEKASSA_ALLOWED_IPS)),
    isByGet: settings.FREEKASSA_NOTICE_METHOD === 'any',
  }
}

/** @throws BadSettings */
export function noticeConfig(settings: NoticeSettings): NoticeConfig {
  refuse([...proofMistakes(settings), ...sortedMistakes(settings)])
  const { YOOKASSA_SHOP_ID: shopId, YOOKASSA_SECRET_KEY: secretKey, PANEL_WEBHOOK_MAX_AGE: maxAge } = settings
  const yookassa = shopId &&
    secretKey && {
      shopId,
      addressCheck: settings.YOOKASSA_IP_CHECK,
      addresses: addressList(list(settings.YOOKASSA_ALLOWED_IPS)),
      isTestShop: secretKey.startsWith('test_'),
      isVerified: settings.YOOKASSA_VERIFY_BY_API,
    }
  const stars = given(settings.STARS_WEBHOOK_SECRET, settings.STARS_WEBHOOK_SECRET_PREVIOUS)
  const panel = given(settings.PANEL_WEBHOOK_SECRET, settings.PANEL_WEBHOOK_SECRET_PREVIOUS)
  return {
    bodyBytesMax: settings.WEBHOOK_MAX_BODY,
    limit: settings.RATE_LIMIT_ENABLED
      ? { requests: settings.RATE_LIMIT_REQUESTS, windowSeconds: settings.RATE_LIMIT_WINDOW }
      : null,
    yookassa: yookassa || null,
    cryptopay: settings.CRYPTOPAY_TOKEN ? { token: settings.CRYPTOPAY_TOKEN } : null,
    freekassa: freekassaConfig(settings),
    tribute: settings.TRIBUTE_API_KEY
      ? { apiKey: settings.TRIBUTE_API_KEY, encoding: settings.TRIBUTE_SIGNATURE_ENCODING }
      : null,
    stars: settings.STARS_WEBHOOK_SECRET ? { secrets: stars } : null,
    panel: settings.PANEL_WEBHOOK_SECRET ? { secrets: panel, maxAgeSeconds: maxAge || null } : null,
  }
}
