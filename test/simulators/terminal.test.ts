import { describe, expect, test } from 'vitest'
import type { Report } from '../../protocol/terminal.ts'
import { card, cardNames } from '../../simulators/terminal/cards.ts'
import { key, terminalCode } from '../protocol/terminal-stage.ts'
import { at, mqttHost, tcpHost } from './terminal-host.ts'

const wires = [
  { wire: 'TCP', isMqtt: false, host: tcpHost },
  { wire: 'MQTT', isMqtt: true, host: mqttHost },
]
const declined = (code: '51') => (report: Report) =>
  report.kind === 'purchase' ? { kind: 'answered' as const, code } : undefined

describe.each(wires)('over $wire', ({ isMqtt, host }) => {
  test('it signs on, buys, and says who it is in every message', async () => {
    const far = await host()
    const { play } = at(far, { isMqtt, merchant: 'VOLTBAY', stan: 41 })
    await play('wait login code=00', 'buy 150.00 mastercard nfc', 'wait purchase code=00', 'expect last approved')
    expect(far.heard).toMatchObject([
      { kind: 'login', terminalCode, stan: '000042' },
      {
        ...{ kind: 'purchase', stan: '000043', amountMinor: 15_000, entryMode: '071', condition: '00' },
        ...{ merchant: 'VOLTBAY', card: { masked: '555555******4444', expiry: '3012', sequence: '001' } },
      },
    ])
  })

  test('every command is obeyed, answered, and known again', async () => {
    const far = await host()
    const { one, play } = at(far, { isMqtt })
    await play('wait login')
    const results: string[] = []
    const tell = async (kind: Parameters<typeof far.tell>[0]['kind'], data = {}, stan = `${results.length}`) => {
      far.tell({ kind, stan: stan.padStart(6, '9'), data })
      const { code, text = '' } = await far.next('result')
      results.push(`${kind} ${code} ${text}`.trim())
    }
    await tell('set_volume', { volume: 70 })
    await tell('set_volume', { volume: 101 })
    await tell('maintenance_on')
    await tell('ping')
    expect(() => one.buy({ amountMinor: 1, card: card('visa', 'chip') })).toThrow('maintenance')
    await tell('maintenance_off')
    await tell('update_config', { currency: '643', apiPassword: 'hidden' })
    await tell('print_receipt', { text: 'Спасибо' })
    await tell('payment', { transaction_id: 7, status: 'completed' })
    await tell('update_software', { version: '2.0.0' })
    await play('wait updated text=2.0.0', 'wait restarted', 'wait login', 'expect software 2.0.0', 'expect volume 70')
    await tell('restart')
    await play('wait restart', 'wait restarted', 'wait login')
    expect(results).toEqual([
      'set_volume 00',
      'set_volume 30 volume: 0 to 100',
      'maintenance_on 00',
      'ping 00 {"volume":70,"condition":"maintenance","software":"1.0.0"}',
      'maintenance_off 00',
      'update_config 00',
      'print_receipt 00',
      'payment 00',
      'update_software 00',
      'restart 00',
    ])
    const again = { kind: 'restart', stan: '999999', data: {} } as const
    far.tell(again)
    await far.next('result')
    await play('wait restarted', 'wait login')
    far.tell({ ...again, isRepeat: true })
    expect(await far.next('result')).toMatchObject({ stan: '999999', code: '00' })
    await play('never restarted for 50ms')
  })

  test('a result that is late, silent, said again or a failure', async () => {
    const far = await host()
    const { play } = at(far, { isMqtt, faults: ['late-0610=500ms'] })
    const volume = { kind: 'set_volume', stan: '000007', data: { volume: 9 } } as const
    await play('wait login')
    far.tell(volume)
    far.tell({ ...volume, isRepeat: true })
    await play('wait set_volume', 'wait set_volume isRepeat=true volume=9')
    expect(far.heard.filter(({ kind }) => kind === 'result')).toEqual([])
    // Done once, said for each that asked.
    for (let times = 0; times < 2; times++) expect(await far.next('result')).toMatchObject({ stan: '000007' })
    await play('fault late-0610', 'fault no-0610')
    far.tell({ ...volume, stan: '000008', data: { volume: 10 } })
    await play(
      'wait set_volume stan=000008',
      'sleep 20ms',
      'expect volume 9',
      'fault no-0610',
      'fault answer-again=10ms',
    )
    far.tell({ ...volume, stan: '000009' })
    for (let times = 0; times < 2; times++) expect(await far.next('result')).toMatchObject({ stan: '000009' })
    await play('fault answer-again', 'fault no-paper')
    far.tell({ kind: 'print_receipt', stan: '000010' })
    expect(await far.next('result')).toMatchObject({ code: '96', text: 'нет бумаги' })
  })

  test('what has no answer is taken back, also over the next line, until that is heard', async () => {
    let isDeaf = true
    const far = await host(({ kind }) =>
      kind === 'purchase' || (isDeaf && kind === 'reversal') ? null : { kind: 'answered', code: '00' },
    )
    const { one, play } = at(far, { isMqtt, answerSeconds: 0.05, repeatSeconds: 0.03 })
    await play('wait login', 'buy 10.00 amex stripe', 'wait in_doubt')
    const reversal = await far.next('reversal')
    const { stan, sentAt } = await far.next('purchase')
    expect(reversal).toMatchObject({ amountMinor: 1_000, reason: '68', original: { mti: '0200', stan, sentAt } })
    expect(reversal.isRepeat).toBeUndefined()
    expect(() => one.buy({ amountMinor: 1, card: card('visa', 'chip') })).toThrow('a reversal waits')
    expect(() => one.total()).toThrow('waits for its answer')
    expect(await far.next('reversal')).toEqual({ ...reversal, isRepeat: true })
    await play('drop', 'wait login')
    isDeaf = false
    await play('wait reversal code=00', 'wait reversed', 'expect waiting 0', 'expect debits 1', 'expect reversals 1')
  })

  test('figures without an answer are asked again as they are, also over the next line', async () => {
    let isDeaf = true
    const far = await host(({ kind }) => (isDeaf && kind === 'totals' ? null : { kind: 'answered', code: '00' }))
    const { one, play } = at(far, { isMqtt, answerSeconds: 0.05 })
    await play('wait login', 'buy 10.00 amex stripe', 'wait approved')
    one.total()
    const asked = await far.next('totals')
    expect(asked.isRepeat).toBeUndefined()
    expect(await far.next('totals')).toEqual({ ...asked, isRepeat: true })
    await play('drop', 'wait login')
    isDeaf = false
    await play('wait settled', 'expect waiting 0', 'expect debits 0')
  })
})

