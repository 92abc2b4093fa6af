import { expect, test } from 'vitest'
import { tick } from '../../../api/schedule.ts'
import * as identity from '../../../db/identity/identity.ts'
import { startApiServer } from '../server.ts'

const { db, stage, call, person, lines } = await startApiServer({ publicUrl: 'https://it-mydoc.example' })

/** Somebody with a role on the loyalty surface; without one, a patient. */
async function member(role?: string) {
  const one = await person()
  if (role) await db.transaction((tx) => identity.grant(tx, one.id, { surface: 'loyalty', role }))
  return one
}
const [cashier, admin, doctor, patient] = [
  await member('cashier'),
  await member('admin'),
  await member('doctor'),
  await member(),
]
const post = (token: string | undefined, path: string, body: unknown) =>
  call('POST', `/api/certificates/${path}`, { ...(token ? { token } : {}), body })
const create = (body: object = {}, token = cashier.token) => post(token, 'create', { initial_amount: 5000, ...body })
const get = (id: number, token = cashier.token) => call('GET', `/api/certificates/${id}`, { token })
const verify = (code: string) => post(undefined, 'verify', { code })
const redeem = (code: string, amount: unknown, more: object = {}, token = cashier.token) =>
  post(token, 'redeem', { code, amount, ...more })
const lapse = (id: number) => db.sql`update certificates set valid_until = now() - interval '1 second' where id = ${id}`
const many = 20
const detail = (text: RegExp) => ({ detail: expect.stringMatching(text) })

test('a certificate is sold as documented', async () => {
  const { status, body } = await create({
    valid_until: '2036-12-31T23:59:59Z',
    owner_id: patient.id,
    message: 'С днем рождения!',
    design_template: 'birthday',
  })
  expect(status).toBe(201)
  expect(body).toEqual({
    id: expect.any(Number),
    code: expect.stringMatching(/^CERT-[0-9A-F]{16}$/),
    initial_amount: 5000,
    current_amount: 5000,
    status: 'active',
    owner_id: patient.id,
    message: 'С днем рождения!',
    design_template: 'birthday',
    qr_code_url: `https://it-mydoc.example/qrcodes/${body.code}.png`,
    issued_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    valid_from: body.issued_at,
    valid_until: '2036-12-31T23:59:59Z',
    used_at: null,
  })
  for (const { token } of [patient, cashier, admin]) expect((await get(body.id, token)).body).toEqual(body)
})

