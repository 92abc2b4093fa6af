import { describe, expect, test } from 'vitest'
import { connected, line, newTopic, openBroker, publish, subscribe } from './mqtt-conformance.ts'

const port = await openBroker()

describe('SUBSCRIBE', () => {
  test('what may not be had is refused with 0x80, beside what is granted', async () => {
    const client = await connected(port)
    const topic = newTopic('granted')
    expect(await subscribe(client, [topic, 1], ['refused/topic', 1], [`${topic}/b`, 2])).toEqual([1, 128, 2])
    await publish(client, topic, 'here', { qos: 1 })
    expect(line(await client.heard())).toBe(`${topic} here qos1`)
  })

  test.for(['a/#/b', 'a#', '#a', 'a/b+', '+a/b', ''])('the filter `%s` closes the connection', async (filter) => {
    const client = await connected(port)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: newTopic(filter), qos: 0 }] })
    const answer = await client.next()
    if (filter !== '') expect(answer).toBeNull()
    else expect(answer).toMatchObject({ cmd: 'suback' })
  })

  test.for([
    ['without a filter', '82 02 0001'],
    ['with QoS 3', '82 09 0001 0004 746573 74 03'],
    ['with other flags', '80 09 0001 0004 74657374 00'],
    ['with an empty filter', '82 05 0001 0000 00'],
  ])('a SUBSCRIBE %s closes the connection', async ([, hex]) => {
    const client = await connected(port)
    client.write(hex!)
    expect(await client.next()).toBeNull()
  })

  test.for([
    ['sport/+/player', ['sport/a/player'], ['sport/a/b/player', 'sport/player']],
    ['sport/#', ['sport', 'sport/a', 'sport/a/b'], ['sports', 'other/sport']],
    ['+/+', ['a/b', '/b'], ['a', 'a/b/c']],
    ['+/', ['a/'], ['a', 'a/b']],
    ['a//b', ['a//b'], ['a/b']],
    ['Sport', ['Sport'], ['sport']],
  ] as const)('`%s` matches what the standard says and nothing else', async ([filter, matching, others]) => {
    const client = await connected(port)
    const root = newTopic('match')
    await subscribe(client, [`${root}/${filter}`, 0])
    for (const topic of [...others, ...matching]) await publish(client, `${root}/${topic}`, 'x')
    const came = new Set<string>()
    for (let n = 0; n < matching.length; n++) came.add((await client.heard()).topic)
    expect(came).toEqual(new Set(matching.map((topic) => `${root}/${topic}`)))
    expect(await client.before()).toEqual([])
  })

  test('overlapping subscriptions bring a message once, at the highest QoS they grant', async () => {
    const client = await connected(port)
    const root = newTopic('overlap')
    expect(await subscribe(client, [`${root}/#`, 2], [`${root}/+`, 1], [`${root}/+/b`, 0])).toEqual([2, 1, 0])
    await publish(await connected(port), `${root}/a`, 'over', { qos: 2 })
    expect(line(await client.heard())).toBe(`${root}/a over qos2`)
    expect(await client.before()).toEqual([])
  })

  test.for([0, 1, 2] as const)('a subscription of QoS %d never brings more', async (granted) => {
    const [client, publisher] = [await connected(port), await connected(port)]
    const root = newTopic('less')
    await subscribe(client, [`${root}/plain`, granted], [`${root}/wild/+`, granted])
    for (const name of ['plain', 'wild/x']) {
      for (const qos of [0, 1, 2] as const) {
        await publish(publisher, `${root}/${name}`, `${qos}`, { qos })
        expect(line(await client.heard())).toBe(`${root}/${name} ${qos} qos${Math.min(qos, granted)}`)
      }
    }
  })

  test('subscribing again replaces the QoS and brings what is retained again', async () => {
    const client = await connected(port)
    const topic = newTopic('again')
    await publish(client, topic, 'kept', { qos: 1, retain: true })
    expect(await subscribe(client, [topic, 1])).toEqual([1])
    expect(line(await client.heard())).toBe(`${topic} kept qos1 retained`)
    expect(await subscribe(client, [topic, 0])).toEqual([0])
    expect(line(await client.heard())).toBe(`${topic} kept qos0 retained`)
    await publish(client, topic, 'live', { qos: 1 })
    expect(line(await client.heard())).toBe(`${topic} live qos0`)
    expect(await client.before()).toEqual([])
  })

  test('after UNSUBSCRIBE nothing more comes, and an unknown filter is acknowledged too', async () => {
    const client = await connected(port)
    const [gone, kept] = [newTopic('gone'), newTopic('kept')]
    await subscribe(client, [gone, 1], [kept, 1])
    client.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: [gone, 'test/never'] })
    expect(await client.next()).toMatchObject({ cmd: 'unsuback', messageId: 7 })
    await publish(client, gone, 'x')
    await publish(client, kept, 'y')
    expect(line(await client.heard())).toBe(`${kept} y qos0`)
    expect(await client.before()).toEqual([])
  })
})

