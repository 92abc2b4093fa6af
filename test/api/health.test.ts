import { expect, onTestFinished, test } from 'vitest'
import { startApi } from '../../api/main.ts'
import { connect } from '../../db/postgres/connect.ts'
import { proxied } from '../db/proxied.ts'
import { testDb } from '../postgres.ts'
import { notices, secrets } from './getpro/stage.ts'
import { config } from './server.ts'

const { db: own, url } = await testDb()
const fine = { database: 'ok', redis: 'ok', bot: 'ok', inbox: 'ok', outbox: 'ok' }

/** An API whose database is at the end of a wire. */
async function watched() {
  const wire = await proxied(url)
  const db = connect(wire.url)
  const heard: { event: string; about: object }[] = []
  const providers = { ...config.providers, notices: notices({ limit: { requests: 1, windowSeconds: 60 } }) }
  const log = (event: string, about: object = {}) => void heard.push({ event, about })
  const { port, close } = await startApi({ config: { ...config, providers }, db, log })
  onTestFinished(async () => {
    // What it has under way ends with its connections.
    wire.cut()
    await close()
    await db.close()
  })
  async function look() {
    // Docs/contracts.md 2: by then whoever watches has given up.
    const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(5_000) })
    const text = await answer.text()
    return { status: answer.status, body: JSON.parse(text), text }
  }
  return { wire, look, told: () => heard.filter(({ event }) => event === 'health.failed') }
}

test('health tells what works, no secret, and however often it is asked', async () => {
  const { look, told } = await watched()
  for (let n = 0; n < 5; n++) expect(await look()).toMatchObject({ status: 200, body: { status: 'healthy' } })
  const { body, text } = await look()
  const payments = { yookassa: 'on', cryptopay: 'on', freekassa: 'on', tribute: 'on', stars: 'on', panel: 'on' }
  expect(body).toEqual({
    status: 'healthy',
    services: fine,
    providers: { onec: 'on', bitrix24: 'on', ...payments },
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  })
  for (const secret of [...Object.values(secrets), new URL(url).password].filter(Boolean))
    expect(text).not.toContain(secret)
  expect(told()).toEqual([])
})

test('a frozen database is told in time to whoever asks, and so is its return', async () => {
  const { wire, look, told } = await watched()
  expect(await look()).toMatchObject({ status: 200 })
  wire.freeze()
  const failing = Object.fromEntries(Object.keys(fine).map((name) => [name, 'error']))
  const answers = await Promise.all(Array.from({ length: 30 }, look))
  for (const answer of answers)
    expect(answer).toMatchObject({ status: 503, body: { status: 'unhealthy', services: failing } })
  // All of them heard of one look.
  expect(told()).toHaveLength(1)
  expect(await look()).toMatchObject({ status: 503 })
  wire.thaw()
  await expect.poll(look).toMatchObject({ status: 200, body: { services: fine } })
})

test('a database that is gone is told', async () => {
  const { wire, look } = await watched()
  wire.cut()
  expect(await look()).toMatchObject({ status: 503, body: { status: 'unhealthy', services: { database: 'error' } } })
})

test('work that nobody does is told as late, and nobody is sent away for it', async () => {
  const { look } = await watched()
  onTestFinished(async () => void (await own.sql`truncate inbox, notifications`))
  await own.sql`
    insert into inbox (provider, dedup_key, content_hash, raw, received_at, state, worked_at)
    values ('nobody', 'unmatched', '', '', now() - interval '1 hour', 'unmatched', now()),
      ('nobody', 'done', '', '', now() - interval '1 hour', 'done', null),
      ('nobody', 'new', '', '', now() - interval '4 minutes', 'received', null)`
  expect(await look()).toMatchObject({ status: 200, body: { services: fine } })
  await own.sql`update inbox set received_at = now() - interval '6 minutes' where state = 'received'`
  const late = { ...fine, inbox: 'late', bot: 'late' }
  expect(await look()).toMatchObject({ status: 200, body: { status: 'healthy', services: late } })
})
