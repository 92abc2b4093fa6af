import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { canonical } from '../../api/providers/provider.ts'
import * as accounts from '../../db/getpro/accounts.ts'
import { get as getproBalance } from '../../db/getpro/balance.ts'
import * as payments from '../../db/getpro/payments.ts'
import { addPatient } from '../../db/loyalty/loyalty.ts'
import { balance } from '../../db/loyalty/points.ts'
import * as inbox from '../../db/messages/inbox.ts'
import { tempDataDir, testDb } from '../postgres.ts'

const root = new URL('../../', import.meta.url)
const { db, url } = await testDb()
const token = 'hook-token-0123456789abcdef'
const settings = { DATABASE_URL: url, DATA_DIR: tempDataDir(), ONEC_WEBHOOK_TOKEN: token, CRYPTOPAY_TOKEN: '1:AA' }
const env = { ...process.env, ...settings }

/** `npm run inbox -- …`: its exit code and what it said. */
async function cli(...args: string[]) {
  const all = ['--import', './engine.js', 'api/inbox-cli.ts', ...args]
  const { stdout, stderr, code } = await promisify(execFile)(process.execPath, all, { cwd: root, env }).then(
    (said) => ({ ...said, code: 0 }),
    (failed) => failed as { stdout: string; stderr: string; code: number },
  )
  return {
    code,
    stdout,
    stderr,
    lines: () =>
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  }
}
const body = { document_id: 'DOC-1', patient_external_id: 'P-1', points_to_accrue: 150 }
const receive = (content: object) =>
  db.transaction((tx) =>
    inbox.receive(tx, {
      provider: '1c',
      dedupKey: 'DOC-1',
      content: JSON.stringify(content),
      raw: Buffer.from(JSON.stringify(content)),
      headers: {},
      address: '203.0.113.9',
    }),
  )

test('an operator lists webhook events, looks at one, and replays it: it counts once', async () => {
  const { webhookEvent } = await receive(body)
  const id = String(webhookEvent.id)
  const foreign = await cli('match', id, 'account:1')
  expect([foreign.code, foreign.lines()]).toMatchObject([1, [{ state: 'received', attempts: 0 }]])
  const unknown = await cli('replay', id)
  expect([unknown.code, unknown.lines()]).toMatchObject([1, [{ state: 'unmatched', last_error: 'user_not_found' }]])
  const listed = await cli('list', '--state', 'unmatched', '--provider', '1c')
  expect(listed.lines()).toMatchObject([{ id: webhookEvent.id, provider: '1c', key: 'DOC-1', attempts: 1 }])
  const shown = await cli('show', id)
  expect(shown.lines()).toMatchObject([{ bytes: JSON.stringify(body).length, result: { status: 'user_not_found' } }])
  expect(shown.stdout).not.toMatch(/P-1|203\.0\.113/)
  expect((await cli('show', id, '--raw')).stdout).toBe(JSON.stringify(body))

  const who = { email: 'p@example.com', phone: null, fullName: 'Пациент', passwordHash: null }
  const userId = await db.transaction((tx) => addPatient(tx, null, who))
  await db.sql`update users set external_id = 'P-1' where id = ${userId}`
  const [first, second] = [await cli('replay', id), await cli('replay', id)]
  expect([first.code, first.lines()]).toMatchObject([0, [{ state: 'done', replay: 'worked', attempts: 2 }]])
  expect([second.code, second.lines()]).toMatchObject([
    0,
    [{ state: 'done', replay: 'nothing was done: it is done already', attempts: 2 }],
  ])
  expect((await balance(db.sql, userId))!.pointsBalance).toBe(15_000)

  const { webhookEvent: other } = await receive({ ...body, points_to_accrue: 900 })
  const refused = await cli('replay', String(other.id))
  expect([refused.code, refused.lines()]).toMatchObject([
    1,
    [{ state: 'failed', replay: expect.stringContaining('contradicts') }],
  ])
  expect((await balance(db.sql, userId))!.pointsBalance).toBe(15_000)
}, 60_000)

test('an operator says which payment an unmatched webhook event is about: it is booked once', async () => {
  const payload = { invoice_id: 77, status: 'paid', fiat: 'RUB', amount: '199', payload: 'lost' }
  const raw = Buffer.from(JSON.stringify({ update_type: 'invoice_paid', payload }))
  const content = canonical({ status: 'paid', amount: '199', currency: 'RUB', ours: 'lost' })
  const given = { provider: 'cryptopay', dedupKey: 'invoice_paid 77', content, raw, headers: {}, address: null }
  const { webhookEvent } = await db.transaction((tx) => inbox.receive(tx, given))
  const id = String(webhookEvent.id)
  expect((await cli('replay', id)).lines()).toMatchObject([{ state: 'unmatched', last_error: 'PAYMENT_NOT_FOUND' }])
  const payment = await db.transaction(async (tx) => {
    const { id: accountId } = await accounts.register(tx, null, { telegramId: 77 })
    return payments.begin(tx, null, { accountId, provider: 'cryptopay', purpose: 'balance', amountKopecks: 19_900 })
  })
  const wrong = await cli('match', id, 'account:1')
  expect([wrong.code, wrong.lines()]).toMatchObject([
    1,
    [{ state: 'unmatched', replay: expect.stringContaining('payment') }],
  ])
  for (const said of ['worked', 'nothing was done: it is done already']) {
    const matched = await cli('match', id, `payment:${payment.id}`)
    expect([matched.code, matched.lines()]).toMatchObject([0, [{ state: 'done', replay: said }]])
  }
  expect(await getproBalance(db.sql, payment.accountId)).toBe(19_900)
}, 90_000)

test('what is asked wrongly is told how to ask', async () => {
  for (const args of [
    [],
    ['replay'],
    ['replay', 'x'],
    ['replay', '1', 'payment:1'],
    ['match', '1'],
    ['match', '1', 'order:1'],
    ['forget', '1'],
    ['list', '--state', 'odd'],
    ['list', '--odd'],
  ]) {
    const { code, stderr, stdout } = await cli(...args)
    expect([code, stdout, stderr.split('\n')[0]], args.join(' ')).toEqual([2, '', expect.stringContaining('npm run')])
  }
  expect(await cli('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('replay') })
  expect(await cli('show', '999999')).toMatchObject({ code: 1, stderr: 'there is no webhook event 999999\n' })
}, 60_000)
