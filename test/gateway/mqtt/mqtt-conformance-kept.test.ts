import { describe, expect, test } from 'vitest'
import { connected, leave, line, newId, newTopic, openBroker, publish, subscribe } from './mqtt-conformance.ts'

const port = await openBroker()

describe('retained messages', () => {
  test('the last one is kept for who comes later; live it does not look retained', async () => {
    const [publisher, early] = [await connected(port), await connected(port)]
    const topic = newTopic('kept')
    await subscribe(early, [topic, 1])
    for (const payload of ['one', 'two']) {
      await publish(publisher, topic, payload, { qos: 1, retain: true })
      expect(line(await early.heard())).toBe(`${topic} ${payload} qos1`)
    }
    const late = await connected(port)
    await subscribe(late, [topic, 1])
    expect(line(await late.heard())).toBe(`${topic} two qos1 retained`)
    expect(await late.before()).toEqual([])
  })

  test('all that a wildcard matches come, at the QoS granted', async () => {
    const [publisher, late] = [await connected(port), await connected(port)]
    const root = newTopic('three')
    for (const qos of [0, 1, 2] as const) await publish(publisher, `${root}/${qos}`, 'x', { qos, retain: true })
    await subscribe(late, [`${root}/+`, 1])
    const came = [await late.heard(), await late.heard(), await late.heard()].map(line).sort()
    expect(came).toEqual([`${root}/0 x qos0 retained`, `${root}/1 x qos1 retained`, `${root}/2 x qos1 retained`])
  })

  test('an empty one clears the topic', async () => {
    const [publisher, late] = [await connected(port), await connected(port)]
    const topic = newTopic('cleared')
    await publish(publisher, topic, 'x', { qos: 1, retain: true })
    await publish(publisher, topic, '', { qos: 1, retain: true })
    await subscribe(late, [topic, 1])
    expect(await late.before()).toEqual([])
  })

  test('a message that is not retained leaves the retained one alone', async () => {
    const [publisher, late] = [await connected(port), await connected(port)]
    const topic = newTopic('beside')
    await publish(publisher, topic, 'kept', { qos: 1, retain: true })
    await publish(publisher, topic, 'passing', { qos: 1 })
    await subscribe(late, [topic, 0])
    expect(line(await late.heard())).toBe(`${topic} kept qos0 retained`)
  })
})

describe('wills', () => {
  const willTo = (topic: string, retain = false) => ({ topic, payload: Buffer.from('gone'), qos: 1 as const, retain })

  test('a connection that breaks publishes its will', async () => {
    const witness = await connected(port)
    const topic = newTopic('will')
    await subscribe(witness, [topic, 2])
    const client = await connected(port, { will: willTo(topic) })
    client.socket.destroy()
    expect(line(await witness.heard())).toBe(`${topic} gone qos1`)
  })

  test('a client that is cut for its silence publishes its will', async () => {
    const witness = await connected(port)
    const topic = newTopic('silent-will')
    await subscribe(witness, [topic, 2])
    await connected(port, { will: willTo(topic), keepalive: 1 })
    expect(line(await witness.heard())).toBe(`${topic} gone qos1`)
  })

  test('one that is taken over publishes its will', async () => {
    const witness = await connected(port)
    const topic = newTopic('taken-will')
    await subscribe(witness, [topic, 1])
    const client = await connected(port, { will: willTo(topic) })
    await connected(port, { clientId: client.clientId })
    expect(line(await witness.heard())).toBe(`${topic} gone qos1`)
  })

  test('one that says DISCONNECT does not', async () => {
    const witness = await connected(port)
    const topic = newTopic('no-will')
    await subscribe(witness, [topic, 1])
    await leave(await connected(port, { will: willTo(topic) }))
    await publish(witness, topic, 'after')
    expect(line(await witness.heard())).toBe(`${topic} after qos0`)
  })

  test('a retained will is kept', async () => {
    const witness = await connected(port)
    const topic = newTopic('kept-will')
    await subscribe(witness, [topic, 1])
    const client = await connected(port, { will: willTo(topic, true) })
    client.socket.destroy()
    expect(line(await witness.heard())).toBe(`${topic} gone qos1`)
    const late = await connected(port)
    await subscribe(late, [topic, 1])
    expect(line(await late.heard())).toBe(`${topic} gone qos1 retained`)
  })
})

