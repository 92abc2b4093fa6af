import { setImmediate as turn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { type BatchOptions, batches } from '../../../db/postgres/batches.ts'
import { DatabaseBusyError } from '../../../db/postgres/transactions.ts'

/** Work that is done when it is told to, and what it was given. */
function works(options: BatchOptions<string>, isPoison = (_: string) => false) {
  const given: string[][] = []
  const open: (() => void)[] = []
  const add = batches(async (items: readonly string[]) => {
    given.push([...items])
    await new Promise<void>((resolve) => open.push(resolve))
    if (items.some(isPoison)) throw new Error(`cannot be done: ${items.find(isPoison)}`)
    return items.map((item) => item.toUpperCase())
  }, options)
  return { add, given, finish: () => open.shift()?.() }
}

/** Finishes whatever is begun until nothing is. */
async function finishAll<T>({ finish }: { finish: () => void }, all: Promise<T>): Promise<T> {
  let isOver = false
  void all.then(() => (isOver = true))
  while (!isOver) {
    finish()
    await turn()
  }
  return await all
}

test('what comes alone goes at once, and what comes meanwhile goes together after it, in order', async () => {
  const work = works({ max: 10 })
  const first = work.add('a')
  await turn()
  expect(work.given).toEqual([['a']])
  const later = ['b', 'c', 'd'].map(work.add)
  await turn()
  expect(work.given).toHaveLength(1)
  work.finish()
  expect(await first).toBe('A')
  while (work.given.length < 2) await turn()
  expect(work.given[1]).toEqual(['b', 'c', 'd'])
  expect(await finishAll(work, Promise.all(later))).toEqual(['B', 'C', 'D'])
})

test('what arrives in one turn of the event loop is one batch, and a batch has its limit', async () => {
  const work = works({ max: 2 })
  const all = Promise.all(['a', 'b', 'c'].map(work.add))
  expect(await finishAll(work, all)).toEqual(['A', 'B', 'C'])
  expect(work.given).toEqual([['a', 'b'], ['c']])
})

test('one that cannot be done fails alone', async () => {
  const work = works({ max: 10 }, (item) => item === 'c')
  const all = Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map(work.add))
  const outcomes = await finishAll(work, all)
  expect(outcomes.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).toEqual([
    ...['A', 'B', 'Error: cannot be done: c', 'D', 'E'],
  ])
  // Halves, not one by one: who shares no half with it is done with its neighbours.
  expect(work.given).toContainEqual(['d', 'e'])
  const after = work.add('f')
  expect(await finishAll(work, after)).toBe('F')
})

test('a database that fails slowly fails all who wait for it, and not each of them again', async () => {
  const work = works({ max: 10 }, () => true)
  const all = Promise.allSettled(['a', 'b'].map(work.add))
  await turn()
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000)
  const outcomes = await finishAll(work, all).finally(() => clock.mockRestore())
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(work.given).toHaveLength(1)
})

test('of one key the second waits until the first is done, and keeps nobody else waiting', async () => {
  const work = works({ max: 10, atOnce: 2, keyOf: (item) => item[0] })
  const all = Promise.all(['a1', 'a2', 'b1'].map(work.add))
  await turn()
  expect(work.given).toEqual([['a1', 'b1']])
  const other = work.add('c1')
  await turn()
  expect(work.given).toEqual([['a1', 'b1'], ['c1']])
  work.finish()
  while (work.given.length < 3) await turn()
  expect(work.given[2]).toEqual(['a2'])
  expect(await finishAll(work, Promise.all([all, other]))).toEqual([['A1', 'A2', 'B1'], 'C1'])
})

test('no more batches are under way than may be', async () => {
  const work = works({ max: 1, atOnce: 2 })
  const all = Promise.all(['a', 'b', 'c'].map(work.add))
  await turn()
  expect(work.given).toEqual([['a'], ['b']])
  await finishAll(work, all)
  expect(work.given).toHaveLength(3)
})

test('who comes when too many wait is refused at once, and the others are done', async () => {
  const work = works({ max: 1, waitingMax: 2 })
  const first = work.add('a')
  await turn()
  const others = [work.add('b'), work.add('c')]
  await expect(work.add('d')).rejects.toBeInstanceOf(DatabaseBusyError)
  expect(await finishAll(work, Promise.all([first, ...others]))).toEqual(['A', 'B', 'C'])
})
