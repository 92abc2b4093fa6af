import { expect, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { connect } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { act, next } from '../world.ts'
import { purse } from './purse.ts'

const { db, url } = await testDb()
const times = <T>(count: number, work: (n: number) => Promise<T>) =>
  Promise.allSettled(Array.from({ length: count }, (_, n) => work(n)))
const done = (results: PromiseSettledResult<unknown>[]) => results.filter(({ status }) => status === 'fulfilled').length
/** Why each of the others was refused, without repetition. */
const codes = (results: PromiseSettledResult<unknown>[]) => [
  ...new Set(results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))),
]

test('of fifty who spend one balance at once as many succeed as it lasts for', async () => {
  const { move, balance } = purse(db)
  await move(1_000)
  const spent = await times(50, () => move(-30))
  expect(done(spent)).toBe(33)
  expect(codes(spent)).toEqual(['insufficient_funds'])
  expect(await balance()).toBe(10)
})

test('fifty who give and take at once lose nothing', async () => {
  const { move, balance } = purse(db)
  await move(1_000)
  const moved = await times(50, (n) => move(n % 2 ? -7 : 11))
  expect(codes(moved)).toEqual([])
  expect(await balance()).toBe(1_000 + 25 * 11 - 25 * 7)
})

test('one key said fifty times at once counts once, in a book that none of them finds open', async () => {
  const { moving, balance } = purse(db)
  const posting = moving(500)
  const said = await times(50, () => act(db, (tx) => ledger.post(tx, posting)))
  const posted = said.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  expect(posted).toHaveLength(50)
  expect(posted.filter(({ repeated }) => !repeated)).toHaveLength(1)
  expect(new Set(posted.map(({ id }) => id)).size).toBe(1)
  expect(await balance()).toBe(500)
})

test('one key said at once in two books counts in one', async () => {
  for (let round = 0; round < 10; round++) {
    const [one, other] = [purse(db), purse(db)]
    const key = `key ${next()}`
    const said = await times(6, (n) => (n % 2 ? one : other).move(5, { key }))
    expect(done(said)).toBe(3)
    expect(codes(said)).toEqual(['idempotency_mismatch'])
    expect((await one.balance()) + (await other.balance())).toBe(5)
  }
})

test('two owners who give to each other at once wait for each other, never in a circle', async () => {
  const [one, other] = [purse(db), purse(db)]
  await one.move(1_000)
  await other.move(1_000)
  // No second attempt: a deadlock would fail.
  const given = await times(50, (n) =>
    act(db, (tx) =>
      ledger.transfer(tx, {
        ...{ from: (n % 2 ? one : other).owner, to: (n % 2 ? other : one).owner, unit: 'points', amount: n + 1 },
        ...{ key: `gift ${next()}`, kind: 'gift', createdBy: null },
      }),
    ),
  )
  expect(codes(given)).toEqual([])
  expect([await one.balance(), await other.balance()]).toEqual([1_000 - 25, 1_000 + 25])
})

test('owners who give to each other in a ring, and have no books yet, wait in no circle either', async () => {
  for (let round = 0; round < 8; round++) {
    const ring = Array.from({ length: 5 }, () => purse(db))
    const given = await times(30, (n) =>
      act(db, async (tx) => {
        const [from, to] = [ring[n % 5]!, ring[(n + 1) % 5]!]
        await ledger.lock(tx, [from, to])
        await ledger.post(tx, from.moving(10))
        await ledger.transfer(tx, {
          ...{ from: from.owner, to: to.owner, unit: 'points', amount: 10 },
          ...{ key: `gift ${next()}`, kind: 'gift', createdBy: null },
        })
      }),
    )
    expect(codes(given)).toEqual([])
    expect(await Promise.all(ring.map(({ balance }) => balance()))).toEqual([60, 60, 60, 60, 60])
  }
})

test('who locks in the wrong order is made to wait in a circle, and both are done all the same', async () => {
  const [one, other] = [purse(db), purse(db)]
  const bothHaveOne = meeting(2)
  let runs = 0
  const both = (first: typeof one, second: typeof one) => {
    const [here, there] = [first.moving(5), second.moving(7)]
    return db.transaction(async (tx) => {
      await tx`set local deadlock_timeout = 20`
      await ledger.post(tx, here)
      if (++runs <= 2) await bothHaveOne()
      await ledger.post(tx, there)
    })
  }
  await one.move(1)
  await other.move(1)
  await Promise.all([both(one, other), both(other, one)])
  expect(runs).toBeGreaterThan(2)
  expect([await one.balance(), await other.balance()]).toEqual([13, 13])
})

test('postings of different owners do not wait for each other', async () => {
  const [slow, quick] = [purse(db), purse(db)]
  await slow.move(1)
  await quick.move(1)
  const goOn = Promise.withResolvers<void>()
  const held = db.transaction(async (tx) => {
    await ledger.post(tx, slow.moving(5))
    await goOn.promise
  })
  // A lock that it waited for would end it.
  const moved = db.transaction(async (tx) => {
    await tx`set local lock_timeout = 1`
    await ledger.post(tx, quick.moving(5))
  }, 1)
  await moved.finally(goOn.resolve)
  await held
  expect([await slow.balance(), await quick.balance()]).toEqual([6, 6])
})

test.each([
  ['one key', () => 'again', 20, []],
  ['keys of their own', (n: number) => `by ${n}`, 1, ['conflict']],
])('a posting reversed twenty times at once by %s is undone once', async (_, keyOf, doneTimes, refused) => {
  const { move, balance } = purse(db)
  await move(1_000)
  const { id } = await move(400)
  const undone = await times(20, (n) =>
    act(db, (tx) => ledger.reverse(tx, id, { key: `undo ${id} ${keyOf(n)}`, createdBy: null })),
  )
  expect([done(undone), codes(undone)]).toEqual([doneTimes, refused])
  expect(await balance()).toBe(1_000)
})

test('a transaction whose connection was lost leaves nothing behind, and its posting can be said again', async () => {
  const other = connect(url, { max: 1 })
  const { moving, balance } = purse(db)
  const posting = moving(500)
  const dying = other.transaction(async (tx) => {
    await ledger.post(tx, posting)
    const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
    await db.sql`select pg_terminate_backend(${row!.pid})`
    await tx`select 1`
  })
  await expect(dying).rejects.toThrow()
  expect(await balance()).toBe(0)
  expect(await other.transaction((tx) => ledger.post(tx, posting))).toMatchObject({ repeated: false })
  await other.close()
})

test('after all of this the books are whole', async () => {
  const { broken, postings } = await verify(db)
  expect(broken).toBe(null)
  expect(postings).toBeGreaterThan(200)
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
