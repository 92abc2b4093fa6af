import { z } from '@hono/zod-openapi'
import * as verbs from '../../db/telecom/sims.ts'
import * as statistics from '../../db/telecom/statistics.ts'
import { simStatuses } from '../../db/telecom/words.ts'
import type { ApiConfig } from '../config.ts'
import { cameled } from '../names.ts'
import { published, resource } from '../resource.ts'
import { act, array, countsOf, figures } from './acts.ts'
import { Imsi, iccid, Phone, Puk } from './fields.ts'
import { actRouter, dialect, idBody, idParam, operators, router, shown, staff, supervisors, Time } from './surface.ts'

const tag = 'Телеком: SIM-карты'
const path = '/sims'

const displayed: Record<(typeof simStatuses)[number], string> = {
  free: 'Свободна',
  active: 'Активна',
  suspended: 'Приостановлена',
  blocked: 'Заблокирована',
  closed: 'Закрыта',
}

const View = z.object({
  id: z.int(),
  iccid: z.string(),
  imsi: z.string(),
  msisdn: z.string(),
  puk_code: z.string().nullish(),
  status: z.enum(simStatuses),
  status_display: z.string(),
  contract: z.int().nullable(),
  contract_number: z.string().nullable(),
  customer_name: z.string().nullable(),
  activated_at: Time.nullable(),
  deactivated_at: Time.nullable(),
  created_at: Time,
  updated_at: Time,
})
const Row = View.omit({ puk_code: true }).openapi('FreeSim')

const toJson = (sim: verbs.Sim) => ({
  ...shown(sim),
  status_display: displayed[sim.status],
  contract: sim.contractId,
})

const words = {
  list: { summary: 'Список SIM-карт' },
  get: { summary: 'Детали SIM', description: 'PUK видят все, кроме employee.' },
  create: {
    summary: 'Создать SIM',
    body: {
      iccid: '8999601234567890123',
      imsi: '437011234567890',
      msisdn: '+996550123456',
      puk_code: '12345678',
    },
  },
  change: { summary: 'Обновить SIM' },
  remove: { summary: 'Удалить SIM', description: 'Только без договора.' },
}

/** The cards (docs/contracts.md 5.2). */
export function sims({ telecom: { isIccidStrict: isStrict } }: ApiConfig) {
  const app = router()
  figures(
    app,
    {
      path: `${path}/statistics`,
      tag,
      summary: 'Статистика по SIM',
      schema: z.object({ total: z.int(), ...countsOf(simStatuses).shape }),
    },
    async (q) => {
      const { total, byStatus } = await statistics.ofSims(q)
      return { total, ...byStatus }
    },
  )
  array(app, { path: `${path}/free`, tag, summary: 'Список свободных SIM', item: Row }, async (q, actor, at) => {
    const { rows } = await verbs.list(q, actor, { ...at, filter: { status: 'free' } })
    return rows.map((row) => published(Row, toJson(row)))
  })
  resource(app, dialect, {
    path,
    id: 'id',
    name: 'Sim',
    tag,
    words,
    verbs,
    readers: staff,
    writers: operators,
    removers: supervisors,
    view: View,
    toJson,
    omitted: ['puk_code'],
    body: z.object({ iccid: iccid({ isStrict }), imsi: Imsi, msisdn: Phone, puk_code: Puk.nullish() }),
    fromJson: cameled,
    filter: { status: z.enum(simStatuses), contract_id: idParam },
    search: ['searchText'],
    order: [
      ...(['id', 'iccid', 'imsi', 'msisdn', 'status', 'contractId'] as const),
      ...(['activatedAt', 'deactivatedAt', 'createdAt', 'updatedAt'] as const),
    ],
    called: { contractId: 'contract' },
  })
  return app
}

/** What is done to them. */
export const simActs = actRouter()

const acts = { guard: operators, tag }
act(
  simActs,
  {
    ...acts,
    path: `${path}/{id}/activate`,
    summary: 'Активировать SIM',
    body: z.object({ contract_id: idBody }).openapi('SimActivation'),
  },
  async (tx, actor, id, { contract_id: contractId }) => {
    const { number } = await verbs.activate(tx, actor, id, contractId)
    return { message: `SIM-карта активирована по договору ${number}` }
  },
)
act(simActs, { ...acts, path: `${path}/{id}/deactivate`, summary: 'Деактивировать SIM' }, async (tx, actor, id) => {
  await verbs.deactivate(tx, actor, id)
  return { message: 'SIM-карта деактивирована' }
})
act(simActs, { ...acts, path: `${path}/{id}/block`, summary: 'Заблокировать SIM' }, async (tx, actor, id) => {
  await verbs.block(tx, actor, id)
  return { message: 'SIM-карта заблокирована' }
})
act(
  simActs,
  { ...acts, path: `${path}/{id}/close`, summary: 'Закрыть SIM навсегда (дополнение)' },
  async (tx, actor, id) => {
    await verbs.close(tx, actor, id)
    return { message: 'SIM-карта закрыта' }
  },
)
