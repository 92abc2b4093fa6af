import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { apiConfig, apiSettings } from '../../api/config.ts'
import { startApi } from '../../api/main.ts'
import * as password from '../../db/identity/password.ts'
import { BadSettings, parseSettings } from '../../db/platform/config.ts'
import { overdue, purchase, says, terminal, transactions } from '../db/paygo/till.ts'
import { testDb } from '../postgres.ts'
import { config } from './server.ts'

const { db } = await testDb()
const log = () => {}
const secrets = { jwtSecret: 'a'.repeat(32), keysSecret: 'b'.repeat(32), cardKey: Buffer.alloc(32) }

test('the API listens, answers over a real socket, and stops when told', async () => {
  const { port, close } = await startApi({ config, db, log })
  const url = `http://127.0.0.1:${port}`
  const health = await fetch(`${url}/health`)
  expect(await health.json()).toMatchObject({ status: 'healthy', services: { database: 'ok' } })
  const registered = await fetch(`${url}/api/auth/register/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ fio: 'A', phone_e164: '+79330000001', email: 'a@b.ru', password: 'password123' }),
  })
  expect(registered.status).toBe(201)
  const head = await fetch(`${url}/api/docs`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  await close()
  await expect(fetch(`${url}/health`)).rejects.toThrow()
})

test('a request under way is answered before the door closes', async () => {
  const { port, close } = await startApi({ config, db, log })
  const lock = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const holding = db.transaction(async (tx) => {
    await tx`lock table users`
    held.resolve()
    await lock.promise
  })
  await held.promise
  const answer = fetch(`http://127.0.0.1:${port}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ phone_e164: '+79330000009', password: 'password123' }),
  })
  for (;;) {
    // This request's own statement: the clock and other tests' databases wait for locks too.
    const [waiting] = await db.sql`
      select count(*) as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%u.password_hash from users%'`
    if (waiting!.n > 0) break
  }
  const closed = close()
  lock.resolve()
  expect((await answer).status).toBe(401)
  await Promise.all([closed, holding])
})

test('an API without a gateway goes on with what nobody settled with the acquirer', async () => {
  const { close } = await startApi({ config, db, log })
  onTestFinished(close)
  const till = await terminal(db)
  await says(db, till, purchase('000001'))
  await overdue(db)
  await expect.poll(() => transactions(db, till)).toMatchObject([{ status: 'cancelled', bookedMinor: 0 }])
})

test('a taken port is an error with a code, not a silence', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => squatter.once('listening', listening))
  const { port } = squatter.address() as { port: number }
  await expect(startApi({ config: { ...config, port }, db, log })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await new Promise((closed) => squatter.close(closed))
})

test('settings have the documented defaults, and a mistake in them is named', () => {
  const standard = apiConfig(parseSettings(apiSettings, {}), secrets)
  expect(standard).toMatchObject({ port: 8000, tokenHours: 24, returnConfirmationTimeoutSeconds: 10, publicUrl: null })
  const given = { API_PORT: '0', PUBLIC_URL: 'https://x.example/', TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' }
  expect(apiConfig(parseSettings(apiSettings, given), secrets)).toMatchObject({
    port: 0,
    publicUrl: 'https://x.example',
    trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
    smtp: null,
  })
  for (const [name, value] of Object.entries({ API_PORT: 'x', PUBLIC_URL: 'ftp://x', TOKEN_HOURS: '0' }))
    expect(() => parseSettings(apiSettings, { [name]: value }), name).toThrow(BadSettings)
  expect(() => apiConfig(parseSettings(apiSettings, { TRUSTED_PROXIES: 'here' }), secrets)).toThrow(
    /TRUSTED_PROXIES.*here/,
  )
})

test('a mail server needs an address and a sender that can be one, and no mistake tells its password', () => {
  const given = { SMTP_URL: 'smtp://me:hush@mail.example:587', SMTP_FROM: 'Voltbay <no-reply@example.org>' }
  const { smtp } = apiConfig(parseSettings(apiSettings, given), secrets)
  expect(smtp).toEqual({ url: given.SMTP_URL, from: given.SMTP_FROM })
  expect(() => apiConfig(parseSettings(apiSettings, { SMTP_URL: given.SMTP_URL }), secrets)).toThrow(
    /^SMTP_FROM is required when SMTP_URL is set$/,
  )
  for (const wrong of [
    { SMTP_URL: 'http://me:hush@mail.example' },
    { SMTP_FROM: 'nobody' },
    { SMTP_FROM: 'a <b@c>\r\nBcc: x@y' },
  ]) {
    const refused = () => parseSettings(apiSettings, { ...given, ...wrong })
    expect(refused).toThrow(BadSettings)
    expect(refused).not.toThrow(/hush/)
  }
})

test('a password is known by its hash alone, and a missing one costs the same', async () => {
  const stored = await password.hash('пароль123')
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  expect(await password.verify('пароль123', stored)).toBe(true)
  expect(await password.verify('пароль124', stored)).toBe(false)
  expect(await password.verify('пароль123', null)).toBe(false)
  expect(await password.hash('пароль123')).not.toBe(stored)
  await expect(password.verify('x', 'plain text')).rejects.toThrow('PHC')
  await expect(password.verify('x', stored.replace('m=19456', 'm=9999999'))).rejects.toThrow('too much')
})

test('more passwords at once than can wait are refused, and the rest still answered', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 210 }, () => password.verify('x', null)))
  const refused = outcomes.filter((one) => one.status === 'rejected')
  expect(refused).toHaveLength(8)
  for (const { reason } of refused) expect(reason).toBeInstanceOf(password.PasswordsBusy)
  expect(await password.verify('x', null)).toBe(false)
})
