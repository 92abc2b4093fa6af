import { expect, onTestFinished, test } from 'vitest'
import * as events from '../../../db/messages/events.ts'
import { connect } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { act, next } from '../world.ts'

const { db, url } = await testDb()

/** Writes one event in a transaction of its own. */
const write = (kind: string, data = {}) => act(db, (tx) => events.record(tx, kind, { data }))

/** Hears the log from here on; `until` resolves when so many events of a kind have been heard. */
async function listener(kind: string, on = db) {
  const heard: events.Event[] = []
  const failures: unknown[] = []
  let wake = () => {}
  const tail = await events.tail(
    on,
    (event) => {
      if (event.kind !== kind) return
      heard.push(event)
      wake()
    },
    (error) => failures.push(error),
  )
  onTestFinished(tail.close)
  const until = async (count: number) => {
    while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve))
    return heard.map(({ data }) => data.n)
  }
  return { heard, failures, until, tail }
}

/** A transaction that stays open after its event, until it is told whether to commit. */
async function held(kind: string, data: object) {
  const gate = Promise.withResolvers<void>()
  const written = Promise.withResolvers<void>()
  const ended = act(db, async (tx) => {
    await events.record(tx, kind, { data: { ...data } })
    written.resolve()
    await gate.promise
  })
  await written.promise
  return async (isCommit: boolean) => {
    if (isCommit) gate.resolve()
    else gate.reject(new Error('rolled back'))
    await ended.catch(() => {})
  }
}

const kindOf = () => `test.${next()}`

test('what happened is heard with what it is about, from now on', async () => {
  const kind = kindOf()
  await write(kind, { n: 0 })
  const { until, heard } = await listener(kind)
  await act(db, (tx) => events.record(tx, kind, { stationId: 1, userId: 2, orderId: 3, data: { n: 1 } }))
  expect(await until(1)).toEqual([1])
  expect(heard[0]).toMatchObject({ kind, stationId: 1, userId: 2, orderId: 3, createdAt: expect.any(Date) })
})

test('what was rolled back never happened', async () => {
  const kind = kindOf()
  const { until } = await listener(kind)
  await act(db, async (tx) => {
    await events.record(tx, kind, { data: { n: 1 } })
    throw new Error('no')
  }).catch(() => {})
  await write(kind, { n: 2 })
  expect(await until(1)).toEqual([2])
})

test('an event that commits after a later one is not lost, and the order is that of the writers', async () => {
  const kind = kindOf()
  const { until } = await listener(kind)
  const slow = await held(kind, { n: 1 })
  await write(kind, { n: 2 })
  await slow(true)
  await write(kind, { n: 3 })
  expect(await until(3)).toEqual([1, 2, 3])
})

test('an event held back by a slower transaction is heard when that ends, even without a bell', async () => {
  const kind = kindOf()
  const { until } = await listener(kind)
  const slow = await held(kind, { n: 1 })
  await write(kind, { n: 2 })
  await slow(false)
  const began = performance.now()
  expect(await until(1)).toEqual([2])
  expect(performance.now() - began).toBeLessThan(1_500)
})

test('many writers at once: every event once, each writer’s in order', async () => {
  const kind = kindOf()
  const { heard, until } = await listener(kind)
  const writer = async (w: number) => {
    for (let n = 0; n < 150; n++)
      await act(db, async (tx) => {
        await events.record(tx, kind, { data: { n, w } })
        if (n % 3 === 0) await events.record(tx, kind, { data: { n: n + 0.5, w } })
      })
  }
  await Promise.all([0, 1, 2, 3].map(writer))
  await until(800)
  expect(new Set(heard.map(({ id }) => id)).size).toBe(800)
  for (const w of [0, 1, 2, 3]) {
    const own = heard.filter(({ data }) => data.w === w).map(({ data }) => data.n)
    expect(own).toEqual(own.toSorted((a, b) => a - b))
  }
})

test('a listener whose connections are killed hears everything all the same, once', async () => {
  const kind = kindOf()
  const own = connect(url, { applicationName: `tail ${kind}` })
  const { until, heard } = await listener(kind, own)
  for (let n = 0; n < 5; n++) {
    await write(kind, { n })
    await db.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${`tail ${kind}`}`
  }
  await write(kind, { n: 5 })
  expect(await until(6)).toEqual([0, 1, 2, 3, 4, 5])
  expect(heard.length).toBe(6)
  await own.close()
})

test('two listeners hear the same, and one that is closed hears no more', async () => {
  const kind = kindOf()
  const [one, two] = [await listener(kind), await listener(kind)]
  await write(kind, { n: 1 })
  expect(await Promise.all([one.until(1), two.until(1)])).toEqual([[1], [1]])
  await one.tail.close()
  await write(kind, { n: 2 })
  await two.until(2)
  expect(one.heard.length).toBe(1)
})

test('the log is read from any position, a page at a time', async () => {
  const kind = kindOf()
  const from = await events.end(db.sql)
  await act(db, async (tx) => {
    await tx`insert into events (kind, data) select ${kind}, jsonb_build_object('n', n) from generate_series(1, 1200) n`
  })
  const read: number[] = []
  for (let page = await events.after(db.sql, from); page.length > 0; page = await events.after(db.sql, page.at(-1)!))
    read.push(...page.filter((event) => event.kind === kind).map(({ data }) => data.n))
  expect(read).toEqual(Array.from({ length: 1200 }, (_, n) => n + 1))
})
