import { describe, expect, test } from 'vitest'
import { providersOf, replay } from '../../../api/providers/webhook-events.ts'
import { addPatient } from '../../../db/loyalty/loyalty.ts'
import { balance } from '../../../db/loyalty/points.ts'
import * as inbox from '../../../db/messages/inbox.ts'
import { config, startApiServer, webhookToken } from '../server.ts'

const { call, db, lines, person } = await startApiServer()
const { sql } = db

let people = 0
async function patient(externalId: string | null = null) {
  const email = `patient${++people}@example.com`
  const id = await db.transaction((tx) =>
    addPatient(tx, null, { email, phone: `+7955${1_000_000 + people}`, fullName: 'Пациент', passwordHash: null }),
  )
  await sql`update users set external_id = ${externalId} where id = ${id}`
  return { id, email }
}
const has = async (id: number) => {
  const { pointsBalance, cashbackBalance } = (await balance(sql, id))!
  return [pointsBalance, cashbackBalance]
}
let documents = 0
const visit = (change: object = {}) => ({
  document_id: `DOC-${++documents}`,
  patient_external_id: 'P-1',
  visit_date: '2025-09-30T10:00:00',
  total_amount: 3000.0,
  services: [{ name: 'Приём', amount: 3000.0 }],
  points_to_accrue: 150.0,
  cashback_to_accrue: 90.5,
  ...change,
})
const told = (body: unknown, headers: object = {}) =>
  call('POST', '/api/integrations/1c/visit', { body, headers: { 'x-webhook-token': webhookToken, ...headers } })
const noticesOf = (key: string) => sql<any[]>`select * from inbox where dedup_key like ${`${key}%`} order by id`

