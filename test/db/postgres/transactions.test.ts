import { expect, onTestFinished, test } from 'vitest'
import { connect, type Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'

const { db, url } = await testDb()
await db.sql`create table notes (n int)`
const notes = async () => (await db.sql<{ n: number }[]>`delete from notes returning n`).map(({ n }) => n).sort()

/** Another pool on the same database, of the size a test needs. */
function pool(max: number) {
  const other = connect(url, { max })
  onTestFinished(() => other.close())
  return other
}

const endBackend = async (tx: Tx) => {
  const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
  await db.sql`select pg_terminate_backend(${row!.pid})`
}

test('what a transaction threw undoes it', async () => {
  const failing = db.transaction(async (tx) => {
    await tx`insert into notes values (1)`
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await notes()).toEqual([])
})

test('a transaction whose statement failed commits nothing, though the error was swallowed', async () => {
  const failing = db.transaction(async (tx) => {
    await tx`insert into notes values (1)`
    await tx`select 1 / 0`.catch(() => {})
  })
  await expect(failing).rejects.toThrow('nothing was committed')
  expect(await notes()).toEqual([])
})

test('what a check deferred to the commit says no to is thrown', async () => {
  await db.sql`create table firsts (id int primary key, other int references firsts deferrable initially deferred)`
  await expect(db.transaction((tx) => tx`insert into firsts values (1, 2)`)).rejects.toMatchObject({ code: '23503' })
  expect(await db.sql`select * from firsts`).toHaveLength(0)
})

test('a transaction that has ended takes no more statements', async () => {
  const kept: Tx[] = []
  await db.transaction(async (tx) => void kept.push(tx))
  expect(() => kept[0]!`insert into notes values (1)`).toThrow('the transaction has ended')
  expect(await notes()).toEqual([])
})

test('more transactions than connections wait for their turn, and all are done', async () => {
  const small = pool(2)
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => small.transaction((tx) => tx`insert into notes values (${n})`)),
  )
  expect(await notes()).toHaveLength(20)
})

test('a connection lost under a running statement fails that transaction alone', async () => {
  const small = pool(1)
  const dying = small.transaction(async (tx) => {
    await tx`insert into notes values (1)`
    await Promise.all([tx`select pg_sleep(10)`, endBackend(tx), tx`insert into notes values (2)`])
  })
  const behind = small.transaction((tx) => tx`insert into notes values (3)`)
  await expect(dying).rejects.toThrow()
  await behind
  await small.transaction((tx) => tx`insert into notes values (4)`)
  expect(await notes()).toEqual([3, 4])
})

test('a transaction whose connection was lost while it thought does nothing on the next one', async () => {
  const small = pool(1)
  const goOn = Promise.withResolvers<void>()
  const dying = small.transaction(async (tx) => {
    await tx`insert into notes values (1)`
    await endBackend(tx)
    await goOn.promise
    await tx`insert into notes values (2)`
  })
  await small.transaction(async (tx) => {
    await tx`insert into notes values (3)`
    goOn.resolve()
    await expect(dying).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  })
  expect(await notes()).toEqual([3])
})

test('a reader whose connections were ended under it reads on at once', async () => {
  const small = pool(4)
  for (let round = 0; round < 3; round++) {
    const reads = Array.from({ length: 2 }, () => small.sql`select pg_sleep(10)`.catch((error) => error.code))
    let ended = 0
    await expect
      .poll(async () => {
        const [row] = await db.sql<{ n: number }[]>`
          select count(pg_terminate_backend(pid)) as n from pg_stat_activity
          where datname = current_database() and query like '%pg_sleep(10)%' and pid <> pg_backend_pid()`
        ended += row!.n
        return ended
      })
      .toBeGreaterThanOrEqual(2)
    expect(await Promise.all(reads)).not.toContain(undefined)
    expect(await small.sql`select 1 as one`).toEqual([{ one: 1 }])
  }
})

test('two transactions that block each other are both done', async () => {
  await db.sql`create table pairs (id int primary key, n int not null default 0)`
  await db.sql`insert into pairs values (1), (2)`
  const met = meeting(2)
  let runs = 0
  const add = (first: number, second: number) =>
    db.transaction(async (tx) => {
      await tx`set local deadlock_timeout = 20`
      await tx`update pairs set n = n + 1 where id = ${first}`
      if (++runs <= 2) await met()
      await tx`update pairs set n = n + 1 where id = ${second}`
    })
  await Promise.all([add(1, 2), add(2, 1)])
  // Usually one of them is told to begin again; on a busy machine, both.
  expect(runs).toBeGreaterThan(2)
  expect(await db.sql`select n from pairs`).toEqual([{ n: 2 }, { n: 2 }])
})

test('closing waits for the transaction that runs, and refuses the next', async () => {
  const other = connect(url)
  const begun = Promise.withResolvers<void>()
  const running = other.transaction(async (tx) => {
    await tx`insert into notes values (1)`
    begun.resolve()
    await tx`select pg_sleep(0.1)`
  })
  await begun.promise
  await other.close()
  await running
  await expect(other.transaction((tx) => tx`select 1`)).rejects.toMatchObject({ code: 'CONNECTION_ENDED' })
  expect(await notes()).toEqual([1])
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
