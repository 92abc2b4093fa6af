import { expect, test } from 'vitest'
import { startApi } from '../../api/main.ts'
import * as outbox from '../../db/messages/outbox.ts'
import { journal } from './journal.ts'
import { outboxOf } from './outbox.ts'
import { startApiServer } from './server.ts'
import { mailServer } from './smtp.ts'

const { call, person, unit, db, stage } = await startApiServer()
const { sender, rowsOf, clean, comeDue, tell } = outboxOf(db)
const service = await person('service_admin')

let phones = 79_330_000_000
const newcomer = () => ({ fio: 'Анна Новая', phone_e164: `+${++phones}`, email: `anna${phones}@example.com` })

test('a registration, its approval and its rejection are told by letter, to the right people', async () => {
  await clean()
  const server = await mailServer()
  const { until } = await sender(server.smtp)
  const group = await unit('Отдел продаж')
  const [anna, boris] = [newcomer(), newcomer()]
  const ids = []
  for (const who of [anna, boris]) {
    const { status, body } = await call('POST', '/api/auth/register', { body: { ...who, password: 'password123' } })
    expect(status).toBe(201)
    ids.push(body.user_id)
  }
  await until('notification.sent', 2)
  const approval = { user_id: ids[0], role: 'user', org_unit_id: group }
  expect((await call('POST', '/api/admin/approve-user', { token: service.token, body: approval })).status).toBe(200)
  const rejection = { user_id: ids[1], reason: 'Неверные данные' }
  expect((await call('POST', '/api/admin/reject-user', { token: service.token, body: rejection })).status).toBe(200)
  await until('notification.sent', 4)
  const [, , ...decided] = server.emails
  const [approved] = decided.filter(({ to }) => to === anna.email)
  expect(approved).toMatchObject({ from: 'no-reply@voltbay.test', subject: 'Учётная запись одобрена' })
  expect(approved!.text).toContain('Отдел продаж')
  expect(approved!.headers['message-id']).toMatch(/^<notice-\d+@voltbay\.test>$/)
  const [rejected] = decided.filter(({ to }) => to === boris.email)
  expect(rejected!.subject).toContain('отклонена')
  expect(rejected!.text).toContain('Неверные данные')
  expect((await rowsOf(ids[0])).map(({ kind, status }) => `${kind} ${status}`)).toEqual([
    'user.registered sent',
    'user.approved sent',
  ])
})

test('a refused rejection writes no letter: it is a row of the same transaction', async () => {
  await clean()
  const { body } = await call('POST', '/api/auth/register', { body: { ...newcomer(), password: 'password123' } })
  const rejection = { user_id: body.user_id, reason: 'нет' }
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => call('POST', '/api/admin/reject-user', { token: service.token, body: rejection })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400])
  expect((await rowsOf(body.user_id)).map(({ kind }) => kind)).toEqual(['user.registered', 'user.rejected'])
})

test('who registers without a password gets one by letter, which is kept nowhere and lets them in', async () => {
  await clean()
  const server = await mailServer()
  const who = newcomer()
  const registered = await call('POST', '/api/auth/register', { body: who })
  expect(registered.status).toBe(201)
  const { user_id: id } = registered.body
  const { until, lines } = await sender(server.smtp)
  await until('notification.sent')
  const password = /Пароль: (\S+)/.exec(server.emails[0]!.text)![1]!
  expect(password).toMatch(/^[a-zA-Z2-9]{12}$/)
  const everything = JSON.stringify([registered.body, lines, await rowsOf(id), await db.sql`select * from audit_log`])
  expect(everything).not.toContain(password)
  const login = { phone_e164: who.phone_e164, password }
  expect((await call('POST', '/api/auth/login', { body: login })).status).toBe(401)
  await call('POST', '/api/admin/approve-user', { token: service.token, body: { user_id: id, role: 'user' } })
  expect((await call('POST', '/api/auth/login', { body: login })).status).toBe(200)
})

test('a letter that has to be sent again brings a new password; one set meanwhile stays', async () => {
  await clean()
  const answers = ['451 later', undefined]
  const server = await mailServer((verb) => (verb === 'LETTER' ? answers.shift() : undefined))
  const { until } = await sender(server.smtp)
  const hashOf = async (id: number) => (await db.sql`select password_hash from users where id = ${id}`)[0]!.passwordHash
  const { body: first } = await call('POST', '/api/auth/register', { body: newcomer() })
  await until('notification.postponed')
  const before = await hashOf(first.user_id)
  await comeDue()
  await until('notification.sent')
  expect(before).toMatch(/^\$argon2id/)
  expect(await hashOf(first.user_id)).not.toBe(before)

  answers.push('451 later')
  const { body: second } = await call('POST', '/api/auth/register', { body: newcomer() })
  await until('notification.postponed', 2)
  const change = { password: 'chosen by staff' }
  expect((await call('PUT', `/api/users/${second.user_id}`, { token: service.token, body: change })).status).toBe(200)
  const chosen = await hashOf(second.user_id)
  await comeDue()
  await until('notification.sent', 2)
  expect(await hashOf(second.user_id)).toBe(chosen)
  expect(server.emails.at(-1)!.text).not.toContain('Пароль')
})

test('without a mail server letters are captured, and no password is made before somebody can get it', async () => {
  await clean()
  const without = await sender(null)
  const who = newcomer()
  const { body } = await call('POST', '/api/auth/register', { body: who })
  await without.until('notification.captured')
  const [row] = await rowsOf(body.user_id)
  expect(row).toMatchObject({ status: 'captured', recipient: who.email })
  expect(row!.body).toContain('Анна Новая')
  const [user] = await db.sql`select password_hash from users where id = ${body.user_id}`
  expect(user!.passwordHash).toBeNull()
  const state = await call('GET', '/api/admin/email-status', { token: service.token })
  expect(state.body).toMatchObject({ email_enabled: false, data: { configured: false, captured: 1 } })

  await without.close()
  const server = await mailServer()
  const { until } = await sender(server.smtp)
  await db.transaction((tx) => outbox.reset(tx, { userId: service.id, roles: [] }, true))
  await until('notification.sent')
  expect(server.emails[0]!.text).toMatch(/Пароль: \S{12}\n/)
})

test('the API sends letters by itself', async () => {
  await clean()
  const server = await mailServer()
  const { log, until } = journal()
  const { port, close } = await startApi({ config: { ...stage.config, smtp: server.smtp }, db, log })
  const registered = await fetch(`http://127.0.0.1:${port}/api/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(newcomer()),
  })
  expect(registered.status).toBe(201)
  await until('notification.sent')
  expect(server.emails).toHaveLength(1)
  await close()
})

test('who has no address, or no account any more, gets no letter', async () => {
  await clean()
  const server = await mailServer()
  const { until } = await sender(server.smtp)
  const [gone, silent] = [await person(), await person()]
  await db.sql`update users set deleted_at = now() where id = ${gone.id}`
  await db.sql`update users set email = null where id = ${silent.id}`
  await tell([gone.id, silent.id])
  await until('notification.given_up', 2)
  expect(server.emails).toEqual([])
})

test('a line break in a name or an address writes no header of its own', async () => {
  await clean()
  const server = await mailServer()
  const { until } = await sender(server.smtp)
  const { id } = await person()
  await db.sql`update users set full_name = ${'Ив\r\nBcc: x@evil.example'}, email = ${'a@b.example\r\nBcc: y@evil.example'} where id = ${id}`
  await tell([id])
  await Promise.race([until('notification.sent'), until('notification.given_up'), until('notification.postponed')])
  for (const { headers } of server.emails) expect(headers).not.toHaveProperty('bcc')
})