test('over MQTT what is to be retained is said so', async () => {
  const far = await mqttHost()
  const { play } = at(far, { isMqtt: true })
  await play('wait login', 'fault retained', 'echo', 'wait heartbeat')
  expect(far.retained).toEqual([false, true])
  const stranger = at(far, { isMqtt: true, key: '00'.repeat(32) })
  await stranger.play('wait closed')
  expect(stranger.one.online).toBe(false)
})

test('it goes where it is told to, and back', async () => {
  const [near, far] = [await tcpHost(), await tcpHost()]
  const { play } = at(near, { tpdu: Buffer.from('6000010002', 'hex') })
  await play('wait login')
  near.tell({ kind: 'set_server_address', stan: '000001', data: { host: '127.0.0.1', port: far.port } })
  expect(await near.next('result')).toMatchObject({ code: '00' })
  await play('wait moved', 'wait closed', 'wait login')
  expect(far.heard).toMatchObject([{ kind: 'login' }])
  expect(far.frames[0]!.toString('hex', 2, 7)).toBe('6000010002')
  far.tell({ kind: 'set_server_address', stan: '000002', data: { host: '-', port: 0 } })
  expect(await far.next('result')).toMatchObject({ code: '30' })
  // Another machine than this one is not dialled, and it stays away.
  far.tell({ kind: 'set_server_address', stan: '000003', data: { host: '192.0.2.1', port: 9067 } })
  await play('wait moved', 'wait closed', 'wait closed', 'expect link offline')
})

test('a host that says no, one that is silent, and one that is gone', async () => {
  const far = await tcpHost(declined('51'))
  const { play } = at(far, { echoSeconds: 0.5 })
  await play('wait login', 'buy 1', 'wait declined code=51', 'expect debits 0', 'wait heartbeat')
  const mute = await tcpHost(({ kind }) => (kind === 'heartbeat' ? null : undefined))
  const lonely = at(mute, { echoSeconds: 0.02 })
  await lonely.play('wait login', 'wait closed', 'wait login')
  const nobody = at({ port: 1 })
  await nobody.play('wait closed', 'wait closed', 'expect link offline')
  const reasons = nobody.one.journal.entries.flatMap((entry) => (entry.event === 'closed' ? [entry.reason] : []))
  expect(reasons[0]).toBe('ECONNREFUSED 127.0.0.1:1')
  expect(() => nobody.one.buy({ amountMinor: 1, card: card('visa', 'nfc') })).toThrow('no line')
})

test('no card is a real one, and none is told', async () => {
  const far = await tcpHost()
  const { one, play } = at(far)
  const entries = ['chip', 'nfc', 'stripe', 'typed'] as const
  await play('wait login')
  for (const name of cardNames)
    for (const entry of entries) await play(`buy 1.00 ${name} ${entry}`, 'wait approved', 'reverse', 'wait reversed')
  const sales = far.heard.filter((report) => report.kind === 'purchase')
  expect(sales).toHaveLength(cardNames.length * entries.length)
  expect(new Set(sales.map(({ card }) => card.fingerprint)).size).toBe(cardNames.length)
  const { entries: told } = one.journal
  for (const name of cardNames) {
    const { said, masked } = card(name, 'typed')
    const pan = 'pan' in said ? said.pan : ''
    expect(pan.slice(0, 6) + pan.slice(-4)).toBe(masked.replaceAll('*', ''))
    expect(JSON.stringify(told)).not.toContain(pan)
    expect(JSON.stringify(told)).toContain(masked)
  }
})

test('what comes in pieces, together, or is no message, is taken as it is', async () => {
  const far = await tcpHost()
  const { one, play } = at(far)
  await play('wait login', 'fault twice', 'fault crumbs', 'buy 1.00', 'wait purchase', 'fault crumbs', 'fault twice')
  expect(far.heard.filter(({ kind }) => kind === 'purchase')).toHaveLength(2)
  await play('fault glued', 'send 000102', 'wait closed', 'wait login')
  expect(one.faults).toEqual(['glued'])
  expect(() => one.toggle('retained')).toThrow('over MQTT')
  expect(() => at(far, { faults: ['wrong-mac=3'] })).toThrow('takes no value')
  expect(() => at(far, { key: key.slice(2) })).toThrow('64 hex digits')
})
