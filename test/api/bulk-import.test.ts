import { expect, test } from 'vitest'
import * as workbook from '../../api/workbook.ts'
import { form, xlsx } from './file.ts'
import { startApiServer } from './server.ts'

const { call, request, person, unit, db, lines } = await startApiServer()
const group = await unit('Отдел продаж')
const subgroup = await unit('Касса', group)
const foreign = await unit('=чужие')
const service = await person('service_admin')
const admin = await person('group_admin', group)
const importPath = '/api/users/bulk-import'
const validatePath = `${importPath}/validate`

const head = ['ФИО', 'email', 'phone', 'роль', 'группа']
let numbers = 9_310_000_000
/** A row of somebody new. */
function someone(change: Partial<Record<'fio' | 'email' | 'phone' | 'role' | 'unit', string>> = {}): string[] {
  const phone = String(++numbers)
  const { fio = 'Иванов Иван', email = `i${phone}@example.com`, role = '', unit: place = '' } = change
  return [fio, email, change.phone ?? phone, role, place]
}
const csv = (rows: string[][]) => [head, ...rows].map((row) => row.join(';')).join('\n')
const send = (token: string, rows: string[][], fields: Record<string, string> = {}, path = importPath) =>
  call('POST', path, { token, body: form(csv(rows), 'люди.csv', fields) })
/** What is said of the rows, as `row column kind`. */
const said = (body: any) => body.errors.map(({ row, column, kind }: any) => `${row} ${column} ${kind}`)
const inUnit = String(group)

test('people of a workbook become active users of the unit, without a password, and are written to', async () => {
  const rows = [
    someone({ fio: 'Иванов  Иван Иванович', phone: '8 (931) 000-99-01' }),
    someone({ role: 'subgroup_admin', unit: `Отдел продаж / Касса (№${subgroup})` }),
  ]
  const body = form(await xlsx([head, ...rows]), 'люди.xlsx', { org_unit_id: inUnit })
  const answer = await call('POST', importPath, { token: admin.token, body })
  expect(answer.status).toBe(200)
  expect(answer.body).toMatchObject({
    success: true,
    // There is no mail server here, and the passwords wait for one.
    message: expect.stringMatching(/^Создано пользователей: 2\. .*SMTP_URL/),
    errors: [],
    errors_omitted: 0,
    statistics: { total_parsed: 2, valid_users: 2, existing_users: 0, created_users: 2, errors: 0 },
  })
  const ids: number[] = answer.body.created_users.map((one: any) => one.user_id)
  expect(answer.body.created_users[0]).toEqual({
    row: 2,
    user_id: ids[0],
    fio: 'Иванов Иван Иванович',
    email: rows[0]![1],
    phone_e164: '+79310009901',
  })
  const users = await db.sql`
    select u.status, u.password_hash, r.role, r.org_unit_id from users u join user_roles r on r.user_id = u.id
    where u.id = any(${ids}) order by u.id`
  expect([...users]).toEqual([
    { status: 'active', passwordHash: null, role: 'user', orgUnitId: group },
    { status: 'active', passwordHash: null, role: 'subgroup_admin', orgUnitId: subgroup },
  ])
  const letters = await db.sql`
    select kind, brings_password from notifications where user_id = any(${ids}) order by user_id`
  expect([...letters]).toEqual(Array(2).fill({ kind: 'user.imported', bringsPassword: true }))
  const audited = await db.sql`
    select user_id, action from audit_log where entity_type = 'user' and entity_id = any(${ids})`
  expect([...audited]).toEqual(Array(2).fill({ userId: admin.id, action: 'user.import' }))
  expect(JSON.stringify(answer.body)).not.toMatch(/password|argon2/)
  const login = { phone_e164: '+79310009901', password: 'x' }
  expect(await call('POST', '/api/auth/login', { body: login })).toMatchObject({ status: 401 })
})

test('a file sent twice makes nobody twice, and says who is there', async () => {
  const rows = [someone(), someone()]
  expect((await send(admin.token, rows)).body.statistics.created_users).toBe(2)
  const again = await send(admin.token, rows)
  expect(again.status).toBe(200)
  const statistics = { total_parsed: 2, valid_users: 2, existing_users: 2, created_users: 0, errors: 0 }
  expect(again.body.statistics).toEqual(statistics)
  expect(said(again.body)).toEqual(['2 phone exists', '2 email exists', '3 phone exists', '3 email exists'])
  const alike = await send(admin.token, [someone({ email: rows[0]![1]!.toUpperCase() })])
  expect(said(alike.body)).toEqual(['2 email exists'])
})

test('a file sent five times at once makes everybody once', async () => {
  const rows = Array.from({ length: 40 }, () => someone())
  const answers = await Promise.all(Array.from({ length: 5 }, () => send(admin.token, rows)))
  expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200))
  const made = answers.flatMap(({ body }) => body.created_users.map((one: any) => one.phone_e164))
  expect(new Set(made).size).toBe(40)
  expect(made).toHaveLength(40)
  for (const { body } of answers) expect(body.statistics.created_users + body.statistics.existing_users).toBe(40)
})

