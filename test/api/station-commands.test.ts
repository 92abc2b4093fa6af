import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const below = await unit('подгруппа', group)

type Box = Awaited<ReturnType<typeof cabinet>>
const send = (path: string, box: { stationId: number }, more: object = {}, headers: object = {}) =>
  call('POST', `/api/${path}`, { token: admin.token, body: { station_id: box.stationId, ...more }, headers })
const read = (path: string, box: Box) => call('GET', `/api/${path}/${box.stationId}`, { token: admin.token })

const posts: [path: string, kind: string, more: object][] = [
  ['restart-cabinet', 'restart', {}],
  ['query-inventory', 'inventory', {}],
  ['query-voice-volume', 'volume', {}],
  ['set-voice-volume', 'set_volume', { volume: 50 }],
  ['set-server-address', 'set_server_address', { server_address: '192.168.1.100' }],
  ['query-server-address', 'server_address', {}],
  ['query-software-version', 'software_version', {}],
]

test.each(posts)('%s sends one %s and shows the frame that left', async (path, kind, more) => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const { status, body } = await send(path, box, more)
  expect({ status, body }).toMatchObject({
    status: 200,
    body: {
      success: true,
      message: expect.any(String),
      station_box_id: box.boxId,
      packet_hex: expect.stringMatching(/^0007[0-9a-f]+$/),
      command_id: expect.any(Number),
      status: 'answered',
    },
  })
  await expect.poll(() => box.heard.filter((command) => command.kind === kind).length).toBe(1)
})

test.each(posts)('%s is refused for an unknown, a foreign and an offline station', async (path, _, more) => {
  const foreign = await cabinet(stage, { orgUnitId: await unit('чужие') })
  const offline = await cabinet(stage, { orgUnitId: group, isOffline: true })
  expect(await send(path, { stationId: 999_999 }, more)).toMatchObject({ status: 404 })
  expect(await send(path, foreign, more)).toMatchObject({ status: 403 })
  expect(await send(path, offline, more)).toMatchObject({ status: 400, body: { success: false } })
  const nameless = await call('POST', `/api/${path}`, { token: admin.token, body: more })
  expect(nameless).toMatchObject({ status: 400, body: { error: expect.stringContaining('station_id') } })
  expect([...foreign.heard, ...offline.heard]).toEqual([])
})

test.each(posts)('%s to a silent cabinet is 408 and names the command', async (path, kind, more) => {
  const box = await cabinet(stage, { orgUnitId: group, answers: { [kind]: () => null } })
  const silent = await send(path, box, more)
  expect(silent).toMatchObject({
    status: 408,
    body: { success: false, error: expect.any(String), command_id: expect.any(Number), packet_hex: expect.any(String) },
  })
  const [row] = await db.sql<{ status: string }[]>`
    select status from device_commands where id = ${silent.body.command_id}`
  expect(row).toEqual({ status: 'unknown' })
})

test('the same key twice is one command and the same answer; with another body it is refused', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  const headers = { 'Idempotency-Key': 'restart-once' }
  const [one, two] = await Promise.all([
    send('restart-cabinet', box, {}, headers),
    send('restart-cabinet', box, {}, headers),
  ])
  expect(one).toMatchObject({ status: 200 })
  expect(two.body).toEqual(one.body)
  expect(box.heard.filter(({ kind }) => kind === 'restart')).toHaveLength(1)
  const other = await cabinet(stage, { orgUnitId: group })
  expect(await send('restart-cabinet', other, {}, headers)).toMatchObject({ status: 400 })
  expect(await send('query-inventory', box, {}, headers)).toMatchObject({ status: 400 })
  for (const key of ['', 'two words', 'x'.repeat(256)])
    expect(await send('restart-cabinet', box, {}, { 'Idempotency-Key': key })).toMatchObject({ status: 400 })
})

test.each([
  [{ volume: 0 }, 0, { volume: 0, volume_level: 0 }],
  [{ volume: 50 }, 8, { volume: 50, volume_level: 8 }],
  [{ volume: 100 }, 15, { volume: 100, volume_level: 15 }],
  [{ volume_level: 3 }, 3, { volume: 20, volume_level: 3 }],
])('volume %o is level %i of the cabinet’s fifteen', async (given, level, said) => {
  const box = await cabinet(stage, { orgUnitId: group })
  expect((await send('set-voice-volume', box, given)).body).toMatchObject(said)
  expect(box.heard).toContainEqual({ kind: 'set_volume', level })
  const stored = await read('query-voice-volume/station', box)
  expect(stored.body).toMatchObject({
    success: true,
    voice_volume: { volume_level: level },
    data: { volume_level: level },
  })
})

