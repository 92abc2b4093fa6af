import { expect, test } from 'vitest'
import { revoke } from '../../../db/devices/mqtt-credentials.ts'
import { act } from '../../db/world.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, credentialOf, mqttStation } from '../mqtt/mqtt-stage.ts'
import { gatewayOn } from '../stage.ts'
import { accessTo, outage, until } from './mqtt-brokers.ts'

const { db, url } = await testDb()

const broker = { username: 'gateway', password: 'the gateway itself' }
// The address of nobody: who may come in is asked whether the broker is reached or not.
const nowhere = accessTo('mqtt://127.0.0.1:1', broker)
const behind = () => gatewayOn(db, {}, { broker: nowhere })
type Running = Awaited<ReturnType<typeof behind>>

const context = (gateway: Running, path: string, body: string, type: string) =>
  fetch(`http://127.0.0.1:${gateway.ports.metrics}${path}`, { method: 'POST', body, headers: { 'content-type': type } })
const form = (gateway: Running, path: string, question: Record<string, string>) =>
  context(gateway, path, new URLSearchParams(question).toString(), 'application/x-www-form-urlencoded')

/** What a broker is told, asked both ways: they must not differ. */
async function asked(gateway: Running, path: string, question: Record<string, string>): Promise<boolean> {
  const answers = [
    await context(gateway, path, JSON.stringify(question), 'application/json'),
    await form(gateway, path, question),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  const [json, other] = (await Promise.all(answers.map((response) => response.json()))) as any[]
  expect(other).toEqual(json)
  expect(json).toMatchObject({ result: json.Ok ? 'allow' : 'deny', Error: '' })
  const byStatus = await form(gateway, `${path}?answer=status`, question)
  expect(byStatus.status).toBe(json.Ok ? 200 : 403)
  return json.Ok
}

const enter = (gateway: Running, question: Record<string, string>) => asked(gateway, '/mqtt/auth', question)
const use = (gateway: Running, question: Record<string, string>) => asked(gateway, '/mqtt/acl', question)

test('a cabinet comes in with the credential it was given, under its own name, and nobody else', async () => {
  const gateway = await behind()
  const { imei } = await mqttStation(db)
  const { username, password, clientId } = await credentialOf(db, imei)
  const other = await credentialOf(db, (await mqttStation(db)).imei)
  expect(await enter(gateway, { username, password, clientid: clientId })).toBe(true)
  expect(await enter(gateway, { username, password })).toBe(true)
  expect(await enter(gateway, { username, password: other.password, clientid: clientId })).toBe(false)
  expect(await enter(gateway, { username: other.username, password, clientid: clientId })).toBe(false)
  expect(await enter(gateway, { username, password, clientid: other.clientId })).toBe(false)
  expect(await enter(gateway, { username, password: '' })).toBe(false)
  expect(await enter(gateway, {})).toBe(false)
  expect(await enter(gateway, { username: 'x'.repeat(5_000), password })).toBe(false)
})

test('a newer credential ends the one before when it is first used, a revoked one ends at once', async () => {
  const gateway = await behind()
  const { imei } = await mqttStation(db)
  const old = await credentialOf(db, imei)
  expect(await enter(gateway, { ...old })).toBe(true)
  const young = await credentialOf(db, imei)
  expect(await enter(gateway, { ...old })).toBe(true)
  expect(await enter(gateway, { ...young })).toBe(true)
  expect(await enter(gateway, { ...old })).toBe(false)
  const topic = `/powerbank/${imei}/user/update`
  expect(await use(gateway, { username: young.username, topic, action: 'publish' })).toBe(true)
  await act(db, (tx) => revoke(tx, { kind: 'cabinet', serial: imei }))
  expect(await enter(gateway, { ...young })).toBe(false)
  expect(await use(gateway, { username: young.username, topic, action: 'publish' })).toBe(false)
})

test('a cabinet speaks and listens on its own topics only', async () => {
  const gateway = await behind()
  const [one, other] = [await mqttStation(db), await mqttStation(db)]
  const { username } = await credentialOf(db, one.imei)
  const may = (wish: string, topic: string) => use(gateway, { username, topic, action: wish })
  const own = (channel: string) => `/powerbank/${one.imei}/user/${channel}`
  const table = await Promise.all(
    ['get', 'update', 'heart'].map(async (channel) => [
      channel,
      await may('publish', own(channel)),
      await may('subscribe', own(channel)),
    ]),
  )
  expect(table).toEqual([
    ['get', false, true],
    ['update', true, false],
    ['heart', true, true],
  ])
  for (const topic of [
    '#',
    '/powerbank/+/user/get',
    '/powerbank/#',
    `/powerbank/${other.imei}/user/heart`,
    '',
    '$SYS/#',
  ]) {
    expect(await may('subscribe', topic)).toBe(false)
    expect(await may('publish', topic)).toBe(false)
  }
  expect(await may('everything', own('heart'))).toBe(false)
  // mosquitto-go-auth's numbers: 1 read, 2 write, 3 both, 4 subscribe.
  const acc = (number: string, channel: string) => use(gateway, { username, topic: own(channel), acc: number })
  expect([await acc('1', 'get'), await acc('4', 'get'), await acc('2', 'get'), await acc('3', 'get')]).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect([await acc('2', 'update'), await acc('3', 'heart'), await acc('9', 'heart')]).toEqual([true, true, false])
})

test('a cabinet that subscribes to its commands has logged in; said by twenty at once it is asked what it holds once', async () => {
  const gateway = await behind()
  const { id, imei } = await mqttStation(db)
  const { username } = await credentialOf(db, imei)
  const question = { username, topic: `/powerbank/${imei}/user/get`, action: 'subscribe' }
  await Promise.all(Array.from({ length: 20 }, () => form(gateway, '/mqtt/acl', question)))
  const [session] = await db.sql`select node, dialect, epoch from device_sessions where device_id = ${id}`
  expect(session).toEqual({ node: gateway.cluster!.name, dialect: 'mqtt', epoch: 20 })
  const waiting = await db.sql`select kind from device_commands where device_id = ${id} and status = 'queued'`
  expect(waiting).toEqual([{ kind: 'inventory' }])
})

test('our own nodes come in with what they are told to show, and may do all', async () => {
  const gateway = await behind()
  expect(await enter(gateway, broker)).toBe(true)
  expect(await enter(gateway, { ...broker, password: 'guessed' })).toBe(false)
  const [answer] = [await (await form(gateway, '/mqtt/auth', broker)).json()] as any[]
  expect(answer.is_superuser).toBe(true)
  expect(await use(gateway, { username: 'gateway', topic: '/powerbank/+/user/update', action: 'subscribe' })).toBe(true)
})

test('a gateway that shows a name and no password to its broker lets nobody in by that name alone', async () => {
  const gateway = await gatewayOn(db, {}, { broker: accessTo('mqtt://127.0.0.1:1', { username: 'gateway' }) })
  for (const password of ['', 'null', 'guessed'])
    expect(await enter(gateway, { username: 'gateway', password })).toBe(false)
  const answer = (await (await form(gateway, '/mqtt/auth', { username: 'gateway' })).json()) as object
  expect(answer).toMatchObject({ is_superuser: false })
})

test('a name no database can be asked for is a no, and no failure of ours', async () => {
  const gateway = await behind()
  const topic = '/powerbank/001010199999996/user/update'
  expect(await enter(gateway, { username: 'cabinet-\0', password: 'x' })).toBe(false)
  expect(await use(gateway, { username: 'cabinet-\0', topic, action: 'publish' })).toBe(false)
  expect(gateway.node.counts.failures).toBe(0)
})

test('a gateway that shows no name to its broker lets nobody in without one', async () => {
  const gateway = await gatewayOn(db, {}, { broker: accessTo('mqtt://127.0.0.1:1') })
  expect(await enter(gateway, { username: '', password: '' })).toBe(false)
  expect(await use(gateway, { username: '', topic: '#', action: 'subscribe' })).toBe(false)
})

test.for([
  ['no JSON', '{"username":', 'application/json'],
  ['no object', 'null', 'application/json'],
  ['too long', `username=${'x'.repeat(20_000)}`, 'application/x-www-form-urlencoded'],
] as const)('a question that is %s is denied', async ([, body, type]) => {
  const gateway = await behind()
  for (const path of ['/mqtt/auth', '/mqtt/acl']) {
    const response = await context(gateway, path, body, type)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ result: 'deny', Ok: false })
  }
})

test('an array or a number for a name is nobody', async () => {
  const gateway = await behind()
  const { username, password } = await credentialOf(db, (await mqttStation(db)).imei)
  for (const question of [{ username: [username], password }, { username: 7, password }, []]) {
    const response = await context(gateway, '/mqtt/auth', JSON.stringify(question), 'application/json')
    expect(await response.json()).toMatchObject({ result: 'deny' })
  }
})

test('while the database is away nobody is let in, and the broker hears that it may ask again', async () => {
  const gateway = await behind()
  const { username, password } = await credentialOf(db, (await mqttStation(db)).imei)
  const mend = await outage(url)
  await until(() => !gateway.node.isDatabaseThere)
  const response = await form(gateway, '/mqtt/auth', { username, password })
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({ result: 'deny' })
  await mend()
})

test('there are no such questions where the broker is our own, and none by GET', async () => {
  const own = await brokerOn(db)
  expect((await form(own, '/mqtt/auth', broker)).status).toBe(404)
  const gateway = await behind()
  expect((await fetch(`http://127.0.0.1:${gateway.ports.metrics}/mqtt/auth`)).status).toBe(404)
})
