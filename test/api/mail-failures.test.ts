import { expect, test } from 'vitest'
import * as outbox from '../../db/messages/outbox.ts'
import { journal } from './journal.ts'
import { outboxOf } from './outbox.ts'
import { startApiServer } from './server.ts'
import { mailServer } from './smtp.ts'

// What the API says it sends by; the senders of these tests have their own.
const { call, person, db } = await startApiServer({ smtp: { url: 'smtp://127.0.0.1', from: 'us@voltbay.test' } })
const { sender, rowsOf, clean, comeDue, tell } = outboxOf(db)
const service = await person('service_admin')

test('three senders over 60 letters send each once', async () => {
  await clean()
  const server = await mailServer()
  const people = await Promise.all(Array.from({ length: 60 }, () => person()))
  const common = journal()
  await Promise.all([1, 2, 3].map(() => sender(server.smtp, common)))
  await tell(people.map(({ id }) => id))
  await common.until('notification.sent', 60)
  expect(server.emails.map(({ to }) => to).sort()).toEqual(people.map(({ email }) => email).sort())
})

test('a letter whose sender died is sent by another, once the time is over', async () => {
  await clean()
  const server = await mailServer()
  const { id } = await person()
  await tell([id])
  const { emails } = await db.transaction((tx) => outbox.claim(tx, 10, false))
  expect(emails).toHaveLength(1)
  const { until, said } = await sender(server.smtp)
  expect(said('notification.sent')).toHaveLength(0)
  await comeDue()
  await until('notification.sent')
  // The dead one's word comes too late to count.
  await db.transaction((tx) => outbox.fail(tx, emails[0]!, { error: 'late', isFinal: true, isServers: false }))
  expect(await rowsOf(id)).toMatchObject([{ status: 'sent', attempts: 2, lastError: null }])
})

test('an address the server refuses ends its letter at once, and the others go on', async () => {
  await clean()
  const [bad, good] = [await person(), await person()]
  const server = await mailServer((verb, line) =>
    verb === 'RCPT' && line.includes(bad.email) ? '550 no such user' : undefined,
  )
  const { until } = await sender(server.smtp)
  await tell([bad.id, good.id])
  await until('notification.given_up')
  await until('notification.sent')
  expect(await rowsOf(bad.id)).toMatchObject([{ status: 'failed', attempts: 1, lastError: 'EENVELOPE 550' }])
  const { body } = await call('GET', '/api/admin/email-status', { token: service.token })
  expect(body.data).toMatchObject({ failed: 1, failures_in_row: 0 })
})

test('a server that fails again and again is left alone for all, until an admin resets it', async () => {
  await clean()
  let broken = true
  const server = await mailServer((verb) => (broken && verb === 'AUTH' ? '535 who are you' : undefined))
  const smtp = { ...server.smtp, url: `smtp://me:hush@127.0.0.1:${server.port}` }
  const common = journal()
  const { until, lines, said } = common
  await Promise.all([sender(smtp, common), sender(smtp, common)])
  const people = await Promise.all(Array.from({ length: 8 }, () => person()))
  await tell(people.map(({ id }) => id))
  /** The next letter comes back. */
  const postponed = (seen: number) => until('notification.postponed', seen + 1)
  for (let seen = 0; said('mail.switched_off').length === 0; seen = said('notification.postponed').length) {
    await Promise.race([postponed(seen), until('mail.switched_off')])
    await comeDue()
  }
  for (;;) {
    const seen = said('notification.postponed').length
    const [sending] = await db.sql`select 1 from notifications where status = 'sending'`
    if (!sending) break
    await postponed(seen)
  }
  const [event] = await db.sql`select data from events where kind = 'mail.switched_off'`
  expect(event!.data).toEqual({ error: 'EAUTH 535' })
  const off = await outbox.state(db.sql)
  expect(off).toMatchObject({ isEnabled: false, lastError: 'EAUTH 535', queued: 8, failed: 0 })
  await comeDue()
  expect((await db.transaction((tx) => outbox.claim(tx, 10, false))).emails).toEqual([])

  const shown = () => call('GET', '/api/admin/email-status', { token: service.token })
  expect((await shown()).body).toMatchObject({
    email_enabled: false,
    data: { configured: true, last_error: 'EAUTH 535' },
  })

  broken = false
  const dialled = server.dialled()
  const reset = await call('POST', '/api/admin/reset-email', { token: service.token })
  expect(reset).toMatchObject({
    status: 200,
    body: { success: true, message: expect.any(String), email_enabled: true, requeued: 8 },
  })
  expect((await shown()).body).toMatchObject({ email_enabled: true, data: { switched_off_at: null } })
  await until('notification.sent', 8)
  expect(server.dialled()).toBeGreaterThan(dialled)
  expect(await outbox.state(db.sql)).toMatchObject({ isEnabled: true, failuresInRow: 0, queued: 0 })
  const [audit] =
    await db.sql`select user_id, new_values from audit_log where action = 'mail.reset' order by id desc limit 1`
  expect(audit).toMatchObject({ userId: service.id, newValues: { isEnabled: true, requeued: 8 } })
  expect(JSON.stringify(lines)).not.toMatch(/hush|@example\.com/)
})

test('a letter is tried six times, later and later, and then given up; a reset tries it again', async () => {
  await clean()
  let answer: string | undefined = '451 not now'
  const server = await mailServer((verb) => (verb === 'RCPT' ? answer : undefined))
  const { until } = await sender(server.smtp)
  const { id } = await person()
  await tell([id])
  const waits: number[] = []
  for (let attempt = 1; attempt < 6; attempt++) {
    await until('notification.postponed', attempt)
    const [row] = await db.sql<
      { wait: number }[]
    >`select round(extract(epoch from due_at - now()))::int as wait from notifications where user_id = ${id}`
    waits.push(row!.wait)
    await comeDue()
  }
  await until('notification.given_up')
  const expected = [30, 120, 480, 1_920, 7_680]
  for (const [n, wait] of waits.entries()) expect(Math.abs(wait - expected[n]!)).toBeLessThan(5)
  expect(await rowsOf(id)).toMatchObject([{ status: 'failed', attempts: 6, lastError: 'EENVELOPE 451' }])
  answer = undefined
  expect((await call('POST', '/api/admin/reset-email', { token: service.token })).body.requeued).toBe(1)
  await until('notification.sent')
})

test('a server that hangs up in the middle is a failure, not an end', async () => {
  await clean()
  const manners: (string | undefined)[] = ['hang up', undefined]
  const server = await mailServer((verb) => (verb === 'DATA' ? manners.shift() : undefined))
  const { until } = await sender(server.smtp)
  const { id } = await person()
  await tell([id])
  await until('notification.postponed')
  await comeDue()
  await until('notification.sent')
  expect(server.emails).toHaveLength(1)
})
