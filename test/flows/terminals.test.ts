import { describe, expect, onTestFinished, test } from 'vitest'
import { dialer } from '../../simulators/dial.ts'
import { mqttTerminal } from '../../simulators/terminal/terminal-mqtt.ts'
import { play, readScript } from '../../simulators/terminal/terminal-script.ts'
import { terminal } from '../../simulators/terminal/terminal-tcp.ts'
import { money, transactions } from '../db/paygo/till.ts'
import { cert, key as tlsKey } from '../gateway/localhost.ts'
import { mqtt } from '../gateway/mqtt/mqtt-stage.ts'
import { hasMosquitto, mosquitto } from '../gateway/mqtt-cluster/mosquitto.ts'
import { accessTo, nodeBehind } from '../gateway/mqtt-cluster/mqtt-brokers.ts'
import { newTerminal, terminalConfig, terminalGateway } from '../gateway/terminal/terminal-stage.ts'
import { testDb } from '../postgres.ts'
import { shop } from './shop.ts'

const { db } = await testDb()
const both = (taken: number, held = 0) => ({ books: { taken, held }, acquirer: { taken, held } })

test('a day at a till: purchases, one declined, one taken back, a deposit, a settlement', async () => {
  const { registered, play, log } = await shop(db, { merchant: 'VOLTBAY' })
  await play(
    'wait login code=00 within 5s',
    'echo',
    'wait heartbeat code=00',
    'buy 150.00',
    'wait purchase code=00',
    'buy 99.51 mastercard nfc',
    'wait purchase code=51',
    'expect last declined',
    'buy 80 amex stripe',
    'wait approved',
    'buy 42.42 unionpay typed',
    'wait approved',
    'reverse',
    'wait reversal code=00',
    'expect last reversed',
    'authorise 500.00 mastercard2 nfc',
    'wait authorisation code=00',
    'expect last held',
    'expect debits 3',
    'complete 200.00',
    'wait completed',
    'expect debits 4',
    'expect debited 472.42',
    'expect reversed 42.42',
    'totals',
    'wait totals code=00 isInBalance=true',
    'wait settled',
    'expect debits 0',
    'advice 20.00',
    'wait advised code=00',
    'totals',
    'wait settled',
    'sign-off',
    'wait sign_off code=00',
    'wait closed',
    'expect link offline',
  )
  // Completions and advices are answered once they are stored; the acquirer is told after that.
  await expect
    .poll(() => transactions(db, registered.id))
    .toMatchObject([
      { status: 'completed', amountMinor: 15_000, bookedMinor: 15_000 },
      { status: 'failed', code: '51', bookedMinor: 0 },
      { status: 'completed', bookedMinor: 8_000 },
      { status: 'cancelled', bookedMinor: 0 },
      { status: 'completed', amountMinor: 20_000, bookedMinor: 20_000 },
      { status: 'completed', amountMinor: 2_000, bookedMinor: 2_000 },
    ])
  await expect.poll(() => money(db, registered.id)).toEqual(both(45_000))
  expect(log()).not.toMatch(/4242424242424242|5555555555554444|378282246310005|6200000000000005|2223003122003222/)
})

test('a sign-on that is refused ends a script, unless it waits for that', async () => {
  const { play, registered } = await shop(db, { key: '00'.repeat(32) })
  await expect(play('wait login code=00 within 5s')).rejects.toThrow('the sign-on was refused: A0')
  await play('wait refused code=A0 within 5s', 'wait closed', 'wait refused code=A0 within 5s')
  expect(await transactions(db, registered.id)).toEqual([])
})

test('a terminal that was away goes on from where it was: its number, its batch, what has no answer', async () => {
  const { registered, play, gateway } = await shop(db)
  await play(
    'wait login',
    'buy 10.00',
    'wait approved',
    'reboot',
    'wait restarted',
    'wait login',
    'half-open',
    'wait login',
    'drop',
    'wait login',
    'buy 20.00',
    'wait approved',
    'totals',
    'wait settled',
  )
  expect(await transactions(db, registered.id)).toMatchObject([{ status: 'completed' }, { status: 'completed' }])
  expect(gateway.node.counts).toMatchObject({ logins: 4, ended: { superseded: 1 } })
})

const brokers = [
  { broker: 'ours', port: async () => (await terminalGateway(db, {}, {}, { mqtt })).ports.mqtt!, missing: false },
  {
    broker: `a Mosquitto${hasMosquitto ? '' : ' (not installed here: not run)'}`,
    missing: !hasMosquitto,
    async port() {
      const { url, port } = await mosquitto()
      await nodeBehind(db, accessTo(url), { terminal: terminalConfig })
      return port
    },
  },
]

describe.each(brokers)('over a broker, $broker', ({ port, missing }) => {
  test.skipIf(missing)('a day is the same, and what is to be retained is heard once', async () => {
    await dayAt(await port())
  })
})

async function dayAt(port: number) {
  const registered = await newTerminal(db)
  const one = mqttTerminal(dialer(false), {
    ...{ terminalCode: registered.code, key: registered.key, redialSeconds: 0.05, repeatSeconds: 0.3 },
    host: { host: '127.0.0.1', port },
  })
  onTestFinished(() => one.close())
  const day = [
    ...['wait login', 'echo', 'wait heartbeat', 'buy 10.00', 'wait approved', 'buy 1.51', 'wait declined code=51'],
    ...['authorise 30.00', 'wait approved', 'reverse', 'wait reversed', 'reverse', 'wait reversed'],
    ...[
      'totals',
      'wait settled',
      'fault retained',
      'echo',
      'wait heartbeat',
      'drop',
      'wait login',
      'never heartbeat for 100ms',
    ],
  ]
  await play(one, readScript(day.join('\n')))
  await expect.poll(() => money(db, registered.id)).toEqual(both(0))
  const rows = await transactions(db, registered.id)
  expect(rows.map(({ status }) => status)).toEqual(['cancelled', 'failed', 'cancelled'])
}

test('over TLS the same, and a certificate that nobody vouches for is not believed', async () => {
  const tls = { port: 0, cert: Buffer.from(cert), key: Buffer.from(tlsKey) }
  const gateway = await terminalGateway(db, { tls })
  const { code, key } = await newTerminal(db)
  const at = (ca?: string) => {
    const host = { host: 'localhost', port: gateway.ports.terminalTls! }
    const one = terminal(dialer(false, ca === undefined ? {} : { ca }), { terminalCode: code, key, host })
    onTestFinished(() => one.close())
    return one
  }
  await play(at(), readScript('wait closed\nexpect link offline'))
  await play(at(cert), readScript('wait login\nbuy 10.00\nwait approved'))
})
