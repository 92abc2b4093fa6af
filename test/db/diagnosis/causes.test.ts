import { expect, test } from 'vitest'
import { diagnose, edits, type Facts, type Refusal } from '../../../db/diagnosis/decide/causes.ts'

const now = new Date('2026-11-28T12:00:00Z')
const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000)
const day = 24 * 60

const station = {
  boxId: 'DCHEY02504000019',
  isOnline: false,
  iccid: null,
  dialect: 'B',
  host: '192.0.2.7',
  seenAt: ago(60),
  lostBy: 'silent',
  keys: 1,
}
const facts = (change: Partial<Omit<Facts, 'station'>> & { station?: Partial<Facts['station']> } = {}): Facts => ({
  now,
  refused: null,
  strangers: [],
  sim: null,
  site: { online: 0, lostWithIt: 0 },
  tcp: { known: 5, online: 5 },
  mqtt: { known: 0, online: 0 },
  losses: [],
  ...change,
  station: { ...station, ...change.station },
})
const refusal = (change: Partial<Refusal> = {}): Refusal => ({
  boxId: station.boxId,
  dialect: 'B',
  reason: 'bad_token',
  host: '192.0.2.7',
  attempts: 12,
  lastSeenAt: ago(1),
  ...change,
})
const first = (given: Facts) => diagnose(given)[0]!.code
const all = (given: Facts) => diagnose(given).map(({ code }) => code)

test('a station that is on line has no cause to be off it', () => {
  expect(diagnose(facts({ station: { isOnline: true }, refused: refusal() }))).toEqual([])
})

test('one that is off line for no reason that is known says how it went', () => {
  expect(diagnose(facts())).toEqual([
    { code: 'silent', certainty: 10, evidence: { since: ago(60).toISOString(), lost_by: 'silent' } },
  ])
  expect(all(facts({ station: { seenAt: null, dialect: null } }))).toEqual(['never_connected'])
})

test('a refusal since it was last heard is the cause; one from before is mended', () => {
  expect(first(facts({ refused: refusal() }))).toBe('wrong_key')
  expect(first(facts({ refused: refusal({ reason: 'no_key' }), station: { keys: 0 } }))).toBe('no_key')
  expect(all(facts({ refused: refusal({ lastSeenAt: ago(61) }) }))).toEqual(['silent'])
  expect(first(facts({ refused: refusal({ lastSeenAt: ago(900) }), station: { seenAt: null } }))).toBe('wrong_key')
})

test('one that dials and is turned away is not told that it was never connected', () => {
  const refused = refusal({ reason: 'no_key' })
  expect(all(facts({ refused, station: { seenAt: null, dialect: null, keys: 0 } }))).toEqual(['no_key'])
})

test('it speaks otherwise than it did, or without the key it has', () => {
  expect(first(facts({ refused: refusal({ dialect: 'A' }) }))).toBe('wrong_dialect')
  expect(first(facts({ refused: refusal({ dialect: 'A' }), station: { dialect: null, seenAt: null } }))).toBe(
    'wrong_dialect',
  )
  expect(first(facts({ refused: refusal({ dialect: 'mqtt', reason: 'sim_changed' }) }))).toBe('sim_changed')
})

test('the nearer the name of a stranger, the surer it is this one', () => {
  const sure = (boxId: string, host = '198.51.100.1') =>
    diagnose(facts({ strangers: [refusal({ boxId, host, reason: 'unknown_box_id' })] })).find(
      ({ code }) => code === 'unknown_box_id',
    )?.certainty
  expect(sure('dchey02504000019')).toBe(95)
  expect(sure('DCHEYO2504000019')).toBe(75)
  expect(sure('DCHEYO2504000019', station.host)).toBe(93)
  expect(sure('DCHEYO25O4000019')).toBe(55)
  expect(sure('RL3H081912050125')).toBeUndefined()
  expect(sure('RL3H081912050125', station.host)).toBe(58)
  expect(JSON.stringify(diagnose(facts({ strangers: [refusal({ boxId: 'DCHEY0250400001' })] })))).not.toContain(
    '192.0.2',
  )
})

test('its card, and the contract behind it', () => {
  const sim = { status: 'suspended', contract: 'CTR-2026-000001', suspensionReason: 'balance', balanceMinor: -4_000 }
  expect(first(facts({ sim }))).toBe('contract_in_debt')
  expect(first(facts({ sim: { ...sim, suspensionReason: 'operator' } }))).toBe('sim_not_active')
  expect(first(facts({ sim: { ...sim, status: 'blocked', suspensionReason: null } }))).toBe('sim_blocked')
  expect(all(facts({ sim: { ...sim, status: 'active', suspensionReason: null } }))).toEqual(['silent'])
})

test('neighbours that went with it are the place, and one that stayed speaks against that', () => {
  expect(first(facts({ site: { online: 0, lostWithIt: 1 } }))).toBe('site_down')
  expect(all(facts({ site: { online: 3, lostWithIt: 1 } }))).toEqual(['silent'])
  expect(diagnose(facts({ site: { online: 1, lostWithIt: 2 } }))[0]).toMatchObject({ code: 'site_down', certainty: 50 })
})

test('a whole wire that is silent is our side', () => {
  const none = { known: 3, online: 0 }
  expect(first(facts({ tcp: none }))).toBe('gateway_down')
  expect(first(facts({ tcp: none, mqtt: { known: 2, online: 2 } }))).toBe('gateway_down')
  expect(first(facts({ mqtt: none, station: { dialect: 'mqtt' } }))).toBe('broker_down')
  expect(all(facts({ mqtt: none }))).toEqual(['silent'])
  expect(all(facts({ tcp: { known: 1, online: 0 } }))).toEqual(['silent'])
})

test('one hour on three days is a switch, many a day a weak link', () => {
  const daily = [1, 2, 3].map((days) => ago(60 + days * day + 10))
  expect(first(facts({ losses: [ago(60), ...daily] }))).toBe('power_schedule')
  expect(all(facts({ losses: [ago(60), ...daily.slice(1)] }))).toEqual(['silent'])
  expect(first(facts({ losses: Array.from({ length: 10 }, (_, n) => ago(60 + n * 30)) }))).toBe('weak_link')
})

test('the likeliest comes first, and nothing that speaks is left out', () => {
  const found = diagnose(facts({ refused: refusal(), site: { online: 0, lostWithIt: 2 } }))
  expect(found.map(({ code }) => code)).toEqual(['wrong_key', 'site_down', 'silent'])
})

test('edits are counted as they are typed', () => {
  expect([edits('', 'abc'), edits('kitten', 'sitting'), edits('same', 'same')]).toEqual([3, 3, 0])
})
