import { expect, test } from 'vitest'
import * as keys from '../../../db/devices/keys.ts'
import { run } from '../../../db/paygo/terminal-cli.ts'
import { identify, identifyByKey } from '../../../db/paygo/terminals.ts'
import { testDb } from '../../postgres.ts'

const { db } = await testDb()
const keysSecret = 'a secret that is only used in these tests'

const at = (command: string, values: Record<string, unknown> = {}, ...names: string[]) =>
  run(command, { db, keysSecret, names, values }) as Promise<Record<string, any>>
const fine = {
  name: 'Касса 1',
  location: 'ТЦ «Европа»',
  address: 'Москва, ул. Примерная, 1',
  methods: 'nfc,card_insert',
}
const failing = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable(),
    (error) => error,
  )

test('a terminal is registered, and its key is told once and kept closed', async () => {
  const made = await at('create', { ...fine, serial: 'T0000001' })
  expect(made).toEqual({
    id: expect.stringMatching(/^terminal\d+$/),
    serial_number: 'T0000001',
    terminal_code: 'T0000001',
    key: expect.stringMatching(/^[0-9a-f]{64}$/),
    mqtt: {
      username: 'T0000001',
      password: made.key,
      topics: { up: 'terminals/T0000001/up', down: 'terminals/T0000001/down' },
    },
  })
  expect(await identify(db.sql, 'T0000001', keysSecret)).toMatchObject({
    serial: 'T0000001',
    keys: [made.key.toUpperCase()],
  })
  const dump = JSON.stringify([await db.sql`select * from device_keys`, await db.sql`select * from audit_log`])
  expect(dump.toUpperCase()).not.toContain(made.key.toUpperCase())
  const listed = await at('list')
  expect(listed).toMatchObject({
    total: 1,
    terminals: [{ serial_number: 'T0000001', status: 'offline', is_active: true }],
  })
  expect(JSON.stringify(listed)).not.toContain(made.key)
})

test('a serial of another form has a code that is given or made', async () => {
  expect(await at('create', { ...fine, serial: 'PAX-A920/77', code: 'PAX00077' })).toMatchObject({
    terminal_code: 'PAX00077',
  })
  const { terminal_code: code } = await at('create', { ...fine, serial: 'PAX-A920/78' })
  expect(code).toMatch(/^[A-Z0-9]{8}$/)
})

test('a second key is good beside the first for a day, a third ends the first', async () => {
  const key = 'AB'.repeat(32)
  const given = await at('create', { ...fine, serial: 'T0000002', key })
  expect(given.key).toBe(key)
  const { key: second } = await at('key', {}, 'T0000002')
  const keysNow = async () => (await identify(db.sql, 'T0000002', keysSecret))!.keys
  expect(await keysNow()).toEqual([second.toUpperCase(), key])
  const [first] =
    await db.sql`select valid_until - now() as left from device_keys where device_id = ${Number(given.id.slice(8))} order by id`
  expect(String(first!.left)).toMatch(/^(?:1 day|23:59|24:00)/)
  const { key: third } = await at('key', { key: 'cd'.repeat(32) }, 'T0000002')
  expect(await keysNow()).toEqual([third.toUpperCase(), second.toUpperCase()])
})

test('two second keys at once leave two that are good', async () => {
  const { id } = await at('create', { ...fine, serial: 'T0000003' })
  await Promise.all([at('key', {}, 'T0000003'), at('key', {}, 'T0000003')])
  expect(await keys.valid(db.sql, Number(id.slice(8)), keysSecret)).toHaveLength(2)
})

test('only a key of its own is a password, in either spelling', async () => {
  const [mine, other] = [
    await at('create', { ...fine, serial: 'T0000004' }),
    await at('create', { ...fine, serial: 'T0000005' }),
  ]
  const shows = async (username: string, password: string) =>
    (await identifyByKey(db.sql, { username, password: Buffer.from(password) }, keysSecret))?.serial
  expect(await shows('T0000004', mine.key)).toBe('T0000004')
  expect(await shows('T0000004', mine.key.toUpperCase())).toBe('T0000004')
  expect(await shows('T0000004', other.key)).toBeUndefined()
  expect(await shows('T0000004', '')).toBeUndefined()
  expect(await shows('NOBODY00', mine.key)).toBeUndefined()
  expect(await shows('\0', '')).toBeUndefined()
})

test('what is taken is refused, both at once make one', async () => {
  const twice = await Promise.allSettled([
    at('create', { ...fine, serial: 'T0000006' }),
    at('create', { ...fine, serial: 'T0000006' }),
  ])
  expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(await failing(at('create', { ...fine, serial: 'T0000006' }))).toMatchObject({
    code: 'duplicate',
    message: 'serial_number is taken',
  })
  expect(await failing(at('create', { ...fine, serial: 'T-6', code: 'T0000006' }))).toMatchObject({
    code: 'duplicate',
    message: 'terminal_code is taken',
  })
})

test('a terminal that is disabled stays so when it is said again', async () => {
  await at('create', { ...fine, serial: 'T0000007' })
  expect(await at('disable', {}, 'T0000007')).toMatchObject({ is_active: false })
  expect(await at('disable', {}, 'T0000007')).toMatchObject({ is_active: false })
  expect(await identify(db.sql, 'T0000007', keysSecret)).toMatchObject({ isActive: false })
  expect(await db.sql`select 1 from events where kind = 'terminal.disabled'`).toHaveLength(1)
})

test('every mistake is told, and no key is quoted', async () => {
  const mistakes = async (...asked: Parameters<typeof at>) => (await failing(at(...asked))).mistakes
  expect(await mistakes('create', { serial: 'Т1', key: 'secret', methods: 'cash', name: '‮', code: 'short' })).toEqual([
    '--serial must have 1 to 50 letters, digits or signs',
    '--code must be eight of A-Z and 0-9',
    '--key must be 64 hex digits',
    '--name must have 1 to 255 visible characters',
    '--location is required',
    '--address is required',
    '--methods must be of nfc,qr_code,biometric,card_insert',
  ])
  expect(await mistakes('key', {})).toEqual(['one serial is required'])
  expect(await mistakes('list', { page: '0' })).toEqual(['--page must be a number from 1 on'])
  expect(await failing(at('key', {}, 'NOBODY'))).toMatchObject({ code: 'not_found' })
  expect(await failing(at('disable', {}, 'NOBODY'))).toMatchObject({ code: 'not_found' })
})

test('a list comes page by page', async () => {
  const { total } = await at('list', { limit: '1' })
  const pages = await Promise.all(
    Array.from({ length: total }, (_, n) => at('list', { limit: '1', page: String(n + 1) })),
  )
  expect(new Set(pages.map(({ terminals }) => terminals[0].id)).size).toBe(total)
})
