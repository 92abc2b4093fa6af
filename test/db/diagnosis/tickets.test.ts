import { expect, test } from 'vitest'
import { silentStations } from '../../../api/tasks/silent-stations.ts'
import { openForSilent, resolveRecovered } from '../../../db/diagnosis/tickets.ts'
import { testDb } from '../../postgres.ts'
import { cabinet, unit } from '../world.ts'

const { db } = await testDb()

/** A station that was last heard so many minutes ago; 0: it is on line. */
async function heard(minutes: number) {
  const station = await cabinet(db, { unitId: await unit(db) })
  await db.sql`
    update device_sessions set seen_at = now() - make_interval(mins => ${minutes}), node = ${minutes === 0 ? 'node-1' : null}
    where device_id = ${station}`
  return station
}
const ticketsOf = (station: number) => db.sql<{ status: string; evidence: { code: string }[]; resolution: string }[]>`
  select status, category, subject, evidence, resolution, created_by from tickets where station_id = ${station} order by id`

test('a station that is silent for longer than is allowed opens one ticket, and one that is back resolves it', async () => {
  await heard(0)
  const [gone, lately] = [await heard(90), await heard(30)]
  const both = await Promise.all([openForSilent(db, 60), openForSilent(db, 60)])
  expect(both[0]! + both[1]!).toBe(1)
  expect(await openForSilent(db, 60)).toBe(0)
  expect(await ticketsOf(gone)).toMatchObject([
    { status: 'new', category: 'technical', createdBy: null, evidence: [{ code: 'silent' }] },
  ])
  expect(await ticketsOf(lately)).toEqual([])
  expect(await resolveRecovered(db)).toBe(0)
  await db.sql`update device_sessions set seen_at = now(), node = 'node-1' where device_id = ${gone}`
  expect(await resolveRecovered(db)).toBe(1)
  expect(await ticketsOf(gone)).toMatchObject([{ status: 'resolved', resolution: 'Станция снова на связи' }])
  await db.sql`update device_sessions set seen_at = now() - interval '2 hours', node = null where device_id = ${gone}`
  expect(await openForSilent(db, 60)).toBe(1)
  expect(await ticketsOf(gone)).toHaveLength(2)
})

test('when it is we who hear nobody, no ticket is opened', async () => {
  await db.sql`update device_sessions set seen_at = now() - interval '3 hours', node = null`
  await Promise.all([heard(180), heard(180)])
  expect(await openForSilent(db, 60)).toBe(0)
})

test('switched off, nothing opens', async () => {
  await heard(0)
  const gone = await heard(90)
  const lines: string[] = []
  await silentStations({ db, log: (event) => lines.push(event), minutes: 0 })(new AbortController().signal)
  expect(await ticketsOf(gone)).toEqual([])
  await silentStations({ db, log: (event) => lines.push(event), minutes: 60 })(new AbortController().signal)
  expect(await ticketsOf(gone)).toHaveLength(1)
  expect(lines).toEqual(['stations.ticketed'])
})
