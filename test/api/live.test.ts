import { expect, onTestFinished, test } from 'vitest'
import { type Feed, live } from '../../api/live.ts'
import { startApi } from '../../api/main.ts'
import { record } from '../../db/messages/events.ts'
import { journal } from './journal.ts'
import { startApiServer } from './server.ts'
import { reader } from './stream.ts'

const { person, db, stage } = await startApiServer()

/** The streams of one process, ended with the test. */
function streams(keepAliveMs = 60_000) {
  const own = journal()
  const streams = live(db, own.log, { keepAliveMs })
  onTestFinished(streams.close)
  return { ...streams, ...own }
}
const feed = (userId: number, change: Partial<Feed> = {}): Feed => ({
  userId,
  greet: async () => ({ event: 'hello', data: {} }),
  tell: async ({ kind }) => ({ event: 'change', data: { kind } }),
  ...change,
})
const happen = (userId: number, kind: string, times = 1) =>
  db.transaction(async (tx) => {
    for (let n = 0; n < times; n++) await record(tx, kind, { userId })
  })

test('a stream on which nothing happens is kept alive by comments', async () => {
  const { id } = await person()
  const stream = reader(streams(10).open(feed(id)))
  await stream.message()
  for (let n = 0; n < 3; n++) expect(await stream.next()).toEqual({ comment: 'here' })
})

test('a client that does not read is cut off, its connection dropped, and the others go on', async () => {
  const { id } = await person()
  const { open, count } = streams()
  const dropped = Promise.withResolvers<void>()
  const long = 'x'.repeat(5_000)
  const tell = async () => ({ event: 'change', data: { long } })
  open(feed(id, { tell, drop: dropped.resolve }))
  const other = reader(open(feed(id)))
  await other.message()
  await happen(id, 'test.happened', 30)
  await dropped.promise
  for (let n = 0; n < 30; n++) expect(await other.message()).toMatchObject({ event: 'change' })
  expect(count()).toBe(1)
})

test('a client whose words take longer than what happens is cut off too: what waits is bounded', async () => {
  const { id } = await person()
  const { open } = streams()
  const dropped = Promise.withResolvers<void>()
  const never = new Promise<never>(() => {})
  const stream = reader(open(feed(id, { tell: () => never, drop: dropped.resolve })))
  await stream.message()
  await happen(id, 'test.happened', 600)
  await dropped.promise
  expect(await stream.toEnd()).toEqual([])
})

test('one person has eight streams at most: the oldest gives way', async () => {
  const { id } = await person()
  const { open, count } = streams()
  const opened = Array.from({ length: 9 }, () => reader(open(feed(id))))
  expect(count()).toBe(8)
  expect(await opened[0]!.toEnd()).toEqual([])
  for (const stream of opened.slice(1)) await stream.message()
  await happen(id, 'test.happened')
  for (const stream of opened.slice(1))
    expect(await stream.message()).toMatchObject({ data: { kind: 'test.happened' } })
})

test('a client that goes is forgotten', async () => {
  const { id } = await person()
  const { open, count } = streams()
  const stream = reader(open(feed(id)))
  await stream.message()
  await stream.cancel()
  expect(count()).toBe(0)
})

test('a stream whose page cannot be read ends, and says why in the log', async () => {
  const { id } = await person()
  const { open, until } = streams()
  const error = new Error('no page')
  const stream = reader(open(feed(id, { greet: () => Promise.reject(error) })))
  expect(await stream.toEnd()).toEqual([])
  expect((await until('live.failed')).about).toEqual({ error })
})

test('over HTTP a stream flows as it is written, and a stopping server ends it without waiting', async () => {
  const me = await person()
  const { log, until } = journal()
  const { port, close } = await startApi({ config: stage.config, db, log })
  const response = await fetch(`http://127.0.0.1:${port}/api/user/orders`, {
    headers: { authorization: `Bearer ${me.token}`, accept: 'text/event-stream' },
  })
  const stream = reader(response.body!)
  expect(await stream.message()).toMatchObject({ event: 'orders', data: { orders: [] } })
  await until('request.answered')
  const began = performance.now()
  await close()
  expect(await stream.toEnd()).toEqual([])
  expect(performance.now() - began).toBeLessThan(5_000)
})
