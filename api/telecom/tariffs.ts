import { z } from '@hono/zod-openapi'
import * as contractVerbs from '../../db/telecom/contracts.ts'
import * as statistics from '../../db/telecom/statistics.ts'
import * as verbs from '../../db/telecom/tariffs.ts'
import { published, resource } from '../resource.ts'
import { act, array, figures } from './acts.ts'
import { ContractRow, contractJson } from './contract-view.ts'
import { Decimal, decimal, Flag, Gigabytes, Price, Text } from './fields.ts'
import { actRouter, dialect, router, shown, staff, supervisors, Time } from './surface.ts'

const tag = 'Телеком: тарифы'
const path = '/tariffs'
const shortCharactersMax = 100
const countMax = 1_000_000_000

/** The types that we know of; an operator may have others. */
const displayed: Record<string, string> = {
  prepaid: 'Предоплатный',
  postpaid: 'Постоплатный',
  corporate: 'Корпоративный',
}
const count = z.int().min(0).max(countMax)

const View = z.object({
  id: z.int(),
  name: z.string(),
  description: z.string(),
  description_short: z.string(),
  monthly_fee: Decimal,
  minutes_included: z.int(),
  sms_included: z.int(),
  data_gb_included: z.string().openapi({ example: '50.00' }),
  minute_overage_cost: Decimal,
  sms_overage_cost: Decimal,
  data_gb_overage_cost: Decimal,
  extra_options: z.record(z.string(), z.any()),
  is_active: z.boolean(),
  tariff_type: z.string(),
  tariff_type_display: z.string(),
  priority: z.int(),
  active_contracts_count: z.int(),
  created_at: Time,
  updated_at: Time,
})
const Row = View.openapi('ActiveTariff')

const toJson = (tariff: verbs.Tariff) => ({
  ...shown(tariff),
  description_short:
    tariff.description.length > shortCharactersMax
      ? `${tariff.description.slice(0, shortCharactersMax - 1)}…`
      : tariff.description,
  monthly_fee: decimal(tariff.monthlyFeeMinor),
  minute_overage_cost: decimal(tariff.minuteOverageCostMinor),
  sms_overage_cost: decimal(tariff.smsOverageCostMinor),
  data_gb_overage_cost: decimal(tariff.dataGbOverageCostMinor),
  tariff_type_display: displayed[tariff.tariffType] ?? tariff.tariffType,
})

/** What is sold (docs/contracts.md 5.3). */
export const tariffs = router()

figures(
  tariffs,
  {
    path: `${path}/statistics`,
    tag,
    summary: 'Статистика по тарифам',
    schema: z.object({
      total: z.int(),
      active: z.int(),
      inactive: z.int(),
      avg_monthly_fee: Decimal,
      by_type: z.record(z.string(), z.int()),
    }),
  },
  async (q) => {
    const { total, active, averageFeeMinor, byType } = await statistics.ofTariffs(q, Object.keys(displayed))
    return {
      total,
      active,
      inactive: total - active,
      avg_monthly_fee: decimal(averageFeeMinor),
      by_type: byType,
    }
  },
)
array(tariffs, { path: `${path}/active`, tag, summary: 'Список активных тарифов', item: Row }, async (q, actor, at) => {
  const { rows } = await verbs.list(q, actor, { ...at, filter: { isActive: true } })
  return rows.map((row) => published(Row, toJson(row)))
})

resource(tariffs, dialect, {
  path,
  id: 'id',
  name: 'Tariff',
  tag,
  words: {
    list: { summary: 'Список тарифов' },
    get: { summary: 'Детали тарифа' },
    create: {
      summary: 'Создать тариф',
      body: {
        name: 'Безлимит',
        description: 'Тариф',
        monthly_fee: '500.00',
        minutes_included: 1_000,
        sms_included: 100,
        data_gb_included: '50.00',
        tariff_type: 'prepaid',
        is_active: true,
        priority: 10,
      },
    },
    change: { summary: 'Обновить тариф' },
    remove: { summary: 'Удалить тариф', description: 'Только без договоров.' },
  },
  verbs,
  readers: staff,
  writers: supervisors,
  view: View,
  toJson,
  body: z.object({
    name: Text.min(1).max(200),
    description: Text.optional(),
    monthly_fee: Price,
    minutes_included: count.optional(),
    sms_included: count.optional(),
    data_gb_included: Gigabytes.optional(),
    minute_overage_cost: Price.optional(),
    sms_overage_cost: Price.optional(),
    data_gb_overage_cost: Price.optional(),
    extra_options: z.record(z.string(), z.any()).optional(),
    is_active: z.boolean().optional(),
    tariff_type: Text.min(1).max(50).optional(),
    priority: z.int().min(-countMax).max(countMax).optional(),
  }),
  fromJson: (body) => ({
    name: body.name,
    description: body.description,
    monthlyFeeMinor: body.monthly_fee,
    minutesIncluded: body.minutes_included,
    smsIncluded: body.sms_included,
    dataGbIncluded: body.data_gb_included,
    minuteOverageCostMinor: body.minute_overage_cost,
    smsOverageCostMinor: body.sms_overage_cost,
    dataGbOverageCostMinor: body.data_gb_overage_cost,
    extraOptions: body.extra_options,
    isActive: body.is_active,
    tariffType: body.tariff_type,
    priority: body.priority,
  }),
  filter: { is_active: Flag, tariff_type: z.string().max(50) },
  search: ['name', 'description'],
  order: [
    ...(['id', 'name', 'description', 'monthlyFeeMinor', 'minutesIncluded', 'smsIncluded', 'dataGbIncluded'] as const),
    ...(['minuteOverageCostMinor', 'smsOverageCostMinor', 'dataGbOverageCostMinor', 'isActive'] as const),
    ...(['tariffType', 'priority', 'createdAt', 'updatedAt'] as const),
  ],
  called: {
    monthlyFeeMinor: 'monthly_fee',
    minuteOverageCostMinor: 'minute_overage_cost',
    smsOverageCostMinor: 'sms_overage_cost',
    dataGbOverageCostMinor: 'data_gb_overage_cost',
  },
})

/** What is done to them, and who has them. */
export const tariffActs = actRouter()

const acts = { guard: supervisors, tag }
act(tariffActs, { ...acts, path: `${path}/{id}/activate`, summary: 'Активировать тариф' }, async (tx, actor, id) => {
  await verbs.sell(tx, actor, id, true)
  return { message: 'Тариф активирован' }
})
act(
  tariffActs,
  { ...acts, path: `${path}/{id}/deactivate`, summary: 'Деактивировать тариф' },
  async (tx, actor, id) => {
    await verbs.sell(tx, actor, id, false)
    return { message: 'Тариф деактивирован' }
  },
)
array(
  tariffActs,
  { tag, path: `${path}/{id}/contracts`, summary: 'Договоры с этим тарифом', item: ContractRow },
  async (q, actor, at, tariffId) => {
    await verbs.get(q, actor, tariffId)
    return (await contractVerbs.list(q, actor, { ...at, filter: { tariffId } })).rows.map(contractJson)
  },
)