describe('a visit of 1C', () => {
  test('earns points and cashback once, said twice or twenty times at once', async () => {
    const { id } = await patient('ONCE')
    const body = visit({ patient_external_id: 'ONCE' })
    const answers = await Promise.all(Array.from({ length: 20 }, () => told(body)))
    for (const { status, body } of answers)
      expect([status, body]).toEqual([
        200,
        { status: 'success', message: 'Визит обработан', user_id: id, points_accrued: 150, cashback_accrued: 90.5 },
      ])
    expect(await told(body)).toMatchObject({ status: 200, body: answers[0]!.body })
    expect(await has(id)).toEqual([15_000, 9_050])
    const rows = await sql`
      select source, source_id, currency from loyalty_transactions t join loyalty_accounts a on a.id = t.account_id
      where a.user_id = ${id} order by t.id`
    expect(rows).toEqual(
      ['points', 'cashback'].map((currency) => ({ source: '1c_visit', sourceId: body.document_id, currency })),
    )
  })

  test('is the same visit however its numbers and spaces are written', async () => {
    const { id } = await patient('SPELT')
    const body = { document_id: 'SPELT-1', patient_external_id: 'SPELT' }
    const first = await told(`{"document_id":"SPELT-1","patient_external_id":"SPELT","points_to_accrue":150.10}`)
    expect(first.body).toMatchObject({ points_accrued: 150.1, cashback_accrued: 0 })
    expect((await told({ points_to_accrue: '150.1', cashback_to_accrue: 0, ...body })).body).toEqual(first.body)
    expect(await has(id)).toEqual([15_010, 0])
  })

  test('with other content under a number that counted already is refused, kept, and moves nothing', async () => {
    const { id } = await patient('CHANGED')
    const body = visit({ patient_external_id: 'CHANGED' })
    await told(body)
    const changed = { ...body, points_to_accrue: 1_000 }
    const answers = await Promise.all([told(changed), told(changed), told(changed)])
    for (const { status, body } of answers) expect([status, body]).toEqual([409, { detail: expect.any(String) }])
    expect((await told(body)).status).toBe(200)
    expect(await has(id)).toEqual([15_000, 9_050])
    expect((await noticesOf(body.document_id)).map(({ state }) => state)).toEqual(['done', 'failed'])
  })

  test('of an unknown patient waits for them, and counts when it comes again', async () => {
    const body = visit({ patient_external_id: 'LATER' })
    const before = await told(body)
    expect(before).toMatchObject({ status: 200, body: { status: 'user_not_found', user_id: null, points_accrued: 0 } })
    expect((await noticesOf(body.document_id))[0]).toMatchObject({ state: 'unmatched', lastError: 'user_not_found' })
    const { id } = await patient('LATER')
    expect((await told(body)).body).toMatchObject({ status: 'success', user_id: id, points_accrued: 150 })
    expect(await has(id)).toEqual([15_000, 9_050])
  })

  test('of an unknown patient may be corrected', async () => {
    const { id } = await patient('RIGHT')
    const wrong = visit({ patient_external_id: 'WRNOG' })
    await told(wrong)
    expect((await told({ ...wrong, patient_external_id: 'RIGHT' })).body).toMatchObject({ status: 'success' })
    expect(await has(id)).toEqual([15_000, 9_050])
    expect((await noticesOf(wrong.document_id)).map(({ state }) => state)).toEqual(['ignored', 'done'])
  })

  test('of somebody without an account gives nothing yet', async () => {
    const { id } = await person()
    await sql`update users set external_id = 'NO-CARD' where id = ${id}`
    const { status, body } = await told(visit({ patient_external_id: 'NO-CARD' }))
    expect([status, body.status, body.user_id]).toEqual([200, 'account_not_found', id])
  })

  test('that earns nothing is a visit all the same', async () => {
    const { id } = await patient('NOTHING')
    const body = visit({ patient_external_id: 'NOTHING', points_to_accrue: 0, cashback_to_accrue: 0 })
    expect((await told(body)).body).toMatchObject({ status: 'success', points_accrued: 0, cashback_accrued: 0 })
    expect(await has(id)).toEqual([0, 0])
  })

  test('has its date in the clinic’s zone, its empty date, and no content type', async () => {
    await patient('DATES')
    const said = async (visit_date: string) => {
      const body = visit({ patient_external_id: 'DATES', visit_date })
      expect(await told(JSON.stringify(body), { 'content-type': '' })).toMatchObject({ status: 200 })
      const [row] = await sql<{ at: string | null }[]>`
        select new_values ->> 'visitAt' as at from audit_log
        where action = 'visit.accrue' and new_values ->> 'documentId' = ${body.document_id}`
      return row!.at
    }
    expect(await said('2025-09-30T10:00:00')).toBe('2025-09-30T07:00:00.000Z')
    expect(await said('2025-09-30T10:00:00Z')).toBe('2025-09-30T10:00:00.000Z')
    expect(await said('0001-01-01T00:00:00')).toBeNull()
  })

  test.each([
    ['no document', { document_id: undefined }],
    ['an empty document', { document_id: ' ' }],
    ['a document that no column holds', { document_id: 'A\u0000B' }],
    ['a document without end', { document_id: 'x'.repeat(101) }],
    ['no patient', { patient_external_id: null }],
    ['three decimals', { points_to_accrue: 0.001 }],
    ['less than nothing', { cashback_to_accrue: -1 }],
    ['more than there is', { points_to_accrue: 1e30 }],
    ['no number', { points_to_accrue: 'много' }],
    ['no date', { visit_date: '2025-02-30T10:00:00' }],
    ['no list', { services: 'Приём' }],
  ])('with %s is refused in FastAPI’s shape, and kept', async (_, change) => {
    await patient()
    const body = visit(change)
    const { status, body: answer } = await told(body)
    expect(status).toBe(422)
    const [field] = Object.keys(change)
    expect(answer.detail).toMatchObject([
      { loc: ['body', field], msg: expect.stringMatching(/[а-я]/), type: expect.any(String) },
    ])
    const [kept] = await inbox.list(sql, { state: 'failed', provider: '1c', limit: 1 })
    expect(kept).toMatchObject({ attempts: 0, lastError: 'the body is not a visit' })
  })

  test('with a number that only looks like two decimals is refused: the text counts, not the double', async () => {
    const body = '{"document_id":"EXACT","patient_external_id":"X","points_to_accrue":0.1000000000000000000001}'
    expect((await told(body)).status).toBe(422)
  })

  test.each(['', '{', '\u0000', '{"document_id": "1"', `${'['.repeat(50_000)}`])(
    'that is no JSON (%#) is a 400, kept as failed, once',
    async (text) => {
      const bytes = `${text}${documents}`
      for (const _ of [1, 2])
        expect(await told(bytes)).toMatchObject({ status: 400, body: { detail: 'Тело запроса не читается' } })
      const [kept] = await inbox.list(sql, { state: 'failed', provider: '1c', limit: 1 })
      expect((await inbox.get(sql, kept!.id))!.raw.toString()).toBe(bytes)
      expect(kept!.repeats).toBe(1)
      documents++
    },
  )

  test('beyond all bounds is not read', async () => {
    expect(await told(`{"document_id":"${'x'.repeat(300_000)}"}`)).toMatchObject({
      status: 413,
      body: { detail: expect.any(String) },
    })
  })
})