describe('sessions that are kept', () => {
  test('are said to be present from the second time on, until a clean one ends them', async () => {
    const clientId = newId()
    const first = await connected(port, { clientId, clean: false })
    expect(first.connack.sessionPresent).toBe(false)
    await subscribe(first, [newTopic('session'), 1])
    await leave(first)
    const second = await connected(port, { clientId, clean: false })
    expect(second.connack.sessionPresent).toBe(true)
    await leave(second)
    const clean = await connected(port, { clientId })
    expect(clean.connack.sessionPresent).toBe(false)
    await leave(clean)
    const last = await connected(port, { clientId, clean: false })
    expect(last.connack.sessionPresent).toBe(false)
  })

  test('get what was published meanwhile at QoS 1 and 2, in order, without subscribing again', async () => {
    const [clientId, topic] = [newId(), newTopic('offline')]
    const before = await connected(port, { clientId, clean: false })
    await subscribe(before, [topic, 2])
    await leave(before)
    const publisher = await connected(port)
    for (const qos of [1, 2, 1] as const) await publish(publisher, topic, `${qos}`, { qos })
    const after = await connected(port, { clientId, clean: false })
    expect(after.connack.sessionPresent).toBe(true)
    for (const qos of [1, 2, 1]) expect(line(await after.heard())).toBe(`${topic} ${qos} qos${qos}`)
    await publish(publisher, topic, 'live', { qos: 1 })
    expect(line(await after.heard())).toBe(`${topic} live qos1`)
    await leave(after)
    const again = await connected(port, { clientId, clean: false })
    expect(await again.before()).toEqual([])
  })

  test.for([
    ['plain', 'plain'],
    ['a wildcard', '+'],
  ])('get what was kept at the QoS granted to %s', async ([, name]) => {
    const [clientId, root] = [newId(), newTopic('granted')]
    const before = await connected(port, { clientId, clean: false })
    await subscribe(before, [`${root}/${name}`, 1])
    await leave(before)
    await publish(await connected(port), `${root}/plain`, 'x', { qos: 2 })
    const after = await connected(port, { clientId, clean: false })
    expect(line(await after.heard())).toBe(`${root}/plain x qos1`)
    expect(await after.before()).toEqual([])
    await leave(after)
    const again = await connected(port, { clientId, clean: false })
    expect(await again.before()).toEqual([])
  })

  test('get again, marked as said before, what they have not acknowledged', async () => {
    const [clientId, topic] = [newId(), newTopic('unacked')]
    const before = await connected(port, { clientId, clean: false })
    await subscribe(before, [topic, 2])
    const publisher = await connected(port)
    await publish(publisher, topic, 'one', { qos: 1 })
    await publish(publisher, topic, 'two', { qos: 2 })
    await before.heard('silent')
    await before.heard('silent')
    before.socket.destroy()
    const after = await connected(port, { clientId, clean: false })
    for (const payload of ['one', 'two'])
      expect(await after.heard()).toMatchObject({ dup: true, payload: Buffer.from(payload) })
    expect(await after.before()).toEqual([])
  })

  test('a clean session is told nothing of what it missed', async () => {
    const [clientId, topic] = [newId(), newTopic('clean')]
    const before = await connected(port, { clientId })
    await subscribe(before, [topic, 1])
    await leave(before)
    await publish(await connected(port), topic, 'x', { qos: 1 })
    const after = await connected(port, { clientId })
    expect(await after.before()).toEqual([])
  })
})
