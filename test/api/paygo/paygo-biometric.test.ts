import { expect, test } from 'vitest'
import { startApiServer } from '../server.ts'
import { type Person, refusal, secret, stage } from './paygo-stage.ts'

const built = await startApiServer()
const { call, db, lines } = built
const { member, login } = stage(built)

const say = ({ userId }: Pick<Person, 'userId'>, template_data: string, more: object = {}, token?: string) =>
  call('POST', '/api/v1/auth/biometric', {
    body: { user_id: userId, biometric_type: 'fingerprint', template_data, ...more },
    ...(token === undefined ? {} : { token }),
  })
/** The password was shown so long ago. */
const aged = ({ id }: Person) =>
  db.sql`update sessions set password_at = now() - interval '16 minutes' where user_id = ${id}`
const told = async ({ id }: Person) =>
  (await db.sql<{ kind: string }[]>`select kind from notifications where user_id = ${id} order by id`).map(
    ({ kind }) => kind,
  )

test('who has just shown a password enrols, and comes in by it from then on', async () => {
  const one = await member()
  expect(await say(one, 'finger')).toMatchObject(refusal(401, 'INVALID_CREDENTIALS'))
  expect((await say(one, 'finger', {}, one.token)).status).toBe(200)
  const { status, body } = await say(one, 'finger')
  expect(status).toBe(200)
  expect(body).toMatchObject({ token_type: 'bearer', expires_in: 1800, user: { id: one.userId } })
  expect((await call('GET', '/api/v1/users/profile', { token: body.access_token })).status).toBe(200)
  expect(await told(one)).toEqual(['biometric.enrolled'])
})

test('a second template of a type takes the place of the first; said twice it is one', async () => {
  const one = await member()
  await say(one, 'left', {}, one.token)
  await Promise.all(Array.from({ length: 5 }, () => say(one, 'right', {}, one.token)))
  expect((await say(one, 'left')).status).toBe(401)
  expect((await say(one, 'right')).status).toBe(200)
  const rows = await db.sql`select 1 from biometric_templates where user_id = ${one.id} and deleted_at is null`
  expect(rows).toHaveLength(1)
})

test('an older login needs the password again, and one by biometry is no login by password', async () => {
  const one = await member()
  await aged(one)
  expect(await say(one, 'finger', {}, one.token)).toMatchObject(refusal(403, 'PASSWORD_REQUIRED'))
  expect(await say(one, 'finger', { current_password: 'wrong' }, one.token)).toMatchObject(
    refusal(403, 'INVALID_PASSWORD'),
  )
  expect((await say(one, 'finger', { current_password: secret }, one.token)).status).toBe(200)
  const { body } = await say(one, 'finger')
  expect(await say(one, 'other', {}, body.access_token)).toMatchObject(refusal(403, 'PASSWORD_REQUIRED'))
  const fresh = (await login(one.email)).body
  expect((await say(one, 'other', {}, fresh.access_token)).status).toBe(200)
})

test('nobody enrols for somebody else, and nobody’s finger opens another account', async () => {
  const [one, other] = [await member(), await member()]
  expect(await say(one, 'finger', {}, other.token)).toMatchObject(refusal(401, 'INVALID_CREDENTIALS'))
  await say(other, 'finger', {}, other.token)
  expect((await say(one, 'finger')).status).toBe(401)
  expect(await say({ userId: 'user999999999' }, 'finger')).toMatchObject(refusal(401, 'INVALID_CREDENTIALS'))
  const hashes = await db.sql`select template_hash from biometric_templates where user_id in (${one.id}, ${other.id})`
  expect(hashes).toHaveLength(1)
})

test('wrong templates count together with wrong passwords', async () => {
  const one = await member()
  await say(one, 'finger', {}, one.token)
  for (let n = 0; n < 3; n++) expect((await say(one, 'wrong')).status).toBe(401)
  expect((await login(one.email, 'wrong')).status).toBe(401)
  expect(await say(one, 'wrong')).toMatchObject(refusal(423, 'ACCOUNT_LOCKED'))
  expect((await say(one, 'finger')).status).toBe(423)
  expect((await login(one.email)).status).toBe(423)
})

test('its owner removes it, once', async () => {
  const one = await member()
  await say(one, 'finger', {}, one.token)
  const remove = () => call('DELETE', '/api/v1/users/biometric/fingerprint', { token: one.token })
  const answers = await Promise.all([remove(), remove()])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  expect((await say(one, 'finger')).status).toBe(401)
  expect(await told(one)).toEqual(['biometric.enrolled', 'biometric.removed'])
  expect((await call('DELETE', '/api/v1/users/biometric/palm', { token: one.token })).status).toBe(422)
})

test('news of safety go by e-mail to who wants them so', async () => {
  const one = await member()
  await call('PUT', '/api/v1/users/notification-settings', { token: one.token, body: { email_notifications: true } })
  await say(one, 'finger', {}, one.token)
  const rows = await db.sql`
    select channel, status from notifications where user_id = ${one.id} and kind = 'biometric.enrolled' order by channel`
  expect(rows).toEqual([
    { channel: 'app', status: 'sent' },
    { channel: 'email', status: 'queued' },
  ])
})

test('a blocked account has no way in by biometry', async () => {
  const one = await member()
  await say(one, 'finger', {}, one.token)
  await db.sql`update users set status = 'blocked' where id = ${one.id}`
  expect((await say(one, 'finger')).status).toBe(401)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
