import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../../db/postgres/connect.ts'
import { startEmbedded } from '../../../db/postgres/embedded.ts'
import { tempDataDir, testDb } from '../../postgres.ts'
import { proxied } from '../proxied.ts'

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
    dataDir: tempDataDir(),
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

function counter() {
  const waiting = new Map<number, () => void>()
  let count = 0
  return {
    add: () => waiting.get(++count)?.(),
    reach: (n: number) => (count >= n ? Promise.resolve() : new Promise<void>((done) => waiting.set(n, done))),
  }
}

test('whoever reads from a database that is frozen, and dials it, hears so, however many they are', async () => {
  const { url } = await testDb()
  const wire = await proxied(url)
  wire.freeze()
  const db = connect(wire.url)
  onTestFinished(() => db.close())
  const many = Array.from({ length: 500 }, async () => await db.sql`select 1`)
  for (const one of await Promise.allSettled(many)) expect(one).toMatchObject({ status: 'rejected' })
  wire.thaw()
  await db.ping()
})

test('a connection that is slow costs no statement of the others', async () => {
  const { url } = await testDb()
  const wire = await proxied(url)
  wire.loseOne()
  const db = connect(wire.url)
  onTestFinished(() => db.close())
  // Longer than a connection may take to be made.
  const five = await Promise.allSettled(Array.from({ length: 5 }, async () => await db.sql`select pg_sleep(3)`))
  const outcomes = new Set(five.map(({ status }) => status))
  expect(outcomes).toEqual(new Set(['fulfilled', 'rejected']))
})