test.each([
  [0, 0],
  [2, 13],
  [15, 100],
  [16, 16],
  [53, 53],
  [100, 100],
  [255, 100],
])('a cabinet that says volume %i speaks at %i percent', async (level, volume) => {
  const box = await cabinet(stage, { orgUnitId: group, answers: { volume: () => ({ kind: 'volume', level }) } })
  const shown = { volume, volume_level: level }
  expect((await send('query-voice-volume', box)).body).toMatchObject({ ...shown, data: shown })
  expect((await read('query-voice-volume/station', box)).body).toMatchObject({ voice_volume: shown, data: shown })
})

test('a cabinet that once said more than fifteen counts in percent from then on, and is set in percent', async () => {
  const box = await cabinet(stage, { orgUnitId: group, volume: 60 })
  const ask = async () => (await send('query-voice-volume', box)).body
  expect(await ask()).toMatchObject({ volume: 60, volume_level: 60 })
  const said = { volume: 10, volume_level: 10 }
  expect((await send('set-voice-volume', box, { volume: 10 })).body).toMatchObject(said)
  expect(box.heard).toContainEqual({ kind: 'set_volume', level: 10 })
  expect((await read('query-voice-volume/station', box)).body.data).toMatchObject(said)
  expect(await ask()).toMatchObject(said)
  expect((await send('set-voice-volume', box, { volume_level: 80 })).body).toMatchObject({
    volume: 80,
    volume_level: 80,
  })
})

test.each([
  {},
  { volume: 101 },
  { volume: -1 },
  { volume: '50' },
  { volume_level: 16 },
  { volume_level: 101 },
  { volume_level: 1.5 },
])('volume %o is refused', async (given) => {
  const box = await cabinet(stage, { orgUnitId: group })
  expect(await send('set-voice-volume', box, given)).toMatchObject({ status: 400, body: { success: false } })
  expect(box.heard).toEqual([])
})

test('the software’s version is asked, and read as it was last said', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  expect(await read('query-software-version/station', box)).toMatchObject({ status: 404 })
  const said = { software_version: '1.0.2', received_at: expect.any(String) }
  expect((await send('query-software-version', box)).body).toMatchObject({ data: said })
  expect((await read('query-software-version/station', box)).body).toMatchObject({ software_version: said, data: said })
})

test('a cabinet that refuses a setting is 400', async () => {
  const box = await cabinet(stage, {
    orgUnitId: group,
    answers: { set_volume: () => ({ kind: 'set_volume', ok: false }) },
  })
  expect(await send('set-voice-volume', box, { volume: 10 })).toMatchObject({
    status: 400,
    body: { success: false, error: 'Станция отклонила команду', status: 'failed' },
  })
})

test('the queried volume is shown, and kept for the reader', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  expect(await read('query-voice-volume/station', box)).toMatchObject({ status: 404 })
  const asked = await send('query-voice-volume', box)
  expect(asked.body).toMatchObject({ volume: 60, volume_level: 9, data: { volume: 60, volume_level: 9 } })
  expect(await read('query-voice-volume/station', box)).toMatchObject({
    status: 200,
    body: {
      success: true,
      station: { station_id: box.stationId, box_id: box.boxId },
      voice_volume: { volume_level: 9, received_at: expect.stringMatching(/\+03:00$/) },
      data: { volume_level: 9 },
    },
  })
})

const longest = `${'a.'.repeat(125)}org`

test.each([
  ['192.168.1.100', {}, { host: '192.168.1.100', port: '9066', heartbeatSeconds: 30 }],
  ['gw-1.example.org', { server_port: 9067 }, { host: 'gw-1.example.org', port: '9067', heartbeatSeconds: 30 }],
  [
    'localhost',
    { server_port: '10001', heartbeat_interval: 255 },
    { host: 'localhost', port: '10001', heartbeatSeconds: 255 },
  ],
  // As long as DNS lets a name be (RFC 1035 2.3.4).
  [longest, {}, { host: longest, port: '9066', heartbeatSeconds: 30 }],
])('server address %s with %o is told whole', async (server_address, more, told) => {
  const box = await cabinet(stage, { orgUnitId: group })
  const sent = await send('set-server-address', box, { server_address, ...more })
  expect(sent).toMatchObject({ status: 200, body: { server_address, server_port: Number(told.port) } })
  expect(box.heard).toContainEqual({ kind: 'set_server_address', ...told })
  // It takes effect at the restart that follows by itself (docs/protocol.md 3, 0x63).
  await box.heardOf('restart')
  const asked = await send('query-server-address', box)
  expect(asked.body.data).toMatchObject({
    server_address,
    server_port: Number(told.port),
    heartbeat_interval: told.heartbeatSeconds,
  })
  expect((await read('query-server-address/station', box)).body).toMatchObject({
    station: { box_id: box.boxId },
    server_address: { server_address },
    data: { server_address },
  })
})