test('a sale said again with its key, or five times at once, sells one certificate; other words are refused', async () => {
  const sell = (key: string, body: object = {}, token = cashier.token) =>
    call('POST', '/api/certificates/create', {
      token,
      body: { initial_amount: 700, ...body },
      headers: { 'idempotency-key': key },
    })
  const sold = await Promise.all(Array.from({ length: 5 }, () => sell('till-1')))
  expect(sold.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
  expect(new Set(sold.map(({ body }) => body.code)).size).toBe(1)
  expect((await sell('till-1')).body).toEqual(sold[0]!.body)
  expect(await sell('till-1', { initial_amount: 701 })).toMatchObject({ status: 400, body: detail(/идемпотентности/) })
  expect((await sell('till-2')).body.code).not.toBe(sold[0]!.body.code)
  expect((await sell('till-1', {}, admin.token)).body.code).not.toBe(sold[0]!.body.code)
  expect((await sell('two words')).status).toBe(422)
})

test('a date may be spelt with or without zone and time, and must lie ahead', async () => {
  const until = async (text: string) => (await create({ valid_until: text })).body.valid_until
  expect(await until('2036-06-01')).toBe('2036-06-01T00:00:00Z')
  expect(await until('2036-06-01T10:00:00')).toBe('2036-06-01T10:00:00Z')
  expect(await until('2036-06-01T10:00:00.5+03:00')).toBe('2036-06-01T07:00:00Z')
  expect(await create({ valid_until: '2020-01-01T00:00:00Z' })).toMatchObject({
    status: 400,
    body: detail(/в будущем/),
  })
  for (const text of [
    'soon',
    '',
    '2036-02-30',
    '2036-13-01T00:00:00Z',
    '31.12.2036',
    1_900_000_000,
    '+275760-09-13',
    '9999-12-31T23:59:59-01:00',
  ])
    expect((await create({ valid_until: text })).status, String(text)).toBe(422)
})

test('only cashiers and administrators sell, redeem and cancel; without a token nobody does', async () => {
  const { id, code } = (await create({ owner_id: patient.id })).body
  for (const { token } of [patient, doctor])
    for (const refused of [
      await create({}, token),
      await redeem(code, 100, {}, token),
      await post(token, `${id}/cancel`, {}),
    ])
      expect(refused).toMatchObject({ status: 403, body: { detail: expect.any(String) } })
  for (const path of ['create', 'redeem', 'transfer', `${id}/cancel`]) {
    const refused = await post(undefined, path, {})
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
  }
  expect((await call('GET', `/api/certificates/${id}`)).status).toBe(401)
  expect((await get(id)).body).toMatchObject({ status: 'active', current_amount: 5000 })
})

test('somebody else’s certificate is closed, an unknown one is not there', async () => {
  const { id } = (await create({ owner_id: patient.id })).body
  expect(await get(id, doctor.token)).toMatchObject({ status: 403 })
  expect(await get(999_999_999)).toMatchObject({ status: 404, body: detail(/не найден/) })
  expect(await create({ owner_id: 999_999_999 })).toMatchObject({ status: 404, body: detail(/Пользователь/) })
  expect(await redeem('CERT-0000000000000000', 1)).toMatchObject({ status: 404, body: detail(/не найден/) })
})

test('a certificate is redeemed in parts, as documented', async () => {
  const { id, code } = (await create()).body
  const body = { cashier_id: admin.id, onec_document_id: 'DOC-12345', notes: 'Оплата консультации' }
  expect(await redeem(` ${code.toLowerCase()} `, 1500, body)).toMatchObject({
    status: 200,
    body: {
      success: true,
      certificate_id: id,
      amount_used: 1500,
      remaining_amount: 3500,
      message: 'Сертификат успешно использован',
    },
  })
  const [row] = await db.sql`select redeemed_by, notes from certificate_redemptions where certificate_id = ${id}`
  expect(row).toEqual({ redeemedBy: cashier.id, notes: 'Оплата консультации' })
  expect((await verify(code)).body).toMatchObject({
    valid: true,
    message: 'Сертификат действителен. Доступно: 3500 руб.',
    certificate: { current_amount: 3500 },
  })
  expect(await redeem(code, 3500.01)).toMatchObject({ status: 400, body: detail(/Доступно: 3500/) })
  expect((await redeem(code, 0.5)).body.remaining_amount).toBe(3499.5)
  expect((await verify(code)).body.message).toContain('3499.50 руб.')
  expect((await redeem(code, 3499.5)).body.remaining_amount).toBe(0)
  expect((await get(id)).body).toMatchObject({ status: 'used', current_amount: 0, used_at: expect.any(String) })
  expect((await verify(code)).body).toMatchObject({
    valid: false,
    certificate: { id },
    message: expect.stringContaining('уже'),
  })
  expect(await redeem(code, 1)).toMatchObject({ status: 400, body: detail(/уже использован/) })
})

test(`a document said ${many} times at once, and once more, takes the money once`, async () => {
  const { id, code } = (await create()).body
  const said = { onec_document_id: 'DOC-1' }
  const answers = await Promise.all(Array.from({ length: many }, () => redeem(code, 100, said)))
  answers.push(await redeem(code, 100, said))
  for (const { status, body } of answers) {
    expect(status).toBe(200)
    expect(body).toEqual(answers[0]!.body)
  }
  expect((await get(id)).body.current_amount).toBe(4900)
  expect(await redeem(code, 101, said)).toMatchObject({ status: 400, body: detail(/Документ/) })
})

test(`of ${many} at once who redeem it whole one is answered 200`, async () => {
  const { id, code } = (await create()).body
  const answers = await Promise.all(Array.from({ length: many }, () => redeem(code, 5000)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(many - 1).fill(400)])
  expect((await get(id)).body).toMatchObject({ status: 'used', current_amount: 0 })
})

test('a certificate is handed on as documented, under both spellings, and then it is the other’s', async () => {
  const [anna, boris] = [await member(), await member()]
  const { id, code } = (await create({ owner_id: anna.id })).body
  const given = { certificate_id: id, to_user_email: boris.email, message: 'Это для тебя!' }
  expect(await post(doctor.token, 'transfer', given)).toMatchObject({ status: 403 })
  expect(await post(anna.token, 'transfer', given)).toMatchObject({
    status: 200,
    body: { message: 'Сертификат успешно передан', recipient_email: boris.email },
  })
  expect(await get(id, anna.token)).toMatchObject({ status: 403 })
  expect((await get(id, boris.token)).body.owner_id).toBe(boris.id)
  expect(await post(anna.token, 'transfer', given)).toMatchObject({ status: 403 })
  const older = { code: code.toLowerCase(), recipient_email: anna.email.toUpperCase() }
  expect(await post(boris.token, 'transfer', older)).toMatchObject({ status: 200 })
  expect(await post(anna.token, 'transfer', older)).toMatchObject({ status: 400, body: detail(/уже принадлежит/) })
  const nobody = { certificate_id: id, to_user_email: 'nobody@example.org' }
  expect(await post(anna.token, 'transfer', nobody)).toMatchObject({ status: 404, body: detail(/Получатель/) })
  for (const body of [{}, { certificate_id: id }, { to_user_email: boris.email }, { ...given, to_user_email: 'x' }])
    expect((await post(anna.token, 'transfer', body)).status).toBe(422)
})

test('what is over is expired for everybody at once, and stays so', async () => {
  const ways = [
    (one: any) => redeem(one.code, 1),
    (one: any) => post(admin.token, 'transfer', { certificate_id: one.id, to_user_email: patient.email }),
    (one: any) => post(admin.token, `${one.id}/cancel`, {}),
  ]
  for (const way of ways) {
    const one = (await create()).body
    await lapse(one.id)
    expect((await get(one.id)).body).toMatchObject({ status: 'expired', current_amount: 5000 })
    expect(await way(one)).toMatchObject({ status: 400, body: detail(/истёк/) })
    const [row] = await db.sql`select status from certificates where id = ${one.id}`
    expect(row!.status).toBe('expired')
    expect(await way(one)).toMatchObject({ status: 400, body: detail(/истёк/) })
  }
  const asked = (await create()).body
  await lapse(asked.id)
  const answers = await Promise.all(Array.from({ length: many }, () => verify(asked.code)))
  for (const { body } of answers)
    expect(body).toMatchObject({
      valid: false,
      certificate: { status: 'expired' },
      message: 'Срок действия сертификата истёк',
    })
  expect(
    await db.sql`select 1 from audit_log where action = 'certificate.expire' and entity_id = ${asked.id}`,
  ).toHaveLength(1)
})

test('the clock writes down what is over, each once, however many clocks there are', async () => {
  const sold: number[] = []
  for (let n = 0; n < 5; n++) sold.push((await create()).body.id)
  for (const id of sold.slice(1)) await lapse(id)
  const clock: number[] = []
  const log = (event: string, { job, count }: any = {}) => {
    expect(event).toBe('clock.acted')
    if (job === 'expireCertificates') clock.push(count)
  }
  await Promise.all(Array.from({ length: 4 }, () => tick({ ...stage, log, rules: stage.config.loyalty.rules })))
  expect(clock.reduce((sum, count) => sum + count, 0)).toBe(4)
  const rows = await db.sql`select status from certificates where id = any(${sold}) order by id`
  expect(rows.map(({ status }) => status)).toEqual(['active', 'expired', 'expired', 'expired', 'expired'])
})

test('a cancelled certificate is worth nothing any more', async () => {
  const { id, code } = (await create()).body
  const answers = await Promise.all([1, 2, 3].map(() => post(admin.token, `${id}/cancel`, {})))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400])
  expect(answers.find(({ status }) => status === 200)!.body).toMatchObject({ id, status: 'cancelled' })
  expect((await verify(code)).body).toMatchObject({ valid: false, message: 'Сертификат отменён' })
  expect((await redeem(code, 1)).status).toBe(400)
})

