import { expect, test } from 'vitest'
import { startApiServer } from '../server.ts'
import { type Person, refusal, stage } from './paygo-stage.ts'

const built = await startApiServer()
const { call, db, lines } = built
const { member, kept, card, number } = stage(built)

const add = ({ token }: Person, body: object) => call('POST', '/api/v1/cards', { token, body })
const list = async ({ token }: Person) => (await call('GET', '/api/v1/cards', { token })).body.cards
const remove = ({ token }: Person, id: string) => call('DELETE', `/api/v1/cards/${id}`, { token })
const first = ({ token }: Person, id: string) => call('PUT', `/api/v1/cards/${id}/set-primary`, { token })
const primaries = async (one: Person) =>
  (await list(one)).filter((each: any) => each.is_primary).map(({ id }: any) => id)

test('blanks and dashes are no part of a number, and the same card is there once', async () => {
  const one = await member()
  const own = number()
  const spaced = `${own.slice(0, 4)} ${own.slice(4, 8)}-${own.slice(8)}`
  expect((await add(one, card(spaced))).body).toMatchObject({ masked_number: `**** **** **** ${own.slice(-4)}` })
  expect(await add(one, card(own))).toMatchObject(refusal(400, 'CARD_ALREADY_ADDED'))
  expect(await list(one)).toHaveLength(1)
  const [row] = await db.sql`select token, fingerprint from payment_cards where user_id = ${one.id}`
  expect(row).toEqual({
    token: expect.stringMatching(/^[\w-]{32}$/),
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('one card added ten times at once is one, and ten cards at once have one primary', async () => {
  const one = await member()
  const own = number()
  const same = await Promise.all(Array.from({ length: 10 }, () => add(one, card(own))))
  expect(same.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(400)])
  await Promise.all(Array.from({ length: 9 }, () => kept(one)))
  expect(await list(one)).toHaveLength(10)
  expect(await primaries(one)).toHaveLength(1)
  const ids = (await list(one)).map(({ id }: any) => id)
  await Promise.all(ids.map((id: string) => first(one, id)))
  expect(await primaries(one)).toHaveLength(1)
})

test('there is an end to the cards of one person', async () => {
  const one = await member()
  for (let n = 0; n < 20; n++) await kept(one)
  expect(await add(one, card())).toMatchObject(refusal(400, 'CARD_LIMIT_REACHED'))
})

test('the oldest of the others takes the place of a primary card that goes, and a card that is gone can come again', async () => {
  const one = await member()
  const own = number()
  const [a, b, c] = [await kept(one, own), await kept(one), await kept(one)]
  expect((await first(one, c)).body).toMatchObject({ id: c, is_primary: true })
  expect((await remove(one, c)).status).toBe(200)
  expect(await primaries(one)).toEqual([a])
  const gone = await Promise.all([remove(one, a), remove(one, a)])
  expect(gone.map(({ status }) => status).sort()).toEqual([200, 404])
  expect(await primaries(one)).toEqual([b])
  expect((await add(one, card(own))).status).toBe(201)
  expect(await list(one)).toHaveLength(2)
})

test('a card of somebody else is no card, with prefix and without', async () => {
  const [one, other] = [await member(), await member('admin')]
  const id = await kept(one)
  for (const spelt of [id, id.replace('card', ''), 'card999999999']) {
    expect(await remove(other, spelt)).toMatchObject(refusal(404, 'CARD_NOT_FOUND'))
    expect(await first(other, spelt)).toMatchObject(refusal(404, 'CARD_NOT_FOUND'))
  }
  expect(await list(one)).toHaveLength(1)
  expect((await first(one, id.replace('card', ''))).status).toBe(200)
  for (const spelt of ['txn1', 'card', 'card-1', 'CARD1']) expect((await remove(one, spelt)).status, spelt).toBe(422)
})

test.each([
  ['card_number', '12345678901'],
  ['card_number', '12345678901234567890'],
  ['card_number', '4276 abcd 1234 5678'],
  ['card_number', 4_276_000_000_000_000],
  ['expiry_month', 0],
  ['expiry_month', 13],
  ['expiry_year', 25],
  ['cvv', '12'],
  ['cvv', '12345'],
  ['cvv', 123],
  ['cardholder_name', ' '],
  ['cardholder_name', 'IVAN\u202eIVANOV'],
  ['card_type', 'gift'],
])('a card with %s %j is 422 and says where, never what', async (field, value) => {
  const one = await member()
  const { status, body } = await add(one, { ...card(), [field]: value })
  expect([status, body.error_code]).toEqual([422, 'VALIDATION_ERROR'])
  expect(body.errors.map((each: any) => each.field)).toEqual([field])
  expect(JSON.stringify(body)).not.toMatch(/\d{12}/)
})

test('strict houses refuse wrong check digits and what has expired', async () => {
  const paygo = { ...built.stage.config.paygo, isLuhnChecked: true, isExpiryChecked: true }
  const strict = await startApiServer({ paygo })
  const own = stage(strict)
  const { token } = await own.member()
  const tell = (body: object) => strict.call('POST', '/api/v1/cards', { token, body })
  expect((await tell(card('4242424242424241'))).body.errors).toEqual([
    { field: 'card_number', message: 'неверная контрольная цифра' },
  ])
  expect((await tell({ ...card('4242424242424242'), expiry_year: 2025 })).body.errors[0].field).toBe('expiry_year')
  expect((await tell(card('4242424242424242'))).status).toBe(201)
})

test('a profile changes by what is named, and never a role', async () => {
  const [one, other] = [await member(), await member()]
  const put = (body: object) => call('PUT', '/api/v1/users/profile', { token: one.token, body })
  await db.sql`update users set is_verified = true where id = ${one.id}`
  const { status, body } = await put({ full_name: 'Пётр', date_of_birth: '1990-05-20', role: 'admin', id: 'user1' })
  expect([status, body.role, body.is_verified, body.phone]).toEqual([200, 'user', true, one.phone])
  expect(body).toMatchObject({ full_name: 'Пётр', date_of_birth: '1990-05-20' })
  expect(await put({ email: other.email.toUpperCase() })).toMatchObject(refusal(400, 'DUPLICATE'))
  expect(await put({ phone: other.phone })).toMatchObject(refusal(400, 'DUPLICATE'))
  expect((await put({ email: `new-${one.email}` })).body).toMatchObject({ is_verified: false })
  expect((await put({ date_of_birth: null, avatar_url: 'https://example.com/a.png' })).body).toMatchObject({
    date_of_birth: null,
    avatar_url: 'https://example.com/a.png',
  })
  for (const wrong of [{ avatar_url: 'javascript:alert(1)' }, { date_of_birth: '2999-01-01' }, { phone: '8900' }])
    expect((await put(wrong)).status, JSON.stringify(wrong)).toBe(422)
})

test('settings of notifications have their defaults, and change by what is named', async () => {
  const { token } = await member()
  const path = '/api/v1/users/notification-settings'
  const defaults = {
    push_notifications: true,
    sms_notifications: true,
    email_notifications: false,
    transaction_alerts: true,
    security_alerts: true,
  }
  const reads = await Promise.all(Array.from({ length: 5 }, () => call('GET', path, { token })))
  for (const { body } of reads) expect(body).toEqual(defaults)
  const changed = { ...defaults, sms_notifications: false }
  expect((await call('PUT', path, { token, body: { sms_notifications: false } })).body).toEqual(changed)
  expect((await call('PUT', path, { token, body: { sms_notifications: 'no' } })).status).toBe(422)
  expect((await call('PUT', path, { token, body: {} })).body).toEqual(changed)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
