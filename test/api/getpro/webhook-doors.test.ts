import { describe, expect, test } from 'vitest'
import { heard, notices, order, paid, secrets, signed, stored, type Told, tell, work, yookassaPeer } from './stage.ts'

// What stands in front of all six: size, settings, proof, limits, a database that is away.
const house = await heard()
const deaf = await heard({ yookassa: null, cryptopay: null, freekassa: null, tribute: null, stars: null, panel: null })
const strict = await heard({
  limit: { requests: 3, windowSeconds: 60 },
  freekassa: { ...notices().freekassa!, addressCheck: 'enforce', isByGet: false },
})
const rotating = await heard({ panel: { secrets: ['n'.repeat(32), 'o'.repeat(32)], maxAgeSeconds: null } })
const broken = await heard()
await broken.db.sql`alter table inbox rename to inbox_gone`

/** Something authentic that is of no use to us. */
const ofNoUse: Record<string, Told> = {
  yookassa: signed.yookassa({ type: 'notification', event: 'deal.closed', object: { id: 'dl-1' } }),
  cryptopay: signed.cryptopay({ update_id: 7, update_type: 'invoice_frozen', payload: { invoice_id: 1 } }),
  freekassa: signed.freekassa({ MERCHANT_ID: '12345', AMOUNT: '10', MERCHANT_ORDER_ID: 'nobodys' }),
  tribute: signed.tribute({
    name: 'new_donation',
    created_at: '2026-04-01T10:00:00Z',
    payload: { donation_request_id: 1 },
  }),
  stars: signed.stars({ update_id: 1, guest_message: { text: 'a private word' } }),
  panel: signed.panel({
    scope: 'node',
    event: 'node.connection_lost',
    timestamp: '2026-04-01T10:00:00Z',
    data: { name: 'n' },
  }),
}
const each = Object.entries(ofNoUse)
const pathOf = (name: string) => `/webhook/${name}`

describe.each(each)('%s', (name, told) => {
  test('is not heard where it has no secret, whatever it shows', async () => {
    for (const one of [told, { ...told, headers: {} }, { body: '' }]) {
      const { status, text } = await tell(deaf, pathOf(name), one)
      expect([status, JSON.parse(text).error.code]).toEqual([503, 'SERVICE_UNAVAILABLE'])
    }
    expect(await stored(deaf)).toEqual([])
  })

  test('may tell what we have no use for: it is kept, and not asked for again', async () => {
    const before = (await stored(house)).length
    expect((await tell(house, pathOf(name), told)).status).toBe(200)
    const row = await work(house)
    expect((await stored(house)).length).toBe(before + 1)
    expect(row).toMatchObject({ provider: name, state: name === 'freekassa' ? 'unmatched' : 'ignored' })
    expect(row.raw.toString()).not.toContain('a private word')
    expect(Object.keys(row.headers)).not.toContain('crypto-pay-api-signature')
  })

  test('has to send it again when it cannot be stored', async () => {
    const { status, text } = await tell(broken, pathOf(name), told)
    expect([status, JSON.parse(text).error.code]).toEqual([503, 'SERVICE_UNAVAILABLE'])
    expect(broken.lines.some(({ event, about }) => event === 'webhook.unstored' && about.provider === name)).toBe(true)
  })

  test('is held to the size of a body, and to POST', async () => {
    const huge = await tell(house, pathOf(name), { ...told, body: 'x'.repeat(262_145) })
    expect([huge.status, JSON.parse(huge.text).error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
    const asked = await tell(strict, pathOf(name), { method: 'GET' })
    expect([asked.status, JSON.parse(asked.text).error.code]).toEqual([405, 'METHOD_NOT_ALLOWED'])
  })

  test('and nobody else is slowed down by who guesses; an authentic one is never', async () => {
    const guess = {
      body: '{}',
      headers: { 'content-type': 'application/json' },
      peer: `198.51.100.${each.findIndex(([one]) => one === name) + 1}`,
    }
    const answers = []
    for (let n = 0; n < 5; n++) answers.push(await tell(strict, pathOf(name), guess))
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 429, 429])
    expect(Number(answers[4]!.wait)).toBeGreaterThan(0)
    expect(JSON.parse(answers[4]!.text).error.code).toBe('RATE_LIMIT_EXCEEDED')
    const peers = { yookassa: yookassaPeer, freekassa: '168.119.157.136' }
    const peer = peers[name as keyof typeof peers] ?? guess.peer
    for (let n = 0; n < 5; n++) expect((await tell(strict, pathOf(name), { ...told, peer })).status).toBe(200)
  })
})

