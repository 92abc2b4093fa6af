import { expect, test } from 'vitest'
import * as inbox from '../../../db/messages/inbox.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'

const { db } = await testDb()
const { sql } = db
let documents = 0
const document = (content = 'a visit', change: Partial<inbox.NewWebhookEvent> = {}): inbox.NewWebhookEvent => ({
  provider: '1c',
  dedupKey: `DOC-${++documents}`,
  content,
  raw: Buffer.from(`\u{feff}{"said":"${content}"}`),
  headers: { 'content-type': 'application/json' },
  address: '203.0.113.9',
  ...change,
})
const receive = (given: inbox.NewWebhookEvent) => db.transaction((tx) => inbox.receive(tx, given))
const done = { state: 'done', result: { n: 1 } } as const
const act = async () => async () => done
const failing = async () => {
  throw new Error('our side failed')
}
/** An effect that can be counted. */
const effect = (id: number) => async () => async (tx: Tx) => {
  await tx`insert into audit_log (surface, action, entity_type, entity_id) values ('loyalty', 'test', 'notice', ${id})`
  return done
}
const effects = async (id: number) =>
  (await sql`select 1 from audit_log where entity_type = 'notice' and entity_id = ${id}`).length

test('a webhook event is kept byte by byte, and said twice it is one row', async () => {
  const given = document()
  const first = await receive(given)
  expect(first).toMatchObject({ is: 'new', webhookEvent: { state: 'received', attempts: 0, repeats: 0, result: null } })
  const again = await receive(given)
  expect(again).toMatchObject({ is: 'repeat', webhookEvent: { id: first.webhookEvent.id, repeats: 1 } })
  const stored = await inbox.get(sql, first.webhookEvent.id)
  expect(stored!.raw.equals(given.raw)).toBe(true)
  expect(stored).toMatchObject({ headers: given.headers, address: '203.0.113.9', dedupKey: given.dedupKey })
})

test('said twenty times at once it is one row, worked once, and everybody hears the same result', async () => {
  const given = document()
  const results = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { webhookEvent } = await receive(given)
      return inbox.work(db, webhookEvent.id, effect(webhookEvent.id))
    }),
  )
  const ids = new Set(results.map(({ webhookEvent }) => webhookEvent.id))
  expect(ids.size).toBe(1)
  expect(results.filter(({ isWorked }) => isWorked)).toHaveLength(1)
  expect(results.every(({ webhookEvent }) => webhookEvent.result?.n === 1)).toBe(true)
  const [id] = ids
  expect(await effects(id!)).toBe(1)
  expect((await inbox.get(sql, id!))!.repeats).toBe(19)
})

test('the same key with other content is a conflict once it was worked, kept beside it, said twice or at once', async () => {
  const given = document('100 points')
  const { webhookEvent } = await receive(given)
  await inbox.work(db, webhookEvent.id, act)
  const changed = { ...given, content: '900 points' }
  const answers = await Promise.all(Array.from({ length: 5 }, () => receive(changed)))
  expect(new Set(answers.map(({ is }) => is))).toEqual(new Set(['conflict']))
  expect(new Set(answers.map(({ webhookEvent }) => webhookEvent.id)).size).toBe(1)
  expect(answers[0]!.webhookEvent).toMatchObject({
    state: 'failed',
    lastError: expect.stringContaining('other content'),
  })
  expect(await inbox.get(sql, webhookEvent.id)).toMatchObject({ state: 'done', repeats: 0 })
})

test('while it is being worked, other content is a conflict too', async () => {
  const given = document('100 points')
  await receive(given)
  expect((await receive({ ...given, content: '900 points' })).is).toBe('conflict')
})

test.each(['unmatched', 'failed'] as const)(
  'a %s webhook event may be corrected: nothing was done for it',
  async (state) => {
    const given = document('patient X')
    const { webhookEvent } = await receive(given)
    await inbox.work(db, webhookEvent.id, async () => async () => ({ state, result: {} }))
    const corrected = await receive({ ...given, content: 'patient Y' })
    expect(corrected.is).toBe('new')
    expect(await inbox.get(sql, webhookEvent.id)).toMatchObject({ state: 'ignored', raw: given.raw })
    expect((await receive({ ...given, content: 'patient Y' })).webhookEvent.id).toBe(corrected.webhookEvent.id)
  },
)

test('of a subject’s state the latest word stands, and an earlier one said again is a new one', async () => {
  const given = document('a', { isState: true })
  const said = async (content: string) => (await receive({ ...given, content })).webhookEvent.id
  const first = await said('a')
  await inbox.work(db, first, act)
  const second = await said('b')
  expect(second).not.toBe(first)
  expect(await said('b')).toBe(second)
  expect([first, second]).not.toContain(await said('a'))
  expect((await inbox.get(sql, first))!.state).toBe('done')
  expect((await inbox.get(sql, second))!.state).toBe('ignored')
})

