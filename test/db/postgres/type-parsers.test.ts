import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readArray, writeArray } from '../../../db/postgres/type-parsers.ts'
import { testDb } from '../../postgres.ts'

const { db } = await testDb()

test('rows come in camelCase, big integers as numbers, days as text, JSON as it is', async () => {
  const [row] = await db.sql`select 9007199254740991::int8 as big_number, date '2026-02-28' as some_day,
    1.10::numeric as price, to_timestamp(0) as at, '{"snake_case": 1}'::jsonb as body, null as nothing`
  expect(row).toEqual({
    bigNumber: 9007199254740991,
    someDay: '2026-02-28',
    price: '1.10',
    at: new Date(0),
    body: { snake_case: 1 },
    nothing: null,
  })
})

test('a number that would not be exact is an error, not another number', async () => {
  await expect(db.sql`select 9007199254740993::int8 as n`).rejects.toThrow('9007199254740993 is not an exact integer')
})

test('letters of every alphabet have an upper and a lower case', async () => {
  const [row] = await db.sql`select lower('ЖУК') as low, 'жук' ilike 'ЖУ%' as alike`
  expect(row).toEqual({ low: 'жук', alike: true })
})

test('lists of every kind go in and come back', async () => {
  const lists = {
    ids: [1, 9007199254740991, null],
    small: [1, -2],
    words: ['', 'a "b" \\ {c}, NULL', 'NULL', 'ж', null],
    yes: [true, false, null],
    instants: [new Date(0), new Date(1_700_000_000_123)],
    days: ['2026-02-28'],
    none: [],
  }
  const [row] = await db.sql`select ${lists.ids}::int8[] as ids, ${lists.small}::int[] as small,
    ${lists.words}::text[] as words, ${lists.yes}::boolean[] as yes, ${lists.instants}::timestamptz[] as instants,
    ${lists.days}::date[] as days, ${lists.none}::int8[] as none`
  expect(row).toEqual(lists)
  expect(await db.sql`select n from unnest(${lists.small}::int[]) n where n = any(${[1, 5]})`).toEqual([{ n: 1 }])
})

test('any list of texts, however deep, is read as it was written', () => {
  const text = fc.option(fc.string({ unit: 'binary' }), { nil: null })
  const lists = fc.oneof(fc.array(text), fc.array(fc.array(text, { minLength: 1 }), { minLength: 1 }))
  fc.assert(
    fc.property(lists, (list) => {
      expect(readArray(writeArray(list, String), String)).toEqual(list)
    }),
  )
})
