import { z } from 'zod'
import { address, type Rule, refuse, timeZone } from '../../db/platform/config.ts'
import type { BitrixConfig } from './bitrix.ts'
import { type NoticeConfig, noticeConfig, noticeRules, noticeSettings } from './notice-settings.ts'
import type { OnecConfig } from './onec.ts'
import { type PaymentConfig, paymentConfig, paymentRules, paymentSettings } from './payment-settings.ts'

const secretCharsMin = 16

const webhookToken = () => z.string().min(secretCharsMin, `must have at least ${secretCharsMin} characters`).optional()

/** Who may tell us things, and by which secrets (docs/providers.md 10). */
export const providerSettings = {
  ONEC_WEBHOOK_TOKEN: webhookToken().describe('what 1C sends as X-Webhook-Token; unset: 1C is not heard'),
  ONEC_WEBHOOK_TOKEN_PREVIOUS: webhookToken().describe(
    'the token before it, good as well while 1C is told the new one',
  ),
  ONEC_TIME_ZONE: timeZone()
    .default('Europe/Moscow')
    .describe('what dates of 1C without a zone mean, and when its day begins'),
  BITRIX_AUTH_MODE: z
    .enum(['header', 'application_token'], 'must be header or application_token')
    .default('header')
    .describe('how Bitrix24 proves itself: own middleware by X-Webhook-Token, native webhooks by their token'),
  BITRIX_WEBHOOK_TOKEN: webhookToken().describe('mode header: the token; unset: Bitrix24 is not heard'),
  BITRIX_WEBHOOK_TOKEN_PREVIOUS: webhookToken().describe('mode header: the token before it'),
  BITRIX_APPLICATION_TOKEN: webhookToken().describe('mode application_token: the token of the outgoing webhook'),
  BITRIX_MEMBER_ID: z
    .string()
    .min(1)
    .optional()
    .describe('the member_id of the portal; required with BITRIX_APPLICATION_TOKEN'),
  BITRIX_WEBHOOK_URL: address(['http', 'https'], 'https://example.bitrix24.ru/rest/1/secret')
    .optional()
    .describe('incoming webhook of the portal, to ask for contacts that native webhooks only name'),
  ...paymentSettings,
  ...noticeSettings,
}

export interface ProviderConfig {
  /** IANA name of the zone the clinic lives in. */
  timeZone: string
  /** Null: not heard, and gets 503. */
  onec: OnecConfig | null
  /** The same. */
  bitrix: BitrixConfig | null
  payments: PaymentConfig
  notices: NoticeConfig
}

const given = (...tokens: (string | undefined)[]) => tokens.filter((token) => token !== undefined)
const schema = z.object(providerSettings)
type ProviderSettings = z.output<typeof schema>

const memberMistakes = (given: Partial<ProviderSettings>) =>
  given.BITRIX_AUTH_MODE === 'application_token' && given.BITRIX_APPLICATION_TOKEN && !given.BITRIX_MEMBER_ID
    ? ['BITRIX_MEMBER_ID is required when BITRIX_APPLICATION_TOKEN is set']
    : []

/** What is wrong between the providers' settings. */
export const providerRules: Rule<ProviderSettings>[] = [memberMistakes, ...paymentRules, ...noticeRules]

function bitrixConfig(settings: ProviderSettings): BitrixConfig | null {
  if (settings.BITRIX_AUTH_MODE === 'header') {
    if (!settings.BITRIX_WEBHOOK_TOKEN) return null
    return { mode: 'header', tokens: given(settings.BITRIX_WEBHOOK_TOKEN, settings.BITRIX_WEBHOOK_TOKEN_PREVIOUS) }
  }
  if (!settings.BITRIX_APPLICATION_TOKEN) return null
  refuse(memberMistakes(settings))
  return {
    mode: 'application_token',
    tokens: [settings.BITRIX_APPLICATION_TOKEN],
    memberId: settings.BITRIX_MEMBER_ID!,
    restUrl: settings.BITRIX_WEBHOOK_URL ?? null,
  }
}

/** @throws BadSettings */
export function providerConfig(settings: ProviderSettings): ProviderConfig {
  const { ONEC_WEBHOOK_TOKEN: token, ONEC_WEBHOOK_TOKEN_PREVIOUS: previous, ONEC_TIME_ZONE: timeZone } = settings
  return {
    timeZone,
    onec: token ? { tokens: given(token, previous), timeZone } : null,
    bitrix: bitrixConfig(settings),
    payments: paymentConfig(settings),
    notices: noticeConfig(settings),
  }
}
