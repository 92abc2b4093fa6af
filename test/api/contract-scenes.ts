import type { Ids, Stage } from './contract-stage.ts'
import { form } from './file.ts'

/** What an operation needs before it can succeed: more ids, other fields, a query, a form. */
export interface Scene {
  ids?: Ids
  /** Fields of the body that the example leaves to imagination. */
  body?: Record<string, unknown> | FormData
  query?: string
}
type Prepare = (stage: Stage) => Promise<Scene> | Scene

const order: Prepare = async ({ borrowed }) => ({ ids: { order_id: await borrowed() } })
const asked =
  (path: string): Prepare =>
  async ({ call, admin, ids }) => {
    await call('POST', path, { token: admin.token, body: { station_id: ids.station_id } })
    return {}
  }
const made =
  (path: string, key: string, body: (stage: Stage) => object | Promise<object>): Prepare =>
  async (stage) => ({ ids: { [key]: await stage.made(path, await body(stage)) } })
const people = () => ({ body: form('ФИО;email;phone\nИван Иванов;import@example.com;+79330000001', 'люди.csv') })
const station = ({ ids }: Stage) => ({ station_id: ids.station_id })
const report = { slot_number: 1, terminal_id: '4443484154000016', event_type: '1', reported_at: '2025-10-12T10:00:00Z' }
const returned: Prepare = async ({ borrowed, box }) => {
  await borrowed()
  await box.insert(box.banks[1]!.bankId, 7)
  return {}
}

/** By operation. One that is not here needs nothing but the stage. */
export const scenes: Record<string, Prepare> = {
  'POST /api/auth/login': async ({ documentedPerson }) => ({ ids: { user_id: await documentedPerson() } }),
  'POST /api/admin/approve-user': async ({ newcomer }) => ({ ids: { user_id: await newcomer() } }),
  'POST /api/admin/reject-user': async ({ newcomer }) => ({ ids: { user_id: await newcomer() } }),
  'POST /api/admin/activate-powerbank': async ({ bank }) => ({ ids: { powerbank_id: await bank('unknown') } }),
  'POST /api/admin/bulk-activate-powerbanks': async ({ bank }) => ({
    ids: { powerbank_ids: [await bank('unknown'), await bank('unknown'), await bank('unknown')] },
  }),
  'POST /api/admin/write-off-powerbank': order,
  'PUT /api/powerbanks/{powerbank_id}/approve': async ({ bank }) => ({ ids: { powerbank_id: await bank('unknown') } }),
  'DELETE /api/powerbanks/{powerbank_id}': async ({ bank }) => ({ ids: { powerbank_id: await bank() } }),
  'DELETE /api/stations/{station_id}': made('/api/stations', 'station_id', ({ group }) => ({
    org_unit_id: group,
    box_id: 'ST001',
    slots_declared: 8,
  })),
  'POST /api/orders': async ({ bank }) => ({ ids: { powerbank_id: await bank() } }),
  'GET /api/orders/{order_id}': order,
  'PUT /api/orders/{order_id}': order,
  'DELETE /api/orders/{order_id}': async (stage) => {
    const scene = await order(stage)
    await stage.box.insert(stage.box.banks[1]!.bankId, 7)
    return scene
  },
  'DELETE /api/org-units/{org_unit_id}': async ({ unit }) => ({ ids: { org_unit_id: await unit('пустая') } }),
  'POST /api/return-powerbank': order,
  'POST /api/return/wait-confirmation': returned,
  'GET /api/return/stations/{station_id}/active-orders': order,
  'POST /powerbank-error-report': order,
  'GET /api/slot-abnormal-reports/{report_id}': made('/api/slot-abnormal-reports', 'report_id', (stage) => ({
    ...report,
    ...station(stage),
  })),
  'DELETE /api/slot-abnormal-reports/{report_id}': made('/api/slot-abnormal-reports', 'report_id', (stage) => ({
    ...report,
    ...station(stage),
  })),
  'GET /api/query-inventory/station/{station_id}': asked('/api/query-inventory'),
  'GET /api/query-voice-volume/station/{station_id}': asked('/api/query-voice-volume'),
  'GET /api/query-server-address/station/{station_id}': asked('/api/query-server-address'),
  'POST /api/users/bulk-import': people,
  'POST /api/users/bulk-import/validate': people,
  'DELETE /api/user-roles/{role_id}': async ({ sql, user }) => {
    const [row] = await sql<{ id: number }[]>`select id from user_roles where user_id = ${user.id}`
    return { ids: { role_id: row!.id } }
  },
  'DELETE /api/user-favorites/{favorite_id}': async (stage) => ({
    ids: { favorite_id: await stage.made('/api/user-favorites', station(stage), stage.user) },
  }),
  'POST /api/station-powerbanks': async ({ bank }) => ({ ids: { powerbank_id: await bank(), slot_number: 5 } }),
  'DELETE /api/station-powerbanks/{sp_id}': async ({ sql, ids }) => {
    const [row] = await sql<{ id: number }[]>`
      select id from station_powerbanks where powerbank_id = ${ids.powerbank_id as number}`
    return { ids: { sp_id: row!.id } }
  },
  'DELETE /api/station-secret-keys/{key_id}': made('/api/station-secret-keys', 'key_id', (stage) => ({
    ...station(stage),
    key_value: 'secret',
  })),
  'DELETE /api/station-secret-keys': async (stage) => {
    await stage.made('/api/station-secret-keys', { ...station(stage), key_value: 'secret' })
    return {}
  },
  'GET /api/user/powerbanks/available': ({ ids }) => ({ query: `station_id=${ids.station_id}` }),
  'POST /api/user/powerbanks/return': order,
  'POST /api/return-damage': order,
}
