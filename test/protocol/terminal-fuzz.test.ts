import { expect, test } from 'vitest'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { definitions, deviceCodec, greet, newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { ringOf } from '../../protocol/terminal-iso8583/mac.ts'
import { cardKey, entropy, key, signOn, terminalCode } from './terminal-stage.ts'

const inputs = 1_050_000

/** Marsaglia's xorshift: the same numbers in every run. */
function random(seed: number) {
  let state = seed
  return (below: number) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const below = random(0x8583)
const ring = ringOf([key])
const messages = definitions.flatMap(({ examples }) =>
  examples.flatMap(({ up, down }) => [Buffer.from(up, 'hex'), Buffer.from(down, 'hex')]),
)
function noise(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at++) bytes[at] = below(256)
  return bytes
}

/** A whole message with bytes changed, lost or inserted. */
function mutated(): Buffer {
  let bytes = Buffer.from(messages[below(messages.length)]!)
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(4) === 0 ? below(18) : below(bytes.length)
    const how = below(5)
    if (how === 0) bytes[at] = below(256)
    else if (how < 3) bytes[at]! ^= 1 << below(8)
    else if (how === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
    else bytes = Buffer.concat([bytes.subarray(0, at), noise(1 + below(4)), bytes.subarray(at)])
  }
  return bytes
}

/** The same under a MAC that is right, so that the damage reaches the fields. */
function signed(): Buffer {
  const bytes = below(8) === 0 ? noise(20 + below(200)) : mutated()
  if (bytes.length < 20) return bytes
  bytes.write(ring.sign(bytes.subarray(0, -8)), bytes.length - 8, 8, 'latin1')
  return bytes
}

function framed(message: Buffer): Buffer {
  const tpdu = below(2) === 0 ? Buffer.of(0x60, 0, 1, 0, 2) : Buffer.alloc(0)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(tpdu.length + message.length)
  return Buffer.concat([length, tpdu, message])
}

const tally = { taken: 0, malformed: 0, broken: 0 }

/** Whatever it is given, `work` ends well or in one of the two declared errors. What it read is overwritten: its number is told. */
function survives(bytes: Buffer, work: (bytes: Buffer) => void, count: number) {
  try {
    work(bytes)
    tally.taken++
  } catch (error) {
    if (error instanceof MalformedBody) tally.malformed++
    else if (error instanceof BrokenStream) tally.broken++
    else throw new Error(`input ${count}: ${error}`, { cause: error })
  }
}

/** All that reads what comes from outside. */
function ends(carrier: 'tcp' | 'mqtt') {
  const device = deviceCodec({ terminalCode, key, carrier })
  const codec = greet(device.encode(signOn), carrier).codec({ keys: [key], cardKey })
  const hear = (bytes: Buffer) => {
    const report = codec.decode(bytes)
    const code = report.kind === 'unacceptable' ? report.code : '00'
    const answer = codec.answer(bytes, { kind: 'answered', code }, entropy)
    // Whoever hears the answer understands it.
    const heard = answer && device.decode(answer)
    if (heard && !('code' in heard && heard.code === code && heard.isSigned)) throw new Error('another answer')
  }
  const tell = (bytes: Buffer) => void device.decode(bytes)
  const meet = (bytes: Buffer) => void greet(bytes, carrier)
  return [hear, hear, tell, meet, (bytes: Buffer) => void explain(bytes, { dialect: 'iso8583', key })]
}

/** As a connection would: cut in two pieces, every frame handed on, and the rest never more than a frame. */
function drain(bytes: Buffer, work: (bytes: Buffer) => void) {
  const framer = newFramer()
  const at = below(bytes.length + 1)
  for (const chunk of [Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))])
    for (const frame of framer.push(chunk)) work(frame)
  if (framer.rest().length > 4097) throw new Error('the rest has no cap')
}

test(`${inputs} damaged and random inputs end in an answer or one of the two errors`, { timeout: 120_000 }, () => {
  const traces = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const [overTcp, overMqtt] = [ends('tcp'), ends('mqtt')]
  const started = performance.now()
  for (let count = 0; count < inputs; count++) {
    const kind = below(8)
    const isFramed = count % 2 === 0
    const hears = isFramed ? overTcp : overMqtt
    const work = hears[below(hears.length)]!
    const message = kind === 0 ? noise(below(64)) : kind < 3 ? mutated() : signed()
    const bytes = isFramed && kind !== 1 ? framed(message) : message
    if (isFramed && kind < 2) survives(bytes, (bytes) => drain(bytes, work), count)
    else survives(bytes, work, count)
  }
  Error.stackTraceLimit = traces
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`terminal fuzz: ${inputs} inputs in ${seconds} s: ${JSON.stringify(tally)}`)
  expect(tally.taken + tally.malformed + tally.broken).toBe(inputs)
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(1000)
})