test('what an attempt did is undone with it, counted, and due again later; six failures wait for an operator', async () => {
  const { webhookEvent } = await receive(document())
  const breaking = async () => async (tx: Tx) => {
    await (await effect(webhookEvent.id)())(tx)
    return failing()
  }
  await expect(inbox.work(db, webhookEvent.id, breaking)).rejects.toThrow('our side failed')
  expect(await effects(webhookEvent.id)).toBe(0)
  expect(await inbox.get(sql, webhookEvent.id)).toMatchObject({
    state: 'received',
    attempts: 1,
    lastError: 'our side failed',
  })
  expect(await inbox.due(sql, '1c', 1_000)).not.toContain(webhookEvent.id)
  await sql`update inbox set worked_at = now() - interval '10 seconds' where id = ${webhookEvent.id}`
  expect(await inbox.due(sql, '1c', 1_000)).toContain(webhookEvent.id)
  for (let attempt = 2; attempt <= 6; attempt++)
    await expect(inbox.work(db, webhookEvent.id, failing)).rejects.toThrow('our side failed')
  expect(await inbox.get(sql, webhookEvent.id)).toMatchObject({ state: 'failed', attempts: 6 })
  await sql`update inbox set worked_at = now() - interval '1 day' where id = ${webhookEvent.id}`
  expect(await inbox.due(sql, '1c', 1_000)).not.toContain(webhookEvent.id)
  await expect(inbox.work(db, webhookEvent.id, failing)).rejects.toThrow('our side failed')
  expect(await inbox.get(sql, webhookEvent.id)).toMatchObject({ state: 'failed', attempts: 7 })
  // An operator's replay.
  expect(await inbox.work(db, webhookEvent.id, act)).toMatchObject({
    isWorked: true,
    webhookEvent: { state: 'done', lastError: null },
  })
})

test('a webhook event that is done is given back as it is, and a late failure does not undo it', async () => {
  const { webhookEvent } = await receive(document())
  await inbox.work(db, webhookEvent.id, effect(webhookEvent.id))
  const again = await inbox.work(db, webhookEvent.id, failing)
  expect(again).toMatchObject({ isWorked: false, webhookEvent: { state: 'done', result: { n: 1 }, attempts: 1 } })
  await inbox.fail(db, webhookEvent.id, new Error('too late'))
  expect(await inbox.get(sql, webhookEvent.id)).toMatchObject({ state: 'done', lastError: null, attempts: 1 })
  expect(await effects(webhookEvent.id)).toBe(1)
})

test('what names somebody unknown is looked at again for a day', async () => {
  const { webhookEvent } = await receive(document())
  await inbox.work(db, webhookEvent.id, async () => async () => ({
    state: 'unmatched',
    result: {},
    why: 'no such patient',
  }))
  expect(await inbox.due(sql, '1c', 1_000)).not.toContain(webhookEvent.id)
  await sql`update inbox set worked_at = now() - interval '10 minutes' where id = ${webhookEvent.id}`
  expect(await inbox.due(sql, '1c', 1_000)).toContain(webhookEvent.id)
  await sql`update inbox set received_at = now() - interval '24 hours' where id = ${webhookEvent.id}`
  expect(await inbox.due(sql, '1c', 1_000)).not.toContain(webhookEvent.id)
})

test('what could not be read is kept once, as failed, and takes nobody’s key', async () => {
  const { dedupKey, content, ...unread } = document('nonsense')
  const keep = () => db.transaction((tx) => inbox.keepUnread(tx, unread, 'no JSON'))
  const [first, second] = [await keep(), await keep()]
  expect(first).toMatchObject({ state: 'failed', lastError: 'no JSON', repeats: 0 })
  expect(second).toMatchObject({ id: first.id, repeats: 1 })
  expect((await inbox.list(sql, { state: 'failed', provider: '1c', limit: 1 })).map(({ id }) => id)).toEqual([first.id])
})

test('nobody works what is not there', async () => {
  await expect(inbox.work(db, 999_999_999, act)).rejects.toMatchObject({ code: 'not_found' })
})

test('thirty newer states of one subject at once are all kept, and one of them is the subject’s own', async () => {
  const { dedupKey } = document()
  await receive(document('state 0', { dedupKey, isState: true }))
  const told = Array.from({ length: 30 }, (_, n) => document(`state ${n + 1}`, { dedupKey, isState: true }))
  const received = await Promise.all(told.map(receive))
  expect(received.every(({ is }) => is === 'new')).toBe(true)
  const kept = await sql`select dedup_key from inbox where dedup_key like ${`${dedupKey}%`}`
  expect(kept).toHaveLength(31)
  expect(kept.filter((row) => row.dedupKey === dedupKey)).toHaveLength(1)
})
