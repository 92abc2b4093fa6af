import { describe, expect, test } from 'vitest'
import { type NewPanelUser, panelApi } from '../../../api/providers/panel-api.ts'
import { credentials, limits, misbehave, outcomes, simulated, value } from './simulated.ts'

const day = 86_400_000
const telegramId = 399_365_366
const inDays = (days: number) => new Date(Date.now() + days * day)

const somebody = (more: Partial<NewPanelUser> = {}): NewPanelUser => ({
  username: `tg_${telegramId}`,
  expiresAt: inDays(30),
  telegramId,
  description: 'Иван',
  tag: 'GETPRO',
  trafficLimitBytes: 0,
  devicesMax: 3,
  squads: [],
  ...more,
})

describe.each(['2', '3'] as const)('version %s', (version) => {
  async function panel() {
    const there = await simulated('panel', { panelVersion: version })
    return { there, api: panelApi({ ...limits, url: there.url, apiKey: credentials.panel, version }) }
  }

  test('a user is made once, found in every way, prolonged and switched off and on', async () => {
    const { there, api } = await panel()
    const made = value(await api.create(somebody()))
    expect(made).toMatchObject({ username: 'tg_399365366', status: 'ACTIVE', telegramId })
    expect(made.key).toMatch(version === '3' ? /^\d+$/ : /^[0-9a-f-]{36}$/)
    expect(await api.create(somebody())).toMatchObject({ kind: 'refused', status: 400, code: 'A019' })
    expect(value(await api.byUsername('tg_399365366'))).toEqual(made)
    expect(value(await api.byTelegram(telegramId))).toEqual([made])
    expect(value(await api.user(made.key))).toEqual(made)
    const until = inDays(60)
    for (let times = 0; times < 2; times++) expect(value(await api.setEnd(made.key, until)).expiresAt).toEqual(until)
    for (const isOn of [false, false, true, true])
      expect(value(await api.switch(made.key, isOn)).status).toBe(isOn ? 'ACTIVE' : 'DISABLED')
    expect(there.asked.every(({ headers }) => headers.authorization === `Bearer ${credentials.panel}`)).toBe(true)
  })

  test('an end that is set brings back who had expired, and nobody who was switched off', async () => {
    const { there, api } = await panel()
    const { key, username } = value(await api.create(somebody()))
    await there.pay(username)
    expect(value(await api.user(key))!.status).toBe('EXPIRED')
    expect(value(await api.setEnd(key, inDays(30))).status).toBe('ACTIVE')
    await api.switch(key, false)
    expect(value(await api.setEnd(key, inDays(60))).status).toBe('DISABLED')
  })

  test('nobody is an answer, an end that is past a refusal', async () => {
    const { api } = await panel()
    expect(value(await api.byUsername('tg_1'))).toBe(null)
    expect(value(await api.byTelegram(1))).toEqual([])
    const { key } = value(await api.create(somebody()))
    expect(await api.setEnd(key, inDays(-1))).toMatchObject({
      kind: 'refused',
      why: 'Expiration date cannot be in the past',
    })
    const stranger = version === '3' ? '999999' : '00000000-0000-4000-8000-000000000000'
    expect(value(await api.user(stranger))).toBe(null)
    expect(await api.switch(stranger, false)).toMatchObject({ kind: 'refused', status: 404 })
  })

  test.each(outcomes)('a user whose making is answered %s is made again, and is one', async (fault, outcome) => {
    const { there, api } = await panel()
    misbehave(there, fault)
    expect(await api.create(somebody())).toEqual(outcome)
    await api.create(somebody())
    expect(value(await api.byTelegram(telegramId))).toHaveLength(1)
  })

  test('the other version is told from this one', async () => {
    const there = await simulated('panel', { panelVersion: version === '3' ? '2' : '3' })
    const api = panelApi({ ...limits, url: there.url, apiKey: credentials.panel, version })
    if (version === '3') expect((await api.create(somebody())).kind).toBe('done')
    else expect(await api.create(somebody())).toEqual({ kind: 'doubtful', why: 'the panel is not of version 2' })
    expect(await api.byTelegram(telegramId)).toMatchObject({ kind: 'refused', status: 404, code: '404' })
  })
})

test('names and tags that the panel refuses never leave', async () => {
  const there = await simulated('panel')
  const api = panelApi({ ...limits, url: there.url, apiKey: credentials.panel, version: '3' })
  for (const wrong of [{ username: 'ab' }, { username: 'Иван' }, { tag: 'a' }, { tag: 'A'.repeat(17) }])
    expect(() => api.create(somebody(wrong))).toThrow(RangeError)
  expect(there.asked).toEqual([])
})
