import { expect, test } from 'vitest'
import { ringSoon, storeNew } from '../../../db/messages/inbox-batch.ts'
import { INBOX_CHANNEL } from '../../../db/postgres/channels.ts'
import { testDb } from '../../postgres.ts'

const { db } = await testDb()
const given = (dedupKey: string, provider = 'cryptopay') => ({
  ...{ provider, dedupKey, content: `said ${dedupKey}`, raw: Buffer.from([0, 255, 34, 92]) },
  ...{ headers: { 'content-type': 'application/json' }, address: '203.0.113.7' },
})

test('a hundred at once are each stored once, byte by byte, and each hears of its own row', async () => {
  const keys = Array.from({ length: 100 }, (_, n) => `many ${n}`)
  const rows = await Promise.all(keys.map((key) => storeNew(db, given(key))))
  expect(rows.map((row) => row?.dedupKey)).toEqual(keys)
  expect(rows[7]).toMatchObject({ state: 'received', attempts: 0, headers: { 'content-type': 'application/json' } })
  const [one] = await db.sql<
    { raw: Buffer; address: string }[]
  >`select raw, address from inbox where dedup_key = 'many 7'`
  expect([[...one!.raw], one!.address]).toEqual([[0, 255, 34, 92], '203.0.113.7'])
})

test('of twenty with one key one is stored, and the others hear that somebody was faster', async () => {
  const rows = await Promise.all(Array.from({ length: 20 }, () => storeNew(db, given('same'))))
  expect(rows.filter((row) => row !== null)).toHaveLength(1)
  expect(await storeNew(db, given('same'))).toBeNull()
  expect(await storeNew(db, given('same', 'panel'))).toMatchObject({ provider: 'panel' })
})

test('one that cannot be stored is nobody else’s fault', async () => {
  const keys = ['good 1', 'bad \u0000', 'good 2', 'good 3']
  const tried = await Promise.allSettled(['first', ...keys].map((key) => storeNew(db, given(key))))
  expect(tried.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  expect(await db.sql`select 1 from inbox where dedup_key like 'good %'`).toHaveLength(3)
})

test('one bell rings for all that came meanwhile, and another for what came after it', async () => {
  let bells = 0
  const stop = await db.listen(INBOX_CHANNEL, () => bells++)
  for (let n = 0; n < 50; n++) ringSoon(db)
  await expect.poll(() => bells).toBe(2)
  ringSoon(db)
  await expect.poll(() => bells).toBe(3)
  await stop()
})
