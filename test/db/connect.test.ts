import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../db/connect.ts'
import { startEmbedded } from '../../db/embedded.ts'
import { tempDataDir, testDb } from '../postgres.ts'

const { db } = await testDb()

test('rows come in camelCase, big integers as numbers, days as text, JSON as it is', async () => {
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

test('a number that would not be exact is an error, not another number', async () => {
  await expect(db.sql`select 9007199254740993::int8 as n`).rejects.toThrow('9007199254740993 is not an exact integer')
})

test('letters of every alphabet have an upper and a lower case', async () => {
  const [row] = await db.sql`select lower('ЖУК') as low, 'жук' ilike 'ЖУ%' as alike`
  expect(row).toEqual({ low: 'жук', alike: true })
})

test('what a transaction threw undoes it', async () => {
  await db.sql`create table notes (id int primary key, said text not null)`
  const failing = db.transaction(async (tx) => {
    await tx`insert into notes values (1, 'never')`
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await db.sql`select * from notes`).toHaveLength(0)
})

test('two transactions that block each other are both done', async () => {
  await db.sql`create table pairs (id int primary key, n int not null default 0)`
  await db.sql`insert into pairs values (1), (2)`
  const met = meeting(2)
  let runs = 0
  const add = (first: number, second: number) =>
    db.transaction(async (tx) => {
      await tx`update pairs set n = n + 1 where id = ${first}`
      if (++runs <= 2) await met()
      await tx`update pairs set n = n + 1 where id = ${second}`
    })
  await Promise.all([add(1, 2), add(2, 1)])
  expect(runs).toBe(3)
  expect(await db.sql`select n from pairs`).toEqual([{ n: 2 }, { n: 2 }])
})

test('a peer that accepts and hangs up is a failure at once', async () => {
  const server = createServer((socket) => socket.destroy())
  const port = await new Promise<number>((done) =>
    server.listen(0, '127.0.0.1', () => done((server.address() as { port: number }).port)),
  )
  const away = connect(`postgres://a:b@127.0.0.1:${port}/c`)
  onTestFinished(async () => {
    await away.close()
    server.close()
  })
  const started = performance.now()
  await expect(away.sql`select 1`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  expect(performance.now() - started).toBeLessThan(1_000)
})

test('when the database dies queries fail fast, and it comes back by itself, listeners too', async () => {
  const said: string[] = []
  const own = await startEmbedded({
    dataDir: tempDataDir(onTestFinished),
    log: (event) => said.push(event),
    durable: false,
  })
  const one = connect(own.url)
  onTestFinished(async () => {
    await one.close()
    await own.stop()
  })
  const listens = counter()
  const heard = new Promise<string>((done) => void one.listen('bell', done, listens.add))
  await listens.reach(1)

  process.kill(own.pid(), 'SIGKILL')
  const started = performance.now()
  await expect(one.sql`select pg_sleep(60)`).rejects.toThrow()
  await Promise.allSettled(Array.from({ length: 200 }, () => one.sql`select 1`))
  expect(performance.now() - started).toBeLessThan(2_000)

  await listens.reach(2)
  await one.sql`select pg_notify('bell', 'once more')`
  expect(await heard).toBe('once more')
  expect(said).toEqual(['database.started', 'database.gone', 'database.restarted'])
})

/** Everybody waits until `size` have come. */
function meeting(size: number) {
  const { promise, resolve } = Promise.withResolvers<void>()
  let come = 0
  return () => {
    if (++come === size) resolve()
    return promise
  }
}

function counter() {
  const waiting = new Map<number, () => void>()
  let count = 0
  return {
    add: () => waiting.get(++count)?.(),
    reach: (n: number) => (count >= n ? Promise.resolve() : new Promise<void>((done) => waiting.set(n, done))),
  }
}
