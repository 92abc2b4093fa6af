import { expect, test } from 'vitest'
import { requests, uplinkOf, uplinks } from '../../protocol/cabinet-mqtt/dialect.ts'
import { open, seal } from '../../protocol/cabinet-mqtt/frame.ts'
import { codec, deviceCodec, readConnectAnswer, topicOf, warnings } from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { decodeBody, encodeBody } from '../../protocol/field.ts'
import { commands, frames } from './mqtt-vectors.ts'

const inputs = 200_000

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

const below = random(0xa85eed)
const one = <T>(list: readonly T[]): T => list[below(list.length)]!
const noise = (size: number) => Buffer.from(Array.from({ length: size }, () => below(256)))

// The largest frame has 2819 bytes and would take all the time there is.
const said = [...frames.map(({ hex }) => hex), ...uplinks.flatMap(({ examples }) => examples.map(({ frame }) => frame))]
  .map((hex) => Buffer.from(hex, 'hex'))
  .filter(({ length }) => length < 1000)
const told = [
  ...commands.map(({ text }) => text!),
  ...requests.flatMap(({ examples }) => examples.map(({ json }) => json)),
].map((json) => Buffer.from(json))

/** A frame or command with bytes changed, lost, doubled or inserted. */
function mutated(of: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(one(of))
  for (let times = 1 + below(3); times > 0 && bytes.length > 0; times--) {
    const at = below(bytes.length)
    const how = below(8)
    if (how < 3) bytes[at] = below(256)
    else if (how < 6) bytes[at]! ^= 1 << below(8)
    else if (how === 6) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(15))])
    else bytes = Buffer.concat([bytes.subarray(0, at), noise(1 + below(16)), bytes.subarray(at)])
  }
  return bytes
}

/** Any data under a frame without fault, so that the damage reaches the body. */
const whole = () => seal(one(uplinks).code, below(3) === 0 ? noise(below(60)) : mutated(said).subarray(4, -1))

const [current, old] = [codec(), codec({ firmware: 'old' })]
const device = deviceCodec()

function heard(bytes: Buffer) {
  const report = (below(2) === 0 ? current : old).decode(bytes)
  expect(current.answer(bytes, { kind: 'accepted' }, { nonce: 1, unixSeconds: 1 })).toBe(
    report.kind === 'heartbeat' ? bytes : null,
  )
  warnings(bytes)
  // What was understood goes out in one canonical form, which says the same.
  const { code, data } = open(bytes)
  const { up } = uplinkOf(code)
  expect(Buffer.from(encodeBody(up, decodeBody(up, data)))).toEqual(data)
}

function listened(bytes: Buffer) {
  const { command, when } = device.listen(bytes)
  if (command) expect(device.listen(current.encode(command, when)).command).toEqual(command)
}

const ends = [heard, heard, listened, (bytes: Buffer) => void explain(bytes, { dialect: 'mqtt' })]

test(`${inputs} damaged and random payloads end in an answer or MalformedBody`, { timeout: 120_000 }, () => {
  const tally = { taken: 0, malformed: 0 }
  const traces = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const started = performance.now()
  for (let count = 0; count < inputs; count++) {
    const work = one(ends)
    const bytes =
      below(6) === 0 ? noise(below(64)) : work === listened ? mutated(told) : below(2) ? mutated(said) : whole()
    try {
      work(bytes)
      tally.taken++
    } catch (error) {
      if (!(error instanceof MalformedBody)) throw new Error(`${bytes.toString('hex')}: ${error}`, { cause: error })
      tally.malformed++
    }
  }
  Error.stackTraceLimit = traces
  console.log(
    `fuzz: ${inputs} payloads in ${((performance.now() - started) / 1000).toFixed(1)} s: ${JSON.stringify(tally)}`,
  )
  expect(tally.taken).toBeGreaterThan(10_000)
  expect(tally.malformed).toBeGreaterThan(10_000)
})

test('any topic is somebody’s or nobody’s, and any answer to a connect is one or MalformedBody', () => {
  for (let count = 0; count < 20_000; count++) {
    expect(topicOf(noise(below(40)).toString('latin1'))).toBeNull()
    try {
      readConnectAnswer(
        mutated([Buffer.from('{"code":200,"type":0,"data":"a,powerbank,h,1883,u,p,1","msg":"OK"}')]).toString(),
      )
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedBody)
    }
  }
})
