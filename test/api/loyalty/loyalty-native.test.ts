import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { type BitrixConfig, masked } from '../../../api/providers/bitrix.ts'
import { providersOf } from '../../../api/providers/webhook-events.ts'
import { startInbox } from '../../../api/tasks/inbox.ts'
import { config, startApiServer } from '../server.ts'

const path = '/api/integrations/bitrix/contact'
const memberId = 'a223c6b3710f85df22e9377d6c4f7553'
const applicationToken = '51856fefc120afa4b628cc82d3935cce'

/** A portal of Bitrix24: answers for its contacts, and remembers who asked what. */
async function portal() {
  const known = new Map<string, object>()
  const asked: string[] = []
  let answer: ((id: string) => { status?: number; headers?: Record<string, string>; text: string }) | null = null
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString())
    asked.push(`${request.url} ${body.id}`)
    const contact = known.get(String(body.id))
    const own = answer?.(String(body.id))
    if (own) response.writeHead(own.status ?? 200, own.headers).end(own.text)
    else if (contact) response.end(JSON.stringify({ result: { ID: String(body.id), ...contact }, time: {} }))
    else response.writeHead(400).end(JSON.stringify({ error: '', error_description: 'Not found' }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  afterAll(() => new Promise((closed) => server.close(closed)))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rest/1/portal-secret/`
  return { known, asked, url, replies: (as: typeof answer) => void (answer = as) }
}

/** A house that native webhooks are told to, and the task that works them. */
async function native(restUrl: string | null) {
  const bitrix: BitrixConfig = { mode: 'application_token', tokens: [applicationToken], memberId, restUrl }
  const providers = { ...config.providers, onec: null, bitrix }
  const built = await startApiServer({ providers })
  const worked: { event: string; about: any }[] = []
  const waiting: { count: number; done(): void }[] = []
  const log = (event: string, about: object = {}) => {
    worked.push({ event, about })
    for (const one of waiting) if (worked.length >= one.count) one.done()
  }
  const task = await startInbox({
    db: built.db,
    log,
    providers: providersOf({ ...config, providers }, { yookassa: null }),
  })
  afterAll(() => task.close())
  const tell = (id: string, change: Record<string, string | null> = {}) => {
    const form = new URLSearchParams({
      event: 'ONCRMCONTACTADD',
      'data[FIELDS][ID]': id,
      ts: '1736405807',
      'auth[domain]': 'example.bitrix24.ru',
      'auth[client_endpoint]': 'http://127.0.0.1:1/rest/',
      'auth[member_id]': memberId,
      'auth[application_token]': applicationToken,
    })
    for (const [name, value] of Object.entries(change)) value === null ? form.delete(name) : form.set(name, value)
    return built.call('POST', path, {
      body: String(form),
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' },
    })
  }
  /** The next thing the task says of anything. */
  const next = (count = worked.length + 1) =>
    new Promise<void>((done) => {
      waiting.push({ count, done })
      if (worked.length >= count) done()
    })
  const rows = (id: string) => built.db.sql<any[]>`select * from inbox where dedup_key like ${`% ${id} %`} order by id`
  const users = (id: string) => built.db.sql<any[]>`
    select email, phone, full_name from users where bitrix_contact_id = ${id}`
  const all = async () => (await built.db.sql<{ n: number }[]>`select count(*) as n from inbox`)[0]!.n
  return { ...built, tell, next, rows, users, all, worked }
}
const crm = await portal()
const asking = await native(crm.url)
const mute = await native(null)

describe('a native webhook', () => {
  const ivan = {
    NAME: 'Иван',
    LAST_NAME: 'Иванов',
    PHONE: [{ ID: '1', VALUE: '8 (999) 123-45-67', VALUE_TYPE: 'WORK' }],
    EMAIL: [{ ID: '2', VALUE: 'ivan@example.com', VALUE_TYPE: 'WORK' }],
  }

  test('is answered at once, and its contact asked for at the configured address only', async () => {
    const { tell, next, rows, users, worked } = asking
    crm.known.set('89', ivan)
    const done = next()
    const answer = await tell('89')
    expect([answer.status, answer.body]).toEqual([
      200,
      { status: 'accepted', message: 'Уведомление принято', user_id: null },
    ])
    await done
    expect(worked).toMatchObject([{ event: 'webhook.worked', about: { state: 'done' } }])
    expect(crm.asked).toEqual(['/rest/1/portal-secret/crm.contact.get.json 89'])
    expect(await users('89')).toEqual([{ email: 'ivan@example.com', phone: '+79991234567', fullName: 'Иванов Иван' }])
    expect((await tell('89')).body).toMatchObject({ status: 'success', user_id: expect.any(Number) })
    const [row, ...others] = await rows('89')
    expect([row.state, row.repeats, others]).toEqual(['done', 1, []])
    expect(crm.asked).toHaveLength(1)
    const kept = row.raw.toString()
    expect(kept).toContain('data%5BFIELDS%5D%5BID%5D=89')
    expect(kept).not.toContain(applicationToken)
  })

  test('told twenty times at once is worked once', async () => {
    const { tell, next, rows, users } = asking
    crm.known.set('20', { ...ivan, EMAIL: [], PHONE: [{ VALUE: '+79990000020' }] })
    const done = next()
    const answers = await Promise.all(Array.from({ length: 20 }, () => tell('20')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    await done
    expect(await rows('20')).toMatchObject([{ state: 'done', repeats: 19, attempts: 1 }])
    expect(await users('20')).toHaveLength(1)
  })

  test('of a portal that is away is tried again, and nothing of it is lost', async () => {
    const { tell, next, rows, db, worked } = asking
    /** One more attempt: what waits for later is due now. */
    const attempt = async () => {
      await db.sql`update inbox set worked_at = now() - interval '1 day' where state = 'received'`
      const done = next()
      await tell('91')
      await done
    }
    const replies = [
      { status: 503, text: 'busy' },
      { status: 302, headers: { location: 'http://127.0.0.1:1/' }, text: '' },
      { text: JSON.stringify({ result: { ID: '90' } }) },
      { status: 503, text: JSON.stringify({ error: 'QUERY_LIMIT_EXCEEDED', error_description: 'Too many' }) },
      { text: `"${'x'.repeat(300_000)}"` },
    ]
    for (const [n, reply] of replies.entries()) {
      crm.replies(() => reply)
      await attempt()
      expect(worked.at(-1)).toMatchObject({ event: 'webhook.failed' })
      expect(await rows('91')).toMatchObject([{ state: 'received', attempts: n + 1 }])
    }
    crm.replies(null)
    crm.known.set('91', { ...ivan, EMAIL: [{ VALUE: 'late@example.com' }], PHONE: null })
    await attempt()
    expect(await rows('91')).toMatchObject([{ state: 'done', attempts: 6, lastError: null }])
    for (const text of [worked, await rows('91')]) expect(JSON.stringify(text)).not.toContain('portal-secret')
  })

  test('without an address to ask waits, and says why', async () => {
    const { tell, next, rows } = mute
    const done = next()
    await tell('5')
    await done
    expect(await rows('5')).toMatchObject([{ state: 'unmatched', lastError: 'BITRIX_WEBHOOK_URL is not set' }])
    expect((await tell('5')).body).toMatchObject({ status: 'accepted', user_id: null })
  })

  test('about a contact that is gone, or about anything else, is kept and does nothing', async () => {
    const { tell, next, rows, users } = asking
    const asked = crm.asked.length
    const events = ['ONCRMCONTACTUPDATE', 'ONCRMCONTACTDELETE', 'ONCRMDEALADD']
    for (const event of events) {
      const done = next()
      await tell('6', { event })
      await done
    }
    expect((await rows('6')).map(({ state }) => state)).toEqual(events.map(() => 'ignored'))
    expect(crm.asked).toHaveLength(asked + 1)
    expect(await users('6')).toEqual([])
    expect((await tell('6', { event: 'ONCRMDEALADD' })).body.status).toBe('ignored')
  })

  test('of another portal, without its token, with two, or as JSON is not heard', async () => {
    const { tell, call, all } = mute
    const before = await all()
    const wrong: Record<string, string | null>[] = [
      { 'auth[application_token]': 'jvh9y1ulvt2m6k5or90v9mg8nn32ozas' },
      { 'auth[application_token]': null },
      { 'auth[application_token]': '' },
      { 'auth[member_id]': 'another' },
      { 'auth[member_id]': null },
    ]
    for (const change of wrong)
      expect(await tell('7', change)).toMatchObject({ status: 401, body: { detail: expect.any(String) } })
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const twice = `auth[member_id]=${memberId}&auth[application_token]=${applicationToken}&auth[application_token]=x`
    expect((await call('POST', path, { body: twice, headers: form })).status).toBe(401)
    const own = { body: { contact_id: '7' }, headers: { 'x-webhook-token': applicationToken } }
    expect((await call('POST', path, own)).status).toBe(401)
    expect(await all()).toBe(before)
  })

  const unreadable: Record<string, string | null>[] = [
    { event: null },
    { event: 'A B' },
    { 'data[FIELDS][ID]': '89; drop' },
    { ts: 'вчера' },
  ]
  test.each(unreadable)('that cannot be read (%#) is a 400, kept without its token', async (change) => {
    const { tell, db } = mute
    expect((await tell('8', change)).status).toBe(400)
    const [row] = await db.sql<any[]>`select * from inbox order by id desc limit 1`
    expect(row.state).toBe('failed')
    expect(row.raw.toString()).not.toContain(applicationToken)
  })

  test('keeps no token, however its name is spelt', async () => {
    const { tell, db } = mute
    const secrets = {
      'auth[ACCESS_TOKEN]': 'an-access-secret',
      AUTH_ID: 'an-auth-secret',
      REFRESH_ID: 'a-refresh-secret',
    }
    expect((await tell('9', { event: 'ONCRMDEALADD', ...secrets })).status).toBe(200)
    const form = `event=ONCRMDEALUPDATE&ts=2&auth[member_id]=${memberId}&auth%5B%61pplication%5F%74oken%5D=${applicationToken}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await mute.call('POST', path, { body: form, headers })).status).toBe(200)
    const stored = (await db.sql<{ raw: Buffer }[]>`select raw from inbox`).map(({ raw }) => raw.toString()).join('\n')
    expect(stored).toContain('ONCRMDEALUPDATE')
    for (const secret of [...Object.values(secrets), applicationToken]) expect(stored).not.toContain(secret)
  })

  test('is masked in the time it takes to read, whatever it holds', () => {
    const raw = Buffer.from(`event=A&${'a'.repeat(250_000)}`)
    const began = performance.now()
    expect(masked(raw).equals(raw)).toBe(true)
    expect(performance.now() - began).toBeLessThan(1_000)
  })
})
