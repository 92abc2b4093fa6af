import { expect, test } from 'vitest'
import { testDb } from '../postgres.ts'

const { db } = await testDb()

test('rows come in camelCase, big integers as numbers, days as text', async () => {
  const [row] = await db.sql`select 9007199254740991::int8 as big_number, date '2026-02-28' as some_day,
    1.10::numeric as price, to_timestamp(0) as at, '{"snake_case": 1}'::jsonb as body, '{1,2}'::int8[] as ids`
  expect(row).toEqual({
    bigNumber: 9007199254740991,
    someDay: '2026-02-28',
    price: '1.10',
    at: new Date(0),
    body: { snake_case: 1 },
    ids: [1, 2],
  })
})