test('every wrong cell is named, and the right rows go on', async () => {
  const twin = someone()
  const wrong: [string, string[]][] = [
    ['fio', someone({ fio: '' })],
    ['fio', someone({ fio: 'Иванов' })],
    ['fio', someone({ fio: '=HYPERLINK("x") y' })],
    ['fio', someone({ fio: '+7 900' })],
    ['fio', someone({ fio: '-Иван Иванов' })],
    ['fio', someone({ fio: '@Иван Иванов' })],
    ['fio', someone({ fio: `Иван ${'я'.repeat(200)}` })],
    ['email', someone({ email: 'не почта' })],
    ['email', someone({ email: '' })],
    ['email', someone({ email: '-x@example.com' })],
    ['phone', someone({ phone: '12' })],
    ['phone', someone({ phone: '7.9E+10' })],
    ['role', someone({ role: 'service_admin' })],
    ['role', someone({ role: 'директор' })],
    ['org_unit', someone({ unit: String(foreign) })],
    ['org_unit', someone({ unit: 'нет такой' })],
  ]
  const rows = [twin, ...wrong.map(([, row]) => row), someone({ phone: twin[2]! }), someone()]
  const { status, body } = await send(admin.token, rows)
  expect(status).toBe(200)
  expect(said(body)).toEqual([
    ...wrong.map(([column], n) => `${n + 3} ${column} invalid`),
    `${wrong.length + 3} phone duplicate`,
  ])
  expect(body.errors[0]).toEqual({ row: 3, column: 'fio', cell: 'A3', kind: 'invalid', error: 'не заполнено' })
  expect(body.errors.at(-1).error).toBe('уже есть в строке 2')
  expect(body.statistics).toMatchObject({ created_users: 2, errors: wrong.length + 1 })
})

test('a check finds the same and makes nobody', async () => {
  const there = someone()
  await send(admin.token, [there])
  const rows = [there, someone({ fio: 'Один' }), ...Array.from({ length: 12 }, () => someone())]
  const { status, body } = await send(admin.token, rows, {}, validatePath)
  expect(status).toBe(200)
  expect(body.statistics).toEqual({ total_rows: 14, valid_users: 13, new_users: 12, existing_users: 1, errors: 1 })
  expect(said(body)).toEqual(['2 phone exists', '2 email exists', '3 fio invalid'])
  expect(body.preview_users).toHaveLength(10)
  expect(body.preview_users[1]).toEqual({
    row: 4,
    fio: 'Иванов Иван',
    email: rows[2]![1],
    phone_e164: `+7${rows[2]![2]}`,
    role: 'user',
    org_unit_id: group,
  })
  const [count] = await db.sql`select count(*) as n from users where email = ${rows[2]![1]!}`
  expect(count!.n).toBe(0)
})

test('an admin of a group fills the own units only; a service_admin any, or none', async () => {
  expect(await send(admin.token, [someone()], { org_unit_id: String(foreign) })).toMatchObject({ status: 403 })
  expect(await send(admin.token, [someone()], { org_unit_id: '999999' })).toMatchObject({ status: 400 })
  expect(await send(admin.token, [someone()], { org_unit_id: 'x' })).toMatchObject({ status: 400 })
  const own = await send(admin.token, [someone()], { org_unit_id: String(subgroup) })
  const [role] = await db.sql`select org_unit_id from user_roles where user_id = ${own.body.created_users[0].user_id}`
  expect(role).toEqual({ orgUnitId: subgroup })
  const none = await send(service.token, [someone(), someone({ role: 'group_admin' })])
  expect(none.body.statistics.created_users).toBe(1)
  expect(said(none.body)).toEqual(['3 org_unit invalid'])
  for (const role of ['user', 'subgroup_admin'])
    expect(await send((await person(role, group)).token, [someone()])).toMatchObject({ status: 403 })
})

test.each([
  ['no file', new FormData(), /file/],
  ['a text instead of a file', form('x', 'x.csv', { file: 'x' }), /file/],
  ['an old workbook', form(new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1]), 'x.xls'), /\.xls/],
  ['a picture', form(new Uint8Array([0x89, 0x50, 0, 1]), 'x.xlsx'), /\.xlsx или \.csv/],
  ['nothing', form('', 'x.csv'), /пуст/],
  ['another table', form('a;b\n1;2', 'x.csv'), /ФИО, email, phone/],
  ['a column twice', form('ФИО;email;phone;телефон\n', 'x.csv'), /дважды/],
  ['too many rows', form(csv(Array.from({ length: 10_001 }, () => someone())), 'x.csv'), /10000/],
])('refused in words: %s', async (_, body, words) => {
  for (const path of [importPath, validatePath]) {
    const refused = await call('POST', path, { token: admin.token, body })
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ success: false, error: expect.stringMatching(words) })
  }
})

test('what is not a form, or a broken one, is refused', async () => {
  const broken = { 'content-type': 'multipart/form-data; boundary=x' }
  for (const headers of [{}, broken, { 'content-type': 'multipart/form-data' }]) {
    const refused = await call('POST', importPath, { token: admin.token, body: '--y\r\n\r\n', headers })
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ success: false, error: expect.any(String) })
  }
})

