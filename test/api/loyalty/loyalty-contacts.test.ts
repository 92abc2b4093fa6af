import { describe, expect, test } from 'vitest'
import { phoneOf } from '../../../api/providers/bitrix.ts'
import * as identity from '../../../db/identity/identity.ts'
import type { Surface } from '../../../db/identity/words.ts'
import { accountOf } from '../../../db/loyalty/loyalty.ts'
import * as inbox from '../../../db/messages/inbox.ts'
import { startApiServer, webhookToken } from '../server.ts'

const path = '/api/integrations/bitrix/contact'
const { call, db, person } = await startApiServer()
const { sql } = db
let contacts = 0
const fresh = () => ({
  contact_id: `C-${++contacts}`,
  email: `contact${contacts}@example.com`,
  phone: `+7966${1_000_000 + contacts}`,
  name: 'Иван',
  last_name: 'Иванов',
})
const told = (body: unknown) => call('POST', path, { body, headers: { 'x-webhook-token': webhookToken } })
const made = async (body: unknown): Promise<number> => {
  const answer = await told(body)
  expect(answer).toMatchObject({ status: 200, body: { status: 'success', user_id: expect.any(Number) } })
  return answer.body.user_id
}
const stored = async (id: number) =>
  (await sql`select email, phone, full_name, bitrix_contact_id, password_hash from users where id = ${id}`)[0]!
const latest = async (key: string) =>
  (await sql`select * from inbox where dedup_key like ${`${key}%`} order by id desc limit 1`)[0] as any

/** Somebody who registered, with a password. */
async function somebody(change: object, roles: identity.Grant[] = [{ surface: 'loyalty', role: 'patient' }]) {
  const who = { email: null, phone: null, fullName: 'Прежнее Имя', passwordHash: 'a hash', ...change }
  return await db.transaction((tx) => identity.createWithRoles(tx, { ...who, roles }))
}

