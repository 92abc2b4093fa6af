import { describe, expect, onTestFinished, test } from 'vitest'
import { panelApi } from '../../../api/providers/panel-api.ts'
import { startPanel } from '../../../api/tasks/panel.ts'
import * as panels from '../../../db/getpro/panel.ts'
import * as panelTasks from '../../../db/getpro/panel-tasks.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { PANEL_CHANNEL } from '../../../db/postgres/channels.ts'
import { journal } from '../journal.ts'
import { credentials, misbehave, simulated } from '../providers/simulated.ts'
import { refusal, rest } from './rest-stage.ts'

const house = await rest()
const { db, admin, customer, post, read } = house
const newcomers = { tag: 'GETPRO', squads: [], devicesMax: null }

/** A panel, and workers that tell it; the tasks of earlier tests are out of the way. */
async function panel({ version = '3' as '2' | '3', workers = 1, timeoutSeconds = 1 } = {}) {
  await db.sql`update panel_tasks set state = 'done'`
  const there = await simulated('panel', { panelVersion: version })
  const api = panelApi({ timeoutSeconds, callsMax: 20, url: there.url, apiKey: credentials.panel, version })
  const own = journal()
  for (let made = 0; made < workers; made++) {
    const worker = await startPanel({ db, log: own.log, panel: api, newcomers, timeoutSeconds })
    onTestFinished(() => worker.close())
  }
  return { there, api, ...own }
}
const taskOf = async (accountId: number) =>
  (await panelTasks.list(db.sql, { limit: 100, offset: 0 })).rows.find((one) => one.accountId === accountId)!
const stateOf = async (accountId: number) => (await taskOf(accountId))?.state
const isDone = (accountId: number) => expect.poll(() => stateOf(accountId), { timeout: 15_000 }).toBe('done')
const endOf = async (accountId: number) => (await subscriptions.of(db.sql, accountId))!.endsAt
const trial = (token: string) => post('/subscriptions/trial', token)
const gift = (user_id: number, days: number) => post('/subscriptions/gift', admin.token, { user_id, days })
/** What was postponed is due now. */
const comeDue = () =>
  db.transaction(async (tx) => {
    await tx`update panel_tasks set due_at = now(), leased_until = null where state = 'waiting'`
    await tx`select pg_notify(${PANEL_CHANNEL}, '')`
  })
/** Access ends so far from now, as nobody bought it. */
const endIn = (accountId: number, hours: number) =>
  db.transaction(async (tx) => {
    await tx`
      update subscriptions set ends_at = now() + make_interval(hours => ${hours}) where account_id = ${accountId}`
    await panelTasks.enqueue(tx, accountId, 'test')
  })

describe.each(['2', '3'] as const)('a panel of version %s', (version) => {
  test('is told of a trial and of what makes it longer, and has one user', async () => {
    const { api } = await panel({ version })
    const one = await customer()
    await trial(one.token)
    await isDone(one.id)
    const made = await api.byTelegram(one.telegramId)
    expect(made).toMatchObject({ kind: 'done', value: [{ status: 'ACTIVE', username: `tg_${one.telegramId}` }] })
    await gift(one.id, 10)
    await isDone(one.id)
    expect(await api.byTelegram(one.telegramId)).toMatchObject({ value: [{ expiresAt: await endOf(one.id) }] })
    expect(await house.db.sql`select panel_status from getpro_accounts where id = ${one.id}`).toMatchObject([
      { panelStatus: 'ACTIVE' },
    ])
  })

  test('switches off whose access was taken back, and on again who gets new one', async () => {
    const { api } = await panel({ version })
    const one = await customer()
    await gift(one.id, 30)
    await isDone(one.id)
    await endIn(one.id, 0)
    await isDone(one.id)
    expect(await api.byTelegram(one.telegramId)).toMatchObject({ value: [{ status: 'DISABLED' }] })
    await gift(one.id, 5)
    await isDone(one.id)
    expect(await api.byTelegram(one.telegramId)).toMatchObject({
      value: [{ status: 'ACTIVE', expiresAt: await endOf(one.id) }],
    })
  })
})

test('whoever was switched off by the panel’s own people stays so', async () => {
  const { api } = await panel()
  const one = await customer()
  await trial(one.token)
  await isDone(one.id)
  const { panelUserId } = (await panels.wanted(db.sql, one.id))!
  await api.switch(panelUserId!, false)
  await gift(one.id, 5)
  await isDone(one.id)
  expect(await api.user(panelUserId!)).toMatchObject({
    value: { status: 'DISABLED', expiresAt: await endOf(one.id) },
  })
})

