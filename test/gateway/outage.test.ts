import { expect, inject, onTestFinished, test } from 'vitest'
import * as commands from '../../db/devices/commands.ts'
import { connect } from '../../db/postgres/connect.ts'
import { testDb } from '../postgres.ts'
import { bank, device, gatewayOn, hello, socketTo, station } from './stage.ts'

const { db, url } = await testDb()

/** Takes this file's database away from everybody, and gives it back. */
async function outage() {
  const admin = connect(inject('server'), { max: 1 })
  const name = new URL(url).pathname.slice(1)
  const may = (allowed: boolean) =>
    admin.sql`alter database ${admin.sql(name)} with allow_connections ${admin.sql.unsafe(String(allowed))}`
  const mend = () => may(true)
  onTestFinished(async () => {
    await mend()
    await admin.close()
  })
  await may(false)
  await admin.sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
  return mend
}

async function inside(gateway: Awaited<ReturnType<typeof gatewayOn>>) {
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  return { ...cabinet, id, boxId }
}

const ask = (stationId: number) =>
  db.transaction((tx) =>
    commands.enqueue(tx, { deviceId: stationId, kind: 'volume', requestedBy: null, origin: 'api' }),
  )

test('while the database is away heartbeats are answered and nothing is acknowledged; afterwards all goes on', async () => {
  // Doubtful at every frame, so that the look-up of keys is tried in the outage as well.
  const gateway = await gatewayOn(db, { identifyAgainMs: -1 })
  const patient = await inside(gateway)
  const busy = await inside(gateway)
  const mend = await outage()
  for (let n = 0; n < 3; n++) {
    patient.say({ kind: 'heartbeat' })
    expect(await patient.hear()).toMatchObject({ report: 'heartbeat' })
  }
  await expect.poll(() => gateway.node.isDatabaseThere).toBe(false)

  patient.say({ kind: 'heartbeat' })
  expect(await patient.hear()).toMatchObject({ report: 'heartbeat' })
  busy.say({ kind: 'returned', bank: bank(1, '4443484154000D01') })
  expect(await busy.frame()).toBeNull()
  const unauthorised = device(socketTo(gateway), 'KEYB')
  unauthorised.say(hello(busy.boxId))
  expect(await unauthorised.frame()).toBeNull()
  const health = await fetch(`http://127.0.0.1:${gateway.ports.metrics}/health`)
  expect(await health.json()).toMatchObject({ status: 'ok', database: false, cabinets: 1 })

  await mend()
  await expect.poll(() => gateway.node.isDatabaseThere, { timeout: 10_000 }).toBe(true)
  const again = device(socketTo(gateway), 'KEYB')
  again.say(hello(busy.boxId))
  expect(await again.hear()).toMatchObject({ report: 'login', result: 1 })
  again.say({ kind: 'returned', bank: bank(1, '4443484154000D01') })
  expect(await again.hear()).toMatchObject({ report: 'returned', result: 1 })
  await ask(patient.id)
  expect(await patient.hear()).toEqual({ kind: 'volume' })
  const told = gateway.lines.map(({ event }) => event).filter((event) => event.startsWith('database.'))
  expect(told).toEqual(['database.away', 'database.back'])
})