test.each([
  {},
  { server_address: '' },
  { server_address: '256.1.1.1' },
  { server_address: '10.0.0' },
  { server_address: '-bad.example.org' },
  { server_address: 'http://example.org' },
  { server_address: 'a b' },
  { server_address: 'хост.рф' },
  { server_address: `${'a'.repeat(64)}.org` },
  { server_address: 'x.'.repeat(70) },
  { server_address: `a${longest}` },
  { server_address: 'example.org', server_port: 0 },
  { server_address: 'example.org', server_port: 65_536 },
  { server_address: 'example.org', server_port: '90x' },
  { server_address: 'example.org', heartbeat_interval: 0 },
  { server_address: 'example.org', heartbeat_interval: 256 },
])('server address %o is refused: a wrong one loses the cabinet', async (given) => {
  const box = await cabinet(stage, { orgUnitId: group })
  expect(await send('set-server-address', box, given)).toMatchObject({ status: 400, body: { success: false } })
  expect(box.heard).toEqual([])
})

test('the inventory is what the slots hold, asked or read', async () => {
  const box = await cabinet(stage, { orgUnitId: group, slots: 4, banks: [1, 3], levels: { 1: 70 } })
  const asked = await send('query-inventory', box)
  const stored = await read('query-inventory/station', box)
  expect(stored).toMatchObject({
    status: 200,
    body: {
      success: true,
      station: { station_id: box.stationId, slots_declared: 4, occupied_ports: 2 },
      cache_info: { is_online: true, age_seconds: expect.any(Number), last_update: expect.any(String) },
    },
  })
  expect(asked.body.data.inventory).toEqual(stored.body.inventory)
  expect(stored.body.inventory.map((slot: any) => slot.slot_number)).toEqual([1, 3])
  expect(stored.body.inventory[0]).toEqual({
    slot_number: 1,
    terminal_id: box.banks[1]!.bankId,
    serial_number: box.banks[1]!.bankId,
    powerbank_id: box.banks[1]!.id,
    powerbank_status: 'active',
    status: 'active',
    level: 70,
    voltage: 4000,
    current: 0,
    temperature: 25,
    soh: 99,
    error_typec: false,
    error_lightning: false,
    error_microusb: false,
    powerbank_error: false,
    has_errors: false,
    last_update: expect.stringMatching(/\+03:00$/),
  })
})

test('what was never said is 404', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  await db.sql`update stations set inventory_at = null where id = ${box.stationId}`
  for (const path of ['query-inventory', 'query-voice-volume', 'query-server-address'])
    expect(await read(`${path}/station`, box)).toMatchObject({ status: 404, body: { success: false } })
})

test('a subgroup’s own admin asks its cabinets, and restarts none', async () => {
  const box = await cabinet(stage, { orgUnitId: below })
  const above = await cabinet(stage, { orgUnitId: group })
  const { token } = await person('subgroup_admin', below)
  const body = { station_id: box.stationId }
  expect(await call('POST', '/api/query-inventory', { token, body })).toMatchObject({ status: 200 })
  expect(await call('POST', '/api/restart-cabinet', { token, body })).toMatchObject({ status: 403 })
  const upper = { station_id: above.stationId }
  expect(await call('POST', '/api/query-inventory', { token, body: upper })).toMatchObject({ status: 403 })
  const path = `/api/query-inventory/station/${above.stationId}`
  expect(await call('GET', path, { token })).toMatchObject({ status: 403 })
})

test('more commands than a cabinet may have waiting are refused', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  await db.sql`
    insert into device_commands (device_id, kind, deadline, status)
    select ${box.stationId}, 'software_version', now() + interval '1 hour', 'queued' from generate_series(1, 32)`
  expect(await send('restart-cabinet', box)).toMatchObject({ status: 429, body: { success: false } })
})