describe('topics that begin with $', () => {
  test('are not matched by # or +', async () => {
    const [client, other] = [await connected(port), await connected(port)]
    expect(await subscribe(client, ['#', 0], ['+/dollar/#', 0])).toEqual([0, 0])
    // Said by name it is heard, so it was published.
    expect(await subscribe(other, ['$test/dollar/a', 0])).toEqual([0])
    await publish(other, '$test/dollar/a', 'x')
    expect(line(await other.heard())).toBe('$test/dollar/a x qos0')
    expect((await client.before()).filter((packet) => packet.cmd === 'publish' && !packet.retain)).toEqual([])
  })

  test('of the broker itself may not be written', async () => {
    const client = await connected(port)
    client.send({ cmd: 'publish', topic: '$SYS/uptime', payload: '0', qos: 0, retain: false, dup: false })
    expect(await client.next()).toBeNull()
  })
})

describe('PUBLISH', () => {
  test.for([
    ['to #', '30 04 0001 23 78'],
    ['to +', '30 04 0001 2b 78'],
    ['to a wildcard inside', '30 08 0005 612f2b2f62 78'],
    ['to no topic', '30 03 0000 78'],
    ['of QoS 3', '36 08 0004 74657374 0001'],
    ['with a length its topic exceeds', '30 03 000f 61'],
  ])('a PUBLISH %s closes the connection', async ([, hex]) => {
    const client = await connected(port)
    client.write(hex!)
    expect(await client.next()).toBeNull()
  })

  test('each QoS has its flow, and what it carries arrives once', async () => {
    const [client, publisher] = [await connected(port), await connected(port)]
    const topic = newTopic('flows')
    await subscribe(client, [topic, 2])
    for (const qos of [0, 1, 2] as const) {
      await publish(publisher, topic, `qos${qos}`, { qos })
      expect(line(await client.heard())).toBe(`${topic} qos${qos} qos${qos}`)
    }
    expect(await client.before()).toEqual([])
  })

  test('QoS 2 said twice before its PUBREL is delivered once', async () => {
    const [client, publisher] = [await connected(port), await connected(port)]
    const topic = newTopic('twice')
    await subscribe(client, [topic, 2])
    for (const dup of [false, true]) {
      publisher.send({ cmd: 'publish', topic, payload: 'once', qos: 2, retain: false, dup, messageId: 9 })
      expect(await publisher.next()).toMatchObject({ cmd: 'pubrec', messageId: 9 })
    }
    publisher.send({ cmd: 'pubrel', messageId: 9 })
    expect(await publisher.next()).toMatchObject({ cmd: 'pubcomp', messageId: 9 })
    expect(line(await client.heard())).toBe(`${topic} once qos2`)
    expect(await client.before()).toEqual([])
  })

  test('a PUBREL of nothing is answered all the same', async () => {
    const client = await connected(port)
    client.send({ cmd: 'pubrel', messageId: 77 })
    expect(await client.next()).toMatchObject({ cmd: 'pubcomp', messageId: 77 })
  })

  test('what one client publishes at QoS 1 arrives in its order', async () => {
    const [client, publisher] = [await connected(port), await connected(port)]
    const topic = newTopic('order')
    await subscribe(client, [topic, 1])
    const numbers = Array.from({ length: 200 }, (_, n) => n)
    for (const n of numbers)
      publisher.send({ cmd: 'publish', topic, payload: `${n}`, qos: 1, retain: false, dup: false, messageId: n + 1 })
    for (const n of numbers) expect((await client.heard()).payload.toString()).toBe(`${n}`)
    for (const n of numbers) expect(await publisher.next()).toMatchObject({ cmd: 'puback', messageId: n + 1 })
  })

  test('an empty payload is a message', async () => {
    const client = await connected(port)
    const topic = newTopic('empty')
    await subscribe(client, [topic, 1])
    await publish(client, topic, '', { qos: 1 })
    expect((await client.heard()).payload).toHaveLength(0)
  })
})
