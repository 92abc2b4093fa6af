import { describe, expect, test } from 'vitest'
import { requestOf, uplinkOf } from '../../protocol/cabinet-mqtt/dialect.ts'
import { open, seal } from '../../protocol/cabinet-mqtt/frame.ts'
import { codec, deviceCodec, sign, warnings } from '../../protocol/cabinet-mqtt/index.ts'
import { decodeMembers, encodeCommand, parseCommand } from '../../protocol/cabinet-mqtt/json.ts'
import { explain } from '../../protocol/explain.ts'
import { decodeBody, encodeBody } from '../../protocol/field.ts'
import { bodyOf, commands, frames, signatures, vectors } from './mqtt-vectors.ts'

test('every public MQTT and HTTP vector is used', () => {
  expect([frames.length, commands.length, signatures.length]).toEqual([16, 6, 2])
  expect(frames.length + commands.length + signatures.length).toBe(vectors.length)
})

describe.each(frames)('$name', (vector) => {
  const bytes = Buffer.from(vector.hex, 'hex')
  const frame = open(bytes)
  const uplink = uplinkOf(frame.code)

  test('its frame says what the vector says, and what is wrong with it is told', () => {
    expect(`0x${frame.code.toString(16).toUpperCase()}`).toBe(vector.command)
    expect(frame.lengthSaid).toBe(vector.decoded.length)
    expect(frame.lengthOk).toBe(vector.verify.length_ok)
    expect(frame.checkOk).toBe(vector.verify.checksum_ok)
    const wrong = [vector.verify.length_ok, vector.verify.checksum_ok].filter((ok) => !ok)
    expect(warnings(bytes)).toHaveLength(wrong.length)
    if (vector.verify.computed_checksum) expect(warnings(bytes).join()).toContain(vector.verify.computed_checksum)
  })

  test('its body says what the vector says, and goes out byte for byte', () => {
    const body: Record<string, any> = decodeBody(uplink.up, frame.data)
    const summed = vector.decoded.controlBoards?.[0]?.holes === undefined && vector.command === '0x10'
    const boards = () =>
      body.boards.map(({ holes, ...header }: Record<string, any>) => ({
        ...header,
        holes: { count: holes.length, first: holes[0].hole, last: holes.at(-1).hole },
      }))
    expect(summed ? { boards: boards() } : body).toEqual(bodyOf(vector))
    const again = seal(frame.code, encodeBody(uplink.up, body))
    // Some published frames carry a stale length or check byte; all other bytes are theirs.
    if (!frame.lengthOk) again.writeUInt16BE(frame.lengthSaid, 1)
    if (!frame.checkOk) again[again.length - 1] = bytes.at(-1)!
    expect(again.toString('hex').toUpperCase()).toBe(vector.hex)
  })

  test('it is heard, and explained as what it is', () => {
    expect(uplink.kinds).toContain(codec().decode(bytes).kind)
    expect(explain(bytes)).toMatchObject({ dialect: 'mqtt', command: vector.command, from: 'device' })
  })
})

test.each(commands)('$name is read, and told in the same bytes', (vector) => {
  const bytes = Buffer.from(vector.hex, 'hex')
  expect(bytes.toString()).toBe(vector.text)
  const said = parseCommand(bytes)
  expect(Object.fromEntries(said)).toEqual(vector.decoded)
  const { cmd, members } = requestOf(vector.command)
  expect(encodeCommand(cmd, members, decodeMembers(members, said)).toString()).toBe(vector.text)
  expect(deviceCodec().listen(bytes).cmd).toBe(vector.command)
  expect(explain(bytes)).toMatchObject({ dialect: 'mqtt', command: vector.command, from: 'server' })
})

test.each(signatures)('$name verifies', ({ hex, text, decoded }) => {
  expect(Buffer.from(hex, 'hex').toString()).toBe(text)
  const pairs = text!.split('|').map((pair) => pair.split('=') as [string, string])
  expect(sign(pairs.toReversed())).toBe(decoded.md5)
})