test('what is authentic and cannot be read is kept once, and is a 400 to whoever may mend it', async () => {
  const bodies: [string, Told, number][] = [
    ['yookassa', { body: '{"type":"notification"', peer: yookassaPeer }, 400],
    ['yookassa', { body: '[]', peer: yookassaPeer }, 400],
    ['yookassa', { body: '{"event":"payment.succeeded","object":{"id":"1"}}', peer: yookassaPeer }, 400],
    ['cryptopay', signed.cryptopay({ update_type: 'invoice_paid', payload: { invoice_id: 1 } }), 400],
    ['freekassa', signed.freekassa({ MERCHANT_ID: '12345', AMOUNT: '10', MERCHANT_ORDER_ID: '' }), 400],
    ['tribute', signed.tribute({ name: 'new_subscription', payload: {} }), 400],
    ['stars', signed.stars({ update_id: 2, message: { successful_payment: { currency: 'XTR' } } }), 200],
    ['stars', { body: 'no JSON', headers: { 'x-telegram-bot-api-secret-token': secrets.stars } }, 200],
  ]
  for (const [name, told, status] of bodies) {
    const before = (await stored(house)).length
    const answers = [await tell(house, pathOf(name), told), await tell(house, pathOf(name), told)]
    expect(
      answers.map((answer) => answer.status),
      String(told.body),
    ).toEqual([status, status])
    if (status === 400) expect(JSON.parse(answers[0]!.text).error.code).toBe('INVALID_REQUEST')
    else expect(answers[0]!.text).toBe('')
    const rows = await stored(house)
    expect([rows.length - before, rows.at(-1)!.state, rows.at(-1)!.repeats]).toEqual([1, 'failed', 1])
    expect(house.lines.at(-2)?.event === 'webhook.unread' || house.lines.at(-1)?.event === 'webhook.unread').toBe(true)
  }
})

test('FreeKassa is heard by a form of either kind, and from its own addresses where it has to be', async () => {
  const payment = await order(house.db, 'freekassa')
  const { body } = paid.freekassa(payment)
  const form = new FormData()
  for (const [field, value] of new URLSearchParams(String(body))) form.set(field, value)
  const request = new Request('http://localhost/webhook/freekassa', { method: 'POST', body: form })
  const answer = await house.fetch(request, { address: '203.0.113.7' })
  expect([answer.status, await answer.text()]).toEqual([200, 'YES'])
  const row = await work(house)
  expect([row.state, row.raw.toString()]).toEqual(['done', expect.stringContaining('payer_account=***')])
  expect(row.raw.toString()).not.toMatch(/4111|payer%40|SIGN=[0-9a-f]/)
  expect(house.lines.some(({ event, about }) => event === 'webhook.elsewhere' && about.address === '203.0.113.7')).toBe(
    true,
  )
  const told = signed.freekassa({ MERCHANT_ID: '12345', AMOUNT: '10', MERCHANT_ORDER_ID: '1' })
  expect((await tell(strict, '/webhook/freekassa', { ...told, peer: '203.0.113.8' })).status).toBe(403)
  expect((await tell(strict, '/webhook/freekassa', { ...told, peer: '::ffff:168.119.157.136' })).text).toBe('YES')
})

test('a field that stands twice in a form is no field', async () => {
  const { body, headers } = signed.freekassa({ MERCHANT_ID: '12345', AMOUNT: '10', MERCHANT_ORDER_ID: '1' })
  for (const more of ['&AMOUNT=1000', '&MERCHANT_ORDER_ID=2', '&SIGN=x'])
    expect((await tell(house, '/webhook/freekassa', { body: `${body}${more}`, headers: headers! })).status, more).toBe(
      403,
    )
})

test('a secret may be changed while both are good', async () => {
  const words = { event: 'node.created', timestamp: '2026-04-01T10:00:00Z', data: {} }
  const statuses = []
  for (const secret of ['n'.repeat(32), 'o'.repeat(32), 'p'.repeat(32), ''])
    statuses.push((await tell(rotating, '/webhook/panel', signed.panel(words, secret || 'x'))).status)
  expect(statuses).toEqual([200, 200, 403, 403])
})

test('no secret, signature, card or password is in any row or line', async () => {
  const logged = JSON.stringify([house, strict, rotating, broken].map(({ lines }) => lines))
  const rows = await stored(house)
  const kept = rows
    .map(({ raw, headers, result, lastError }) => `${raw} ${JSON.stringify([headers, result, lastError])}`)
    .join()
  for (const text of [logged, kept]) {
    for (const secret of Object.values(secrets)) expect(text).not.toContain(secret)
    expect(text).not.toMatch(/4111111111111111|SIGN=[0-9a-f]{32}|[0-9a-f]{64}/)
  }
})
