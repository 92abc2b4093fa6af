import { describe, expect, test } from 'vitest'
import {
  connected,
  line,
  newId,
  newTopic,
  openBroker,
  packetBytesMax,
  publish,
  subscribe,
  wire,
} from './mqtt-conformance.ts'

const port = await openBroker()

describe('CONNECT', () => {
  test('an empty client id with a clean session is given one of its own', async () => {
    const [one, other] = await Promise.all([connected(port, { clientId: '' }), connected(port, { clientId: '' })])
    expect(one.connack).toMatchObject({ returnCode: 0, sessionPresent: false })
    expect(other.connack).toMatchObject({ returnCode: 0 })
    expect(await one.before()).toEqual([])
  })

  test('an empty client id with a session to keep is refused with 0x02 and closed', async () => {
    const client = wire(port)
    client.write('10 0c 00044d515454 04 00 003c 0000')
    expect(await client.next()).toMatchObject({ cmd: 'connack', returnCode: 2, sessionPresent: false })
    await client.ended
  })

  test.for([2, 5, 6, 127])('protocol level %d is refused with 0x01 and closed', async (level) => {
    const client = wire(port)
    const properties = level === 5 ? '00' : ''
    const body = `00044d515454 ${level.toString(16).padStart(2, '0')} 02 003c ${properties} 000161`
    client.write(`10 ${(body.replaceAll(' ', '').length / 2).toString(16).padStart(2, '0')} ${body}`)
    expect(await client.next()).toMatchObject({ cmd: 'connack', returnCode: 1, sessionPresent: false })
    await client.ended
  })

  test.for([
    ['a PUBLISH', '30 05 0003612f62'],
    ['a PINGREQ', 'c0 00'],
    ['a CONNACK', '20 02 0000'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n').toString('hex')],
    ['zeros', '00000000000000000000'],
    ['a length without end', '10 ffffffffff'],
    ['another protocol name', '10 0d 00045854514d 04 02 003c 000161'],
    ['the reserved flag', '10 0d 00044d515454 04 03 003c 000161'],
    ['reserved bits of the header', '11 0d 00044d515454 04 02 003c 000161'],
    ['a will QoS without a will', '10 0d 00044d515454 04 0a 003c 000161'],
    ['a CONNECT cut short by its own length', '10 08 00044d515454 04 02'],
  ])('a connection that begins with %s is closed and told nothing', async ([, hex]) => {
    const client = wire(port)
    client.write(hex!)
    expect(await client.next()).toBeNull()
  })

  test('a connection that says nothing is closed', async () => {
    const client = wire(port)
    expect(await client.next()).toBeNull()
  })

  test('a packet that is too long closes the connection before it has come in whole', async () => {
    const client = await connected(port)
    const topic = newTopic('long')
    await publish(client, topic, 'x'.repeat(packetBytesMax - topic.length - 4), { qos: 1 })
    // QoS 0, 256 MB: the header alone is enough.
    client.write('30 ffffff7f')
    expect(await client.next()).toBeNull()
  })

  test('a password without a user name is closed', async () => {
    const client = wire(port)
    client.write('10 10 00044d515454 04 42 003c 000161 000162')
    expect(await client.next()).toBeNull()
  })

  test('will QoS 3 is closed', async () => {
    const client = wire(port)
    client.write('10 13 00044d515454 04 1e 003c 000161 000162 000163')
    expect(await client.next()).toBeNull()
  })

  test('a second CONNECT closes the connection', async () => {
    const client = await connected(port)
    client.write('10 0d 00044d515454 04 02 003c 000161')
    expect(await client.next()).toBeNull()
  })

  test('MQTT 3.1 of older firmware is understood', async () => {
    const client = await connected(port, { protocolId: 'MQIsdp', protocolVersion: 3 })
    expect(client.connack).toMatchObject({ returnCode: 0 })
    expect(await client.before()).toEqual([])
  })

  test('a client id used again takes over, and the older connection is closed', async () => {
    const old = await connected(port)
    const young = await connected(port, { clientId: old.clientId })
    expect(young.connack).toMatchObject({ returnCode: 0 })
    expect(await old.next()).toBeNull()
    const topic = newTopic('takeover')
    await subscribe(young, [topic, 0])
    await publish(young, topic, 'here')
    expect(line(await young.heard())).toBe(`${topic} here qos0`)
  })

  test('twenty connections of one client id at once leave one', async () => {
    const clientId = newId()
    const all = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = wire(port)
        client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60, clientId })
        return client
      }),
    )
    const { promise: nineteen, resolve } = Promise.withResolvers<void>()
    let ended = 0
    for (const client of all) void client.ended.then(() => ++ended === all.length - 1 && resolve())
    await nineteen
    const alive = all.filter(({ socket }) => !socket.destroyed)
    expect(alive).toHaveLength(1)
    expect((await alive[0]!.before()).map(({ cmd }) => cmd)).toEqual(['connack'])
  })
})

describe('keep-alive', () => {
  test('a client that is silent for one and a half of its keep-alive is cut', async () => {
    const from = performance.now()
    const client = await connected(port, { keepalive: 1 })
    await client.ended
    const seconds = (performance.now() - from) / 1000
    expect(seconds).toBeGreaterThanOrEqual(1.5)
    expect(seconds).toBeLessThan(3)
  })

  test('pings keep a client', async () => {
    const client = await connected(port, { keepalive: 1 })
    const silent = await connected(port, { keepalive: 1 })
    // The other's end is the clock: pinged all the while, this one outlives it.
    let isOver = false
    void silent.ended.then(() => {
      isOver = true
    })
    while (!isOver) expect(await client.before()).toEqual([])
    expect(await client.before()).toEqual([])
  })
})
