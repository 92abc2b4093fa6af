import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

const read = (path: string, box: { stationId: number }) =>
  call('GET', `/api/${path}/${box.stationId}`, { token: admin.token })

test('a connected cabinet is asked for its SIM and says it; one that is away is known by what it said last', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  for (let times = 1; times <= 2; times++) {
    const { status, body } = await read('iccid/stations', box)
    const received_at = expect.stringMatching(/\+03:00$/)
    const data = { station_id: box.stationId, box_id: box.boxId, iccid: '89701012345678901234', received_at }
    expect({ status, body }).toEqual({ status: 200, body: { success: true, ...data, data } })
    expect(box.heard.filter(({ kind }) => kind === 'iccid')).toHaveLength(times)
  }
  await db.sql`
    update device_sessions set node = null, disconnected_at = now() - interval '1 hour' where device_id = ${box.stationId}`
  expect(await read('iccid/stations', box)).toMatchObject({
    status: 200,
    body: { iccid: '89701012345678901234', received_at: expect.any(String) },
  })
  expect(box.heard.filter(({ kind }) => kind === 'iccid')).toHaveLength(2)
  const offline = await cabinet(stage, { orgUnitId: group, isOffline: true })
  expect(await read('iccid/stations', offline)).toMatchObject({ status: 400, body: { success: false } })
  await db.sql`update stations set iccid = '89701' where id = ${offline.stationId}`
  expect(await read('iccid/stations', offline)).toMatchObject({
    status: 200,
    body: { iccid: '89701', received_at: null },
  })
})

test('a SIM that was changed is said and told; one that cannot be read, or no answer, is said as that', async () => {
  let iccid: string | null = '8970101'
  const box = await cabinet(stage, {
    orgUnitId: group,
    answers: { iccid: () => (iccid === null ? null : { kind: 'iccid', iccid }) },
  })
  const changes = () =>
    db.sql`select data from events where station_id = ${box.stationId} and kind = 'station.sim_changed'`
  expect((await read('iccid/stations', box)).body.iccid).toBe('8970101')
  expect(await changes()).toEqual([])
  iccid = '8970102'
  expect((await read('iccid/stations', box)).body.iccid).toBe('8970102')
  expect(await changes()).toEqual([{ data: { from: '8970101', to: '8970102', by: 'answer' } }])
  iccid = ''
  expect(await read('iccid/stations', box)).toMatchObject({
    status: 400,
    body: { error: expect.stringMatching(/SIM/) },
  })
  iccid = null
  expect(await read('iccid/stations', box)).toMatchObject({ status: 408 })
  const [station] = await db.sql`select iccid from stations where id = ${box.stationId}`
  expect(station).toEqual({ iccid: '8970102' })
})

test('an MQTT cabinet, whom nobody can ask, is known by what it named', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  await db.sql`update device_sessions set dialect = 'mqtt' where device_id = ${box.stationId}`
  await db.sql`update stations set iccid = '8970103' where id = ${box.stationId}`
  expect(await read('iccid/stations', box)).toMatchObject({ status: 200, body: { iccid: '8970103' } })
  expect(box.heard).toEqual([])
})