describe('an operator', () => {
  const providers = providersOf(config, { yookassa: null })
  test('replays what is done, and nothing happens', async () => {
    const { id } = await patient('REPLAY')
    const body = visit({ patient_external_id: 'REPLAY' })
    await told(body)
    const [row] = await noticesOf(body.document_id)
    expect(await replay(db, providers, row.id)).toMatchObject({
      isWorked: false,
      webhookEvent: { state: 'done', attempts: 1 },
    })
    expect(await has(id)).toEqual([15_000, 9_050])
  })

  test('replays what waited for its patient, and it counts once', async () => {
    const body = visit({ patient_external_id: 'REPLAYED' })
    await told(body)
    const { id } = await patient('REPLAYED')
    const [row] = await noticesOf(body.document_id)
    const outcomes = await Promise.all([1, 2, 3].map(() => replay(db, providers, row.id)))
    expect(outcomes.filter(({ isWorked }) => isWorked)).toHaveLength(1)
    expect(await has(id)).toEqual([15_000, 9_050])
  })

  test('cannot make a contradiction count', async () => {
    const { id } = await patient('CONTRA')
    const body = visit({ patient_external_id: 'CONTRA' })
    await told(body)
    await told({ ...body, points_to_accrue: 7 })
    const [, other] = await noticesOf(body.document_id)
    await expect(replay(db, providers, other.id)).rejects.toMatchObject({ code: 'conflict' })
    expect(await has(id)).toEqual([15_000, 9_050])
  })

  test('replays what could not be read once the bytes can be', async () => {
    const { id } = await patient('UNREAD')
    const {
      dedupKey: _,
      content: __,
      ...unread
    } = {
      provider: '1c',
      dedupKey: '',
      content: '',
      raw: Buffer.from(JSON.stringify(visit({ patient_external_id: 'UNREAD' }))),
      headers: {},
      address: null,
    }
    const kept = await db.transaction((tx) => inbox.keepUnread(tx, unread, 'an older reader'))
    expect(await replay(db, providers, kept.id)).toMatchObject({ isWorked: true, webhookEvent: { state: 'done' } })
    expect(await inbox.get(sql, kept.id)).toMatchObject({ state: 'ignored' })
    expect(await replay(db, providers, kept.id)).toMatchObject({ isWorked: false })
    expect(await has(id)).toEqual([15_000, 9_050])
  })
})

test('a failure of ours is a 500, counted in the row, and the visit counts when it is told again', async () => {
  const { id } = await patient('BROKEN')
  const body = visit({ patient_external_id: 'BROKEN' })
  await sql`alter table loyalty_transactions rename to hidden`
  const failed = await told(body)
  await sql`alter table hidden rename to loyalty_transactions`
  expect(failed.status).toBe(500)
  expect((await noticesOf(body.document_id))[0]).toMatchObject({ state: 'received', attempts: 1 })
  expect((await told(body)).body.status).toBe('success')
  expect(await has(id)).toEqual([15_000, 9_050])
  expect(lines.filter(({ event }) => event === 'request.failed')).toHaveLength(1)
})

test('no token, phone or address is in any line of the log', async () => {
  const text = JSON.stringify(lines)
  for (const secret of [webhookToken, '+7955', '@example.com']) expect(text).not.toContain(secret)
})
