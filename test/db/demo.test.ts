import { expect, test } from 'vitest'
import { DEMO_PASSWORD, demo } from '../../db/demo.ts'
import * as identity from '../../db/identity/identity.ts'
import { verify } from '../../db/identity/password.ts'
import { testDb } from '../postgres.ts'

const { db } = await testDb()
const keysSecret = 'a secret of the tests, long enough for keys'

test('the demo is made once, and what a later version has more is added to an old one', async () => {
  const [one, two] = await Promise.all([demo(db, keysSecret), demo(db, keysSecret)])
  expect(two).toEqual(one)
  await db.sql`update users set deleted_at = now() where phone = '+79000000021'`
  expect((await demo(db, keysSecret)).accounts).toEqual(one.accounts)
  const [count] = await db.sql`select count(*) as n from users where deleted_at is null`
  expect(count!.n).toBe(one.accounts.length)
})

test('everybody of the demo can log in, and the patient has an account that the cashier is told of', async () => {
  const { accounts } = await demo(db, keysSecret)
  for (const { email, fullName } of accounts) {
    const found = await identity.credentials(db.sql, { email })
    expect(found).toMatchObject({ fullName, status: 'active' })
    expect(await verify(DEMO_PASSWORD, found!.passwordHash)).toBe(true)
  }
  const patient = accounts.find(({ role }) => role === 'patient')!
  const [account] = await db.sql`
    select a.id from loyalty_accounts a join users u on u.id = a.user_id where u.phone = ${patient.phone}`
  expect(account).toEqual({ id: patient.loyaltyAccountId })
})

test('the demo has cabinets of every dialect, each with banks it can hold, and an old demo gets those it lacks', async () => {
  const { stations } = await demo(db, keysSecret)
  const dialects = stations.map(({ dialect }) => dialect)
  expect(stations).toHaveLength(15)
  expect(new Set(dialects)).toEqual(new Set(['A', 'B', 'mqtt']))
  expect(dialects.filter((dialect) => dialect === 'mqtt')).toHaveLength(3)
  for (const { dialect, banks } of stations) {
    expect(banks).toHaveLength(5)
    for (const bank of banks) expect(bank).toMatch(dialect === 'mqtt' ? /^[0-9A-F]{8}$/ : /^[0-9A-F]{16}$/)
  }
  const { id, boxId, banks } = stations.at(-1)!
  await db.sql`delete from powerbanks where device_id = any(${banks.slice(1)})`
  await db.sql`delete from stations where id = ${id}`
  const again = (await demo(db, keysSecret)).stations
  expect(again.map((one) => one.boxId)).toEqual(stations.map((one) => one.boxId))
  expect(again.at(-1)).toMatchObject({ boxId, dialect: 'mqtt' })
})

test('a label of an MQTT bank is its serial number in decimal', async () => {
  const { stations } = await demo(db, keysSecret)
  const [deviceId] = stations.at(-1)!.banks
  const [row] = await db.sql`select serial_number from powerbanks where device_id = ${deviceId!}`
  expect(row).toEqual({ serialNumber: String(Number.parseInt(deviceId!, 16)) })
})

test('the demo has people of every surface that sells, and customers of 2GETPRO with something to buy', async () => {
  const { accounts, subscribers } = await demo(db, keysSecret)
  const rolesOf = (one: string) => accounts.filter(({ surface }) => surface === one).map(({ role }) => role)
  expect(rolesOf('paygo')).toEqual(['admin', 'user'])
  expect(new Set(rolesOf('getpro'))).toEqual(new Set(['admin', 'user']))
  expect(subscribers.map(({ provider }) => provider)).toEqual(['yookassa', 'cryptopay', 'stars'])
  for (const { email, telegramId } of subscribers) {
    const [row] = await db.sql`
      select u.email from getpro_accounts a join users u on u.id = a.user_id where a.telegram_id = ${telegramId}`
    expect(row).toEqual({ email })
  }
  const plans = await db.sql`select name, price_stars > 0 as sells_for_stars from plans order by id`
  expect(plans).toMatchObject([{ name: 'Месяц' }, { name: 'Квартал' }])
  expect(plans.every(({ sellsForStars }) => sellsForStars)).toBe(true)
})

test('one terminal of the demo stands beside a cabinet, once, and stays away when people take it away', async () => {
  const { terminals } = await demo(db, keysSecret)
  expect(terminals.map(({ depositMinor }) => depositMinor)).toEqual([undefined, undefined, 200_000])
  const kiosks = () => db.sql`
    select t.terminal_code, s.box_id from kiosks k join terminals t on t.id = k.terminal_id join stations s on s.id = k.station_id`
  expect(await kiosks()).toEqual([{ terminalCode: 'DEMOT003', boxId: 'DEMO000000000001' }])
  await db.sql`delete from kiosks`
  await demo(db, keysSecret)
  expect(await kiosks()).toEqual([])
})
