import * as identity from '../../db/identity/identity.ts'
import * as password from '../../db/identity/password.ts'
import { cabinet, newDeviceId } from './cabinet.ts'
import type { startApiServer } from './server.ts'

/** One operation of test/vectors/endpoints-powerbank.json. */
export interface Documented {
  method: string
  path: string
  auth: 'none' | 'user' | 'admin'
  request_example: Record<string, unknown> | null
  success_status: number
  response_keys: string[]
  content_type?: string
  query?: Record<string, string>
  aliases?: string[]
}

/** What the document's examples take for granted: their ids, as they are in this database. */
export type Ids = Record<string, unknown>
export type Stage = Awaited<ReturnType<typeof stage>>

const documented = { phone: '+79001234567', email: 'ivan@example.com', password: 'password123' }

type House = Awaited<ReturnType<typeof startApiServer>>
const inserted = async (query: Promise<{ id: number }[]>) => (await query)[0]!.id

/**
 * A world in which the document's examples make sense: a group, its people, an online cabinet with three power banks,
 * and nobody and nothing that bears the names the examples are about to give.
 */
export async function stage(built: House) {
  const { db, stage, person, unit, call } = built
  const { sql } = db
  await sql`
    update users set deleted_at = now()
    where (phone = ${documented.phone} or lower(email) = ${documented.email}) and deleted_at is null`
  await sql`update stations set deleted_at = now() where box_id = 'ST001' and deleted_at is null`
  await sql`update powerbanks set deleted_at = now() where serial_number = 'PB001' and deleted_at is null`
  const group = await unit('Отдел продаж')
  const admin = await person('service_admin')
  const user = await person('user', group)
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3] })
  /** What a path or a body may name. */
  const ids: Ids = {
    station_id: box.stationId,
    slot_number: 1,
    powerbank_id: box.banks[1]!.id,
    user_id: user.id,
    admin_user_id: admin.id,
    org_unit_id: group,
    parent_org_unit_id: group,
    target_org_unit_id: group,
  }

  /** The user has borrowed what was in slot 1, over HTTP, a minute ago: a bank that is back at once may never have left. */
  async function borrowed(): Promise<number> {
    const path = `/api/borrow/stations/${box.stationId}/request`
    const { body } = await call('POST', path, { token: user.token, body: { user_id: user.id, slot_number: 1 } })
    await sql`update orders set borrowed_at = now() - interval '1 minute' where id = ${body.order_id}`
    return body.order_id
  }

  /** A row that has just been made through the API: its id. */
  async function made(path: string, body: object, by: { token: string } = admin): Promise<number> {
    const answer = await call('POST', path, { token: by.token, body })
    const { data } = answer.body
    const idOf = Object.entries(data ?? {}).find(([key, value]) => /^id$|_id$/.test(key) && typeof value === 'number')
    if (!idOf) throw new Error(`POST ${path} made nothing: ${answer.status} ${JSON.stringify(answer.body)}`)
    return idOf[1] as number
  }

  return { sql, call, admin, user, group, box, unit, person, ids, borrowed, made, ...cast(built, group) }
}

/** People and things that only some examples need. */
const cast = ({ db }: House, group: number) => ({
  /** Somebody who waits for approval. */
  newcomer: () =>
    inserted(db.sql`
      insert into users (phone, full_name) values (${`+7999${Math.floor(performance.now() * 1_000)}`}, 'Новый Человек')
      returning id`),
  /** The person of the login example. */
  documentedPerson: () =>
    db.transaction(async (tx) =>
      identity.createWithRoles(tx, {
        phone: documented.phone,
        email: documented.email,
        fullName: 'Иван Иванов',
        passwordHash: await password.hash(documented.password),
        roles: [{ surface: 'powerbank', role: 'user', orgUnitId: group }],
      }),
    ),
  /** A power bank that is nowhere. */
  bank: (status = 'active') => {
    const serial = newDeviceId()
    return inserted(db.sql`
      insert into powerbanks (org_unit_id, serial_number, device_id, status)
      values (${group}, ${serial}, ${serial}, ${status}) returning id`)
  },
})

/** The example with this stage's ids in the place of the document's. */
export const substituted = (example: Record<string, unknown>, ids: Ids) =>
  Object.fromEntries(
    Object.entries(example).map(([key, value]) => [key, value !== null && key in ids ? ids[key] : value]),
  )