describe('a contact told by own middleware', () => {
  test('becomes a patient with an account and no password, said twice or twenty times at once', async () => {
    const body = fresh()
    const ids = await Promise.all(Array.from({ length: 20 }, () => made(body)))
    expect(new Set(ids).size).toBe(1)
    expect(await made(body)).toBe(ids[0])
    expect(await stored(ids[0]!)).toEqual({
      email: body.email,
      phone: body.phone,
      fullName: 'Иванов Иван',
      bitrixContactId: body.contact_id,
      passwordHash: null,
    })
    expect(await accountOf(sql, ids[0]!)).toMatchObject({ cardTier: 'bronze' })
    const roles = await sql`select surface, role from user_roles where user_id = ${ids[0]!}`
    expect(roles).toEqual([{ surface: 'loyalty', role: 'patient' }])
  })

  test('is brought up to date, and back again', async () => {
    const body = fresh()
    const id = await made(body)
    for (const name of ['Пётр', 'Иван', 'Пётр']) {
      expect(await made({ ...body, name })).toBe(id)
      expect((await stored(id)).fullName).toBe(`Иванов ${name}`)
    }
    const changes = await sql`select 1 from audit_log where action = 'user.update' and entity_id = ${id}`
    expect(changes).toHaveLength(3)
  })

  test('is found by the stored id, then by email in any case, then by phone', async () => {
    const [byId, byEmail, byPhone] = [fresh(), fresh(), fresh()]
    const id = await made(byId)
    const moved = { ...byId, email: `new-${byId.email}`, phone: '+79661999001' }
    expect(await made(moved)).toBe(id)
    expect(await stored(id)).toMatchObject({ email: moved.email, phone: moved.phone })
    const mailed = await somebody({ email: byEmail.email.toUpperCase() })
    expect(await made(byEmail)).toBe(mailed)
    expect(await stored(mailed)).toMatchObject({ phone: byEmail.phone, bitrixContactId: byEmail.contact_id })
    const phoned = await somebody({ phone: byPhone.phone })
    expect(await made({ ...byPhone, phone: byPhone.phone.replace('+7', '8 ') })).toBe(phoned)
    expect(await stored(phoned)).toMatchObject({ email: byPhone.email, fullName: 'Иванов Иван' })
  })

  test('never changes the email of somebody with a password: that is where a new one would go', async () => {
    const body = fresh()
    const own = await somebody({ phone: body.phone, email: `own-${body.email}` })
    expect(await made(body)).toBe(own)
    expect(await stored(own)).toMatchObject({ email: `own-${body.email}`, passwordHash: 'a hash' })
  })

  test('never changes what somebody logs in with elsewhere, or gets a password at', async () => {
    const body = fresh()
    const roles: identity.Grant[] = [{ surface: 'powerbank', role: 'user' }]
    const phone = `+7967${body.phone.slice(-7)}`
    const mailed = await somebody({ phone, email: body.email }, roles)
    expect(await made(body)).toBe(mailed)
    expect(await stored(mailed)).toMatchObject({ phone, fullName: 'Иванов Иван', bitrixContactId: body.contact_id })
    // Imported, or waiting to be let in: the letter with the password has not gone out yet.
    for (const imported of [roles, []]) {
      const other = fresh()
      const waiting = await somebody({ phone: other.phone, email: `own-${other.email}`, passwordHash: null }, imported)
      expect(await made(other)).toBe(waiting)
      expect(await made({ ...other, phone: `+7967${other.phone.slice(-7)}` })).toBe(waiting)
      expect(await stored(waiting)).toMatchObject({ phone: other.phone, email: `own-${other.email}` })
    }
  })

  test.each(['loyalty:cashier', 'loyalty:admin', 'powerbank:service_admin', 'telecom:operator', 'paygo:admin'])(
    'never takes over an account of %s',
    async (role) => {
      const body = fresh()
      const [surface, name] = role.split(':') as [Surface, string]
      const id = await somebody({ email: body.email }, [{ surface, role: name }])
      const before = await stored(id)
      expect(await told(body)).toMatchObject({ status: 200, body: { status: 'conflict', user_id: null } })
      expect(await stored(id)).toEqual(before)
      expect(await latest(`contact ${body.contact_id}`)).toMatchObject({
        state: 'failed',
        lastError: 'conflict: staff_account',
      })
    },
  )

  test('never gets what is another’s, and changes nothing then', async () => {
    const [one, other] = [fresh(), fresh()]
    const id = await made(one)
    await made(other)
    const before = await stored(id)
    for (const [change, reason] of [
      [{ email: other.email }, 'email_taken'],
      [{ phone: other.phone }, 'phone_taken'],
      [{ contact_id: 'C-another' }, 'other_contact'],
    ] as const) {
      const body = { ...one, name: 'Чужой', ...change }
      expect(await told(body)).toMatchObject({ status: 200, body: { status: 'conflict', user_id: null } })
      expect((await latest(`contact ${body.contact_id}`)).lastError).toBe(`conflict: ${reason}`)
      expect(await stored(id)).toEqual(before)
    }
  })

  test('is worked again once the conflict is gone', async () => {
    const [one, other] = [fresh(), fresh()]
    await made(one)
    const body = { ...other, phone: one.phone, email: null }
    expect((await told(body)).body.status).toBe('conflict')
    await sql`update users set phone = null where phone = ${one.phone}`
    await made(body)
  })

  test('that nobody could be reached by makes nobody', async () => {
    const body = { contact_id: 'C-nobody', email: 'не адрес', phone: '12', name: 'Никто', last_name: null }
    expect(await told(body)).toMatchObject({ status: 200, body: { status: 'ignored', user_id: null } })
    expect(await sql`select 1 from users where bitrix_contact_id = 'C-nobody'`).toEqual([])
  })

  test('two contacts with one email at once make one patient', async () => {
    const body = fresh()
    const answers = await Promise.all(['C-a', 'C-b', 'C-c'].map((contact_id) => told({ ...body, contact_id })))
    expect(answers.map(({ body }) => body.status).sort()).toEqual(['conflict', 'conflict', 'success'])
    expect(await sql`select 1 from users where email = ${body.email}`).toHaveLength(1)
  })

  test.each([
    {},
    { contact_id: '' },
    { contact_id: [] },
    { contact_id: '1', email: 5 },
    { contact_id: '1', name: 'x'.repeat(101) },
  ])('of another shape (%#) is a 422', async (body) => {
    const { status, body: answer } = await told(body)
    expect([status, answer.detail[0]?.loc[0]]).toEqual([422, 'body'])
  })
})

test.each([
  ['+7 (999) 123-45-67', '+79991234567'],
  ['8 999 123 45 67', '+79991234567'],
  ['79991234567', '+79991234567'],
  ['9991234567', '+79991234567'],
  ['+996 700 123456', '+996700123456'],
  ['123', null],
  ['+0 999 1234567', null],
  ['нет', null],
  [null, null],
])('the phone %s is %s', (text, phone) => {
  expect(phoneOf(text)).toBe(phone)
})

test('a person of the power banks keeps their place when a contact has their phone', async () => {
  const user = await person('user')
  expect(await made({ ...fresh(), phone: user.phone })).toBe(user.id)
  expect(await inbox.due(sql, 'bitrix24', 10)).toEqual([])
})
