import { expect, test } from 'vitest'
import { open, seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { A, B, deviceCodec, greet, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { decodeBody, encodeBody } from '../../protocol/field.ts'
import { frames } from './vectors.ts'

const inputs = 1_050_000
const key = 'EXAMPLEKEY'
const keyBytes = Buffer.from(key)
const entropy = { nonce: 1, unixSeconds: 1 }
const accepted = { kind: 'accepted' } as const

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

const below = random(0x5eed)
const codes = A.definitions.map(({ code }) => code)
const captured = frames.map(({ hex }) => Buffer.from(hex, 'hex'))
const noise = (size: number) => Buffer.from(Array.from({ length: size }, () => below(256)))

/** A captured frame with bytes changed, lost, doubled or inserted. */
function mutated(): Buffer {
  let bytes = Buffer.from(captured[below(captured.length)]!)
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(bytes.length)
    const how = below(4)
    if (how === 0) bytes[at] = below(256)
    else if (how === 1) bytes[at]! ^= 1 << below(8)
    else if (how === 2)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length - 1, at + 1))])
    else bytes = Buffer.concat([bytes.subarray(0, at), noise(1 + below(4)), bytes.subarray(at)])
  }
  return bytes
}

/** Any payload under a header without fault, so that the damage reaches the body. */
function whole(letter: 'A' | 'B'): Buffer {
  const damaged = mutated()
  const payload = below(3) === 0 ? noise(below(60)) : damaged.subarray(9)
  const code = below(2) === 0 ? (damaged[2] ?? 0) : codes[below(codes.length)]!
  return seal(code, below(3), letter === 'B' ? tokenOf(payload, keyBytes) : below(2 ** 31), payload)
}

const tally = { taken: 0, malformed: 0, broken: 0 }

/** Whatever it is given, `work` ends well or in one of the two declared errors. */
function survives(bytes: Buffer, work: (bytes: Buffer) => void) {
  try {
    work(bytes)
    tally.taken++
  } catch (error) {
    if (error instanceof MalformedBody) tally.malformed++
    else if (error instanceof BrokenStream) tally.broken++
    else throw new Error(`${bytes.toString('hex')}: ${error}`, { cause: error })
  }
}

function ends(letter: 'A' | 'B') {
  const device = deviceCodec(letter, { key })
  const codec = greet(device.encode({ kind: 'login', boxId: 'FUZZ' })).codec({ keys: [key] })
  const dialect = letter === 'A' ? A : B
  return [
    (bytes: Buffer) => {
      codec.decode(bytes)
      codec.answer(bytes, accepted, entropy)
      // What was understood goes out in one canonical form, which says the same.
      const { code, payload } = open(bytes)
      const { up } = dialect.byCode(code)
      const body = decodeBody(up, payload)
      expect(decodeBody(up, Buffer.from(encodeBody(up, body)))).toEqual(body)
    },
    (bytes: Buffer) => void device.decode(bytes),
    (bytes: Buffer) => void greet(bytes),
    (bytes: Buffer) => void explain(bytes, below(2) === 0 ? {} : { dialect: letter, key }),
  ]
}

test(`${inputs} damaged and random inputs end in an answer or one of the two errors`, { timeout: 120_000 }, () => {
  const traces = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const [endsOfA, endsOfB] = [ends('A'), ends('B')]
  const started = performance.now()
  for (let count = 0; count < inputs; count++) {
    const letter = count % 2 === 0 ? 'A' : 'B'
    const hears = letter === 'A' ? endsOfA : endsOfB
    const work = hears[below(hears.length)]!
    const kind = below(8)
    if (kind === 0) survives(below(2) === 0 ? mutated() : noise(below(40)), (bytes) => drain(bytes, work))
    else if (kind === 1) survives(noise(below(64)), work)
    else if (kind === 2) survives(mutated(), work)
    else survives(whole(letter), work)
  }
  Error.stackTraceLimit = traces
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`fuzz: ${inputs} inputs in ${seconds} s: ${JSON.stringify(tally)}`)
  expect(tally.taken + tally.malformed + tally.broken).toBe(inputs)
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(1000)
})

/** As a connection would: cut in two pieces, every frame handed on, and the rest never more than a frame. */
function drain(bytes: Buffer, work: (bytes: Buffer) => void) {
  const framer = newFramer()
  const at = below(bytes.length + 1)
  for (const chunk of [bytes.subarray(0, at), bytes.subarray(at)]) for (const frame of framer.push(chunk)) work(frame)
  if (framer.rest().length > 4097) throw new Error('the rest has no cap')
}