test('verify tells the public nothing of people, and answers every strange code alike', async () => {
  const { code } = (await create({ owner_id: patient.id, message: 'Тайна' })).body
  const { body, status } = await verify(code)
  expect(status).toBe(200)
  expect(Object.keys(body.certificate)).not.toContain('owner_id')
  expect(JSON.stringify(body)).not.toMatch(/Тайна|owner|email|phone/)
  const strange = [
    'CERT-0000000000000000',
    'CERT-A1B2C3D4E5F6G7H8',
    '',
    ' ',
    '\u0000',
    '💳',
    "' or 1=1 --",
    code.slice(0, -1),
  ]
  for (const text of strange)
    expect(await verify(text), text).toMatchObject({
      status: 200,
      body: { valid: false, certificate: null, message: 'Сертификат не найден' },
    })
  for (const text of [undefined, null, 7, {}, 'x'.repeat(10_000)])
    expect((await post(undefined, 'verify', { code: text })).status).toBe(422)
})

test('no amount but a plain one of at most two decimals is taken', async () => {
  const { id, code } = (await create()).body
  for (const amount of [0, -1, 0.001, 1.005, 1e30, '100', null, undefined, true, [1], {}]) {
    expect((await redeem(code, amount)).status, String(amount)).toBe(422)
    expect((await post(cashier.token, 'create', { initial_amount: amount })).status, String(amount)).toBe(422)
  }
  for (const text of ['{"initial_amount":NaN}', '{"initial_amount":1e999}', '{', '[]', 'null'])
    expect((await post(cashier.token, 'create', text)).status, text).toBe(422)
  expect((await get(id)).body.current_amount).toBe(5000)
  expect((await create({ initial_amount: 0.01 })).body.current_amount).toBe(0.01)
})

test('no bug of ours came to light, and no code to the log, not even when the database is away', async () => {
  const { code } = (await create()).body
  expect((await call('GET', `/qrcodes/${code}.png`)).status).toBe(200)
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
  await db.sql`alter table certificates rename to hidden`
  expect((await call('GET', `/qrcodes/${code}.png`)).status).toBe(500)
  await db.sql`alter table hidden rename to certificates`
  const logged = lines.map(({ event, about }) => `${event} ${about.path} ${about.error ?? ''}`)
  expect(logged.filter((line) => line.includes('/qrcodes/'))).toHaveLength(3)
  expect(logged.filter((line) => line.includes(code.slice(5)))).toEqual([])
})