test('a file beyond 10 MB is refused, and one beyond 1 MB only to who may send none', async () => {
  const tokens = { admin: admin.token, user: (await person('user', group)).token }
  const large = form(new Uint8Array(10_485_761).fill(0x20))
  const medium = form(`${csv([someone()])}${' '.repeat(2_000_000)}`, 'x.csv')
  expect(await call('POST', importPath, { token: tokens.admin, body: large })).toMatchObject({ status: 413 })
  expect(await call('POST', importPath, { token: tokens.admin, body: medium })).toMatchObject({ status: 200 })
  expect(await call('POST', importPath, { token: tokens.user, body: medium })).toMatchObject({ status: 403 })
  expect(await call('POST', importPath, { body: large })).toMatchObject({ status: 401 })
})

test('an import may go on behind the answer, and tells how far it is', async () => {
  const rows = Array.from({ length: 600 }, () => someone())
  const body = form(csv([...rows, someone({ fio: 'Один' })]), 'люди.csv')
  const started = await call('POST', importPath, { token: admin.token, body, headers: { prefer: 'respond-async' } })
  expect(started.status).toBe(202)
  const path = `${importPath}/jobs/${started.body.import_id}`
  expect(started.headers.get('location')).toBe(path)
  const look = async () => (await call('GET', path, { token: admin.token })).body
  await expect.poll(async () => (await look()).data.status, { timeout: 15_000 }).toBe('done')
  const ended = await look()
  expect(ended.data).toMatchObject({
    import_id: started.body.import_id,
    file_name: 'люди.csv',
    progress_percent: 100,
    processed_rows: 600,
    statistics: { total_parsed: 601, valid_users: 600, existing_users: 0, created_users: 600, errors: 1 },
  })
  expect(said(ended)).toEqual(['602 fio invalid'])
  const other = await person('group_admin', group)
  expect(await call('GET', path, { token: other.token })).toMatchObject({ status: 403 })
  expect(await call('GET', path, { token: service.token })).toMatchObject({ status: 200 })
  expect((await call('GET', `${importPath}/jobs`, { token: other.token })).body.data).toEqual([])
  const mine = await call('GET', `${importPath}/jobs?limit=1`, { token: admin.token })
  expect(mine.body.data[0]).toEqual(ended.data)
})

test('an import whose process died is shown as interrupted', async () => {
  const [row] = await db.sql<{ id: number }[]>`
    insert into user_imports (requested_by, file_name, total_rows, valid_rows, seen_at)
    values (${admin.id}, 'x.csv', 5, 5, now() - interval '5 minutes') returning id`
  const { body } = await call('GET', `${importPath}/jobs/${row!.id}`, { token: admin.token })
  expect(body.data).toMatchObject({ status: 'failed', failure: 'interrupted', progress_percent: 0 })
})

test('the template has the columns, the roles and the units one may choose, and comes back as an import', async () => {
  await unit('=cmd()', group)
  const ask = (token: string) => request(`${importPath}/template`, { headers: { authorization: `Bearer ${token}` } })
  const answer = await ask(admin.token)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="users_import_template.xlsx"')
  const bytes = new Uint8Array(await answer.arrayBuffer())
  expect(await workbook.read(bytes, 'Пользователи', 10)).toEqual([{ row: 1, cells: head }])
  const lists = (await workbook.read(bytes, 'Списки', 10)).map(({ cells }) => cells[0])
  expect(lists).toEqual([
    'группа',
    `Отдел продаж (№${group})`,
    expect.stringMatching(/^Отдел продаж \/ =cmd\(\)/),
    expect.stringMatching(/Касса/),
  ])
  const all = await ask(service.token).then(async (one) => new Uint8Array(await one.arrayBuffer()))
  expect((await workbook.read(all, 'Списки', 10)).map(({ cells }) => cells[0])).toContain(`'=чужие (№${foreign})`)
  const filled = await send(service.token, [someone({ unit: `'=чужие (№${foreign})` })])
  expect(filled.body.statistics.created_users).toBe(1)
})

test('10,000 rows are taken in within 30 seconds, telling how far it is', async () => {
  const rows = Array.from({ length: 10_000 }, () => someone())
  const body = form(await xlsx([head, ...rows]))
  const began = performance.now()
  const answer = await call('POST', importPath, { token: admin.token, body })
  const seconds = (performance.now() - began) / 1_000
  expect(answer.body.statistics).toMatchObject({ total_parsed: 10_000, created_users: 10_000 })
  const told = lines.filter(
    ({ event, about }) => event === 'import.progressed' && about.importId === answer.body.import_id,
  )
  expect(told.map(({ about }) => about.processed)).toEqual(Array.from({ length: 10 }, (_, n) => (n + 1) * 1_000))
  expect(seconds).toBeLessThan(30)
}, 60_000)

test('no phone, name or password was logged', () => {
  expect(JSON.stringify(lines)).not.toMatch(/Иванов|@example|931\d{7}/)
  const events = new Set(lines.map(({ event }) => event))
  expect([...events].sort()).toEqual(['import.progressed', 'import.refused', 'request.answered'])
})