test('a user who was made at the panel by hand is taken over, and one who was deleted there is made anew', async () => {
  const { api } = await panel()
  const one = await customer()
  const byHand = { ...newcomers, username: 'ivan', telegramId: one.telegramId, description: '', trafficLimitBytes: 0 }
  await api.create({ ...byHand, expiresAt: new Date(Date.now() + 86_400_000) })
  await gift(one.id, 30)
  await isDone(one.id)
  expect(await api.byTelegram(one.telegramId)).toMatchObject({
    value: [{ username: 'ivan', expiresAt: await endOf(one.id) }],
  })
  await db.sql`update getpro_accounts set panel_user_id = '999999' where id = ${one.id}`
  const other = await customer()
  await db.sql`update getpro_accounts set panel_user_id = '999998' where id = ${other.id}`
  await gift(other.id, 1)
  await isDone(other.id)
  expect(await api.byUsername(`tg_${other.telegramId}`)).toMatchObject({ value: { status: 'ACTIVE' } })
})

test.each(['timeout:1', 'reset:1', '5xx:1', 'html:1', '429:1'] as const)(
  'after %s the same is told again, and there is one user with the right end',
  async (fault) => {
    const { there, api, until } = await panel()
    const one = await customer()
    misbehave(there, fault)
    await trial(one.token)
    await until('panel.postponed')
    expect(await taskOf(one.id)).toMatchObject({ state: 'waiting', attempts: 1, lastError: expect.any(String) })
    await comeDue()
    await isDone(one.id)
    expect(await api.byTelegram(one.telegramId)).toMatchObject({ value: [{ expiresAt: await endOf(one.id) }] })
  },
)

test('a making whose answer was lost makes nobody twice', async () => {
  const { there, api, until } = await panel()
  const one = await customer()
  // Two looks are answered, the making is done and not answered.
  there.watch(({ method, path }) => {
    if (method === 'POST' && path === '/api/users') misbehave(there, 'reset:1')
  })
  await trial(one.token)
  await until('panel.postponed')
  there.watch(() => {})
  await comeDue()
  await isDone(one.id)
  expect(there.asked.filter(({ method, path }) => method === 'POST' && path === '/api/users')).toHaveLength(1)
  expect(await api.byTelegram(one.telegramId)).toMatchObject({ value: [{ expiresAt: await endOf(one.id) }] })
})

test('what changes while the panel is told is told afterwards: the last end stands, whoever works', async () => {
  const { api } = await panel({ workers: 3 })
  const one = await customer()
  for (let days = 1; days <= 8; days++) await gift(one.id, days)
  await isDone(one.id)
  expect(await api.byTelegram(one.telegramId)).toMatchObject({ value: [{ expiresAt: await endOf(one.id) }] })
})

test('whose lease is over is not believed to be last', async () => {
  await panel({ workers: 0 })
  const one = await customer()
  await trial(one.token)
  const [slow] = await panelTasks.claim(db.sql, 10, 0)
  expect(slow).toMatchObject({ accountId: one.id, attempts: 1 })
  const [quick] = await panelTasks.claim(db.sql, 10, 60)
  await db.transaction((tx) => panelTasks.finish(tx, quick!))
  expect(await stateOf(one.id)).toBe('done')
  await db.transaction((tx) => panelTasks.finish(tx, slow!))
  expect(await stateOf(one.id)).toBe('waiting')
})

test('what the panel refuses waits for an operator, who sees why and has it told again', async () => {
  const { there, until } = await panel()
  const one = await customer()
  await trial(one.token)
  await isDone(one.id)
  there.watch(({ method, body }) => {
    // As if its clock were ahead of ours.
    if (method === 'PATCH') body.fill(' ')
  })
  await gift(one.id, 1)
  await until('panel.postponed')
  await db.sql`update panel_tasks set attempts = 29 where account_id = ${one.id}`
  await comeDue()
  await until('panel.given_up')
  const { id } = await taskOf(one.id)
  const listed = await read('/panel-tasks?state=failed', admin.token)
  expect(listed.body.data.items).toMatchObject([
    { id, user_id: one.id, state: 'failed', attempts: 30, last_error: expect.stringMatching(/^refused 404 A063/) },
  ])
  there.watch(() => {})
  const replay = (token: string, task: unknown = id) => post(`/panel-tasks/${task}/replay`, token)
  expect(await replay(one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await replay(admin.token, 999_999)).toMatchObject(refusal(404, 'NOT_FOUND'))
  expect(await replay(admin.token)).toMatchObject({ status: 200, body: { data: { id, state: 'waiting' } } })
  await isDone(one.id)
  expect(await read('/panel-tasks', one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
})

test('a panel that hangs keeps nobody waiting who buys', async () => {
  const { there } = await panel()
  misbehave(there, 'timeout')
  const one = await customer()
  await trial(one.token)
  await expect.poll(() => there.asked.length).toBeGreaterThan(0)
  expect(await gift(one.id, 3)).toMatchObject({ status: 201 })
  expect(await stateOf(one.id)).toBe('waiting')
})

test('none of this was a bug of ours', () => {
  expect(house.lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
