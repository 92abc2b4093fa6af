import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startApi } from '../../api/main.ts'
import { connect } from '../../db/postgres/connect.ts'
import { config } from '../api/server.ts'
import { proxied } from '../db/proxied.ts'
import { families, metricsOf } from '../exposition.ts'
import { device, hello, socketTo, station } from '../gateway/stage.ts'
import { newTerminal, sale, signedOn, terminalGateway } from '../gateway/terminal/terminal-stage.ts'
import { tempDataDir, testDb } from '../postgres.ts'

const { db, url } = await testDb()
const log = () => {}
const docs = join(import.meta.dirname, '../../docs')
const hasPromtool = spawnSync('promtool', ['--version']).status === 0
const promtool = (args: string[], input = '') => {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

/** Gateway and API in one process, as `npm start` has them; what their port of metrics says. */
async function house() {
  const gateway = await terminalGateway(db)
  const api = await startApi({ config: { ...config, hasMetrics: false }, db, log, metrics: gateway.registry })
  onTestFinished(() => api.close())
  const read = async () => await (await fetch(`http://127.0.0.1:${gateway.ports.metrics}/metrics`)).text()
  const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${api.port}${path}`, init)
  return { gateway, read, ask }
}

const dashboard = JSON.parse(readFileSync(join(docs, 'grafana.json'), 'utf8'))
const queries: string[] = dashboard.panels.flatMap(({ targets = [] }: { targets: { expr: string }[] }) =>
  targets.map(({ expr }) => expr),
)
const alerts = [...readFileSync(join(docs, 'alerts.yml'), 'utf8').matchAll(/^ +expr: (.+)$/gm)].map(
  (match) => match[1]!,
)

test('what gateway and API export can be read, and holds all that the dashboard and the alerts ask for', async () => {
  const { gateway, read, ask } = await house()
  const { boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  const line = await signedOn(gateway, await newTerminal(db))
  expect(await line.ask(sale())).toMatchObject({ code: '00' })
  await ask('/webhook/cryptopay', { method: 'POST', body: '{}' })
  const text = await read()
  if (hasPromtool) expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, said: '' })
  const found = families(text)
  const samples = [...found.values()].flatMap((family) => family.samples)
  const value = (name: string, labels: object) =>
    samples.find((one) => one.name === name && Object.entries(labels).every(([key, of]) => one.labels[key] === of))
      ?.value
  expect(
    value('voltbay_device_report_seconds_count', { device: 'terminal', report: 'purchase', outcome: 'later' }),
  ).toBe(1)
  const webhook = { method: 'POST', endpoint: '/webhook/cryptopay', status: '503' }
  expect([value('bot_requests_total', webhook), value('bot_errors_total', webhook)]).toEqual([1, 1])
  expect(value('payment_transactions_total', { provider: 'stars', status: 'succeeded' })).toBe(0)
  expect(value('active_subscriptions', { plan_type: 'regular' })).toBe(0)
  const names = new Set(
    [...found].flatMap(([name, { type }]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  )
  expect(queries.length).toBeGreaterThan(40)
  const asked = [...queries, ...alerts].map((query) => ({ query, metrics: metricsOf(query) }))
  for (const { query, metrics } of asked) {
    expect(metrics, query).not.toEqual([])
    for (const metric of metrics) expect(names, query).toContain(metric)
  }
})

test('no client makes up a series', async () => {
  const { read, ask } = await house()
  const series = async () => families(await read()).get('http_request_duration_seconds')!.samples.length
  const wild = async (n: number) => {
    await ask(`/nobody/${n}?secret=${n}`)
    await ask(`/webhook/nobody${n}`, { method: 'POST', body: '{}' })
    await ask('/health', { method: ['PROPFIND', 'LOCK', 'MKCOL', 'REPORT'][n % 4]! })
  }
  for (let n = 0; n < 4; n++) await wild(n)
  const before = await series()
  for (let n = 4; n < 40; n++) await wild(n)
  expect(await series()).toBe(before)
})

test('the API tells its numbers where that is switched on, and nowhere else', async () => {
  const on = await startApi({ config, db, log })
  const off = await startApi({ config: { ...config, hasMetrics: false }, db, log })
  onTestFinished(async () => void (await Promise.all([on.close(), off.close()])))
  const answer = await fetch(`http://127.0.0.1:${on.port}/metrics`)
  expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  const text = await answer.text()
  if (hasPromtool) expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, said: '' })
  expect([...families(text).keys()]).toEqual(expect.arrayContaining(['active_subscriptions', 'voltbay_orders_open']))
  expect((await fetch(`http://127.0.0.1:${off.port}/metrics`)).status).toBe(404)
})

test('a frozen database costs the numbers that are in it, not the others', async () => {
  const wire = await proxied(url)
  const far = connect(wire.url)
  const api = await startApi({ config, db: far, log })
  onTestFinished(async () => {
    wire.cut()
    await api.close()
    await far.close()
  })
  wire.freeze()
  const text = await (await fetch(`http://127.0.0.1:${api.port}/metrics`)).text()
  const found = families(text)
  expect(found.get('voltbay_census_up')!.samples).toMatchObject([{ value: 0 }])
  expect(found.get('voltbay_orders_open')!.samples).toEqual([])
  expect(found.has('http_request_duration_seconds')).toBe(true)
})

test.skipIf(!hasPromtool)('the alerts and every query of the dashboard are PromQL', () => {
  expect(promtool(['check', 'rules', join(docs, 'alerts.yml')])).toMatchObject({ status: 0 })
  const rules = queries.map((expr, n) => ({ record: `q${n}`, expr: expr.replaceAll('$__rate_interval', '5m') }))
  const file = join(tempDataDir(), 'queries.yml')
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
  expect(promtool(['check', 'rules', file])).toMatchObject({ status: 0 })
})

test('what is no exposition is refused by its reader', () => {
  const good = '# HELP a_total x\n# TYPE a_total counter\na_total{b="c\\"d"} 1\n'
  expect(families(good).get('a_total')!.samples).toEqual([{ name: 'a_total', labels: { b: 'c\\"d' }, value: 1 }])
  for (const [from, to] of [
    ['a_total{b="c\\"d"} 1', 'b_total 1'],
    ['# HELP a_total x\n', ''],
    ['counter', 'gauge'],
    [' 1\n', ' one\n'],
    ['b="c', 'b="x",b="c'],
    ['1\n', '1\na_total{b="c\\"d"} 1\n'],
    ['1\n', '1'],
  ] as const)
    expect(() => families(good.replace(from, to)), to).toThrow()
})
