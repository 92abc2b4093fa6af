import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { addPatient } from '../../../db/loyalty/loyalty.ts'
import { config, startApiServer, webhookToken } from '../server.ts'

interface Vector {
  id: string
  provider: '1c' | 'bitrix24'
  headers: Record<string, string>
  raw_body: string
  secret: string
  valid: boolean
  suggested_answer: { status: number }
  auth_mode?: 'header' | 'application_token'
}
const file = new URL('../../vectors/providers-1c-bitrix.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }
const built = await startApiServer()
const { call, db } = built
const { sql } = db
const paths = { '1c': '/api/integrations/1c/visit', bitrix24: '/api/integrations/bitrix/contact' }

const visit = () => ({ document_id: 'DOC-1', patient_external_id: 'nobody', points_to_accrue: 150 })

/** A house that hears native webhooks of one portal. */
const native = (token: string) => {
  const about = { memberId: 'a223c6b3710f85df22e9377d6c4f7553', restUrl: null }
  const bitrix = { mode: 'application_token' as const, tokens: [token], ...about }
  return startApiServer({ providers: { ...config.providers, onec: null, bitrix } })
}
const natives = new Map<string, Awaited<ReturnType<typeof native>>>()
for (const { secret, auth_mode: mode } of vectors)
  if (mode === 'application_token') natives.set(secret, await native(secret))
const rotating = await startApiServer({
  providers: {
    ...config.providers,
    timeZone: 'UTC',
    onec: { tokens: ['the token of today', 'the token before'], timeZone: 'UTC' },
    bitrix: null,
  },
})
const slow = await startApiServer({ loyalty: { ...config.loyalty, requestsPerSecond: 1 } })

describe('the published examples', async () => {
  const who = { email: null, phone: '+79550000001', fullName: 'Пациент', passwordHash: null }
  const id = await db.transaction((tx) => addPatient(tx, null, who))
  await sql`update users set external_id = '1C-PATIENT-001' where id = ${id}`
  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s is judged as it should be', async (_, one) => {
    const { call, db } = one.auth_mode === 'application_token' ? natives.get(one.secret)! : built
    const headers = Object.fromEntries(Object.entries(one.headers).map(([name, value]) => [name.toLowerCase(), value]))
    const stored = async () =>
      (await db.sql<{ n: number }[]>`select coalesce(sum(1 + repeats), 0) as n from inbox`)[0]!.n
    const before = await stored()
    const send = () => call('POST', paths[one.provider], { body: one.raw_body, headers })
    const first = await send()
    expect(first.status).toBe(one.suggested_answer.status)
    expect(await send()).toMatchObject({ status: first.status, body: first.body })
    expect(Number(await stored()) - Number(before)).toBe(one.valid ? 2 : 0)
    if (!one.valid) return expect(first.body).toEqual({ detail: expect.any(String) })
    expect(first.body.message).toEqual(expect.any(String))
    if (one.provider === '1c')
      expect(first.body).toMatchObject({ status: 'success', user_id: id, points_accrued: 150, cashback_accrued: 90 })
  })
  test('with and without a byte order mark it is the same visit', async () => {
    const [plain, marked] = vectors.filter(({ provider, valid }) => provider === '1c' && valid)
    const told = ({ raw_body: body, headers }: Vector) =>
      call('POST', paths['1c'], { body, headers: { 'x-webhook-token': headers['X-Webhook-Token'] } })
    const [first, second] = [await told(plain!), await told(marked!)]
    expect([first.status, second.status, second.body]).toEqual([200, 200, first.body])
    expect(first.body.status).toBe('success')
    expect(await sql`select 1 from inbox where dedup_key = 'DOC-12345'`).toHaveLength(1)
  })
})

describe('a token', () => {
  const stored = async () => (await sql<{ n: number }[]>`select count(*) as n from inbox`)[0]!.n
  test.each(Object.values(paths))('is needed at %s, whole and right', async (path) => {
    const rows = await stored()
    for (const token of [undefined, '', webhookToken.slice(1), `${webhookToken}, ${webhookToken}`, 'ы'.repeat(9)]) {
      const headers = token === undefined ? {} : { 'x-webhook-token': encodeURI(token) }
      const { status, body } = await call('POST', path, { body: '{', headers })
      expect([status, body], token).toEqual([401, { detail: expect.any(String) }])
    }
    expect(await stored()).toBe(rows)
  })

  test('of before is good as long as it is named', async () => {
    const { call } = rotating
    const ask = (token: string) => call('POST', paths['1c'], { body: visit(), headers: { 'x-webhook-token': token } })
    for (const token of ['the token of today', 'the token before']) expect((await ask(token)).status).toBe(200)
    expect((await ask('the token after')).status).toBe(401)
    const off = await call('POST', paths.bitrix24, { body: {}, headers: { 'x-webhook-token': '' } })
    expect([off.status, off.body]).toEqual([503, { detail: 'Интеграция не настроена' }])
  })

  test('that is guessed at is guessed at slowly; whoever knows it is not slowed', async () => {
    const { call } = slow
    const ask = (token: string) => call('POST', paths['1c'], { body: visit(), headers: { 'x-webhook-token': token } })
    const statuses = await Promise.all(Array.from({ length: 70 }, async () => (await ask('guess')).status))
    expect(statuses.filter((status) => status === 401)).toHaveLength(60)
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)
    expect((await ask(webhookToken)).status).toBe(200)
  })
})
