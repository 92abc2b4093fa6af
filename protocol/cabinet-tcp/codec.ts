import type { Codec, Greeting } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import { decodeBody, encodeBody, type Layout } from '../field.ts'
import { A, B, type Dialect } from './dialect.ts'
import { checksumOf, type Frame, headerBytes, open, seal } from './frame.ts'
import { echoed, keyed, type Tokens } from './frame-token.ts'
import { magicB } from './login.ts'

/** The VSN of our commands; cabinets of both dialects obey it (docs/protocol.md 2.5). */
const vsnOfCommands = 1
const loginCode = 0x60
/** Behind the nonce (0x60). */
const magicAt = 4

function opened(bytes: Buffer): Frame {
  const frame = open(bytes)
  if (checksumOf(frame.payload) !== frame.checksum) throw new MalformedBody('bad checksum')
  return frame
}

function isEmpty(layout: Layout): boolean {
  for (const _ in layout) return false
  return true
}

function codec(dialect: Dialect, tokens: Tokens): Codec {
  return {
    decode(bytes) {
      const frame = opened(bytes)
      if (!tokens.accepts(frame)) throw new MalformedBody('bad token')
      const definition = dialect.byCode(frame.code)
      return definition.means(decodeBody(definition.up, frame.payload))
    },
    encode(command) {
      const definition = dialect.toTell(command.kind)
      const payload = Buffer.from(encodeBody(definition.down, definition.from(command)))
      return seal(definition.code, vsnOfCommands, tokens.sign(payload), payload)
    },
    answer(bytes, verdict, entropy) {
      const frame = open(bytes)
      const definition = dialect.byCode(frame.code)
      if (definition.initiator !== 'device') return null
      const body = definition.ack(decodeBody(definition.up, frame.payload), verdict, entropy)
      if (body === null) return null
      // Nothing answered with nothing is the same frame: same VSN, same checksum, same token (0x61).
      if (bytes.length === headerBytes && isEmpty(definition.down)) return bytes
      const payload = Buffer.from(encodeBody(definition.down, body))
      return seal(frame.code, frame.vsn, tokens.sign(payload), payload)
    },
  }
}

/**
 * Who dials, from the first frame of a connection. The magic picks the dialect: 0xA0A0 is B, anything else of A's shape
 * is A. The token is not looked at yet: its key is only known once the box id has been looked up.
 * @throws MalformedBody not a login, a bad checksum or an unreadable body
 */
export function greet(bytes: Buffer): Greeting {
  const { code, vsn, payload } = opened(bytes)
  if (code !== loginCode) throw new MalformedBody('the first frame is not a login')
  const isB = payload.length >= magicAt + 2 && payload.readUInt16BE(magicAt) === magicB
  const dialect = isB ? B : A
  const login = dialect.toSay('login')
  const report = login.means(decodeBody(login.up, payload))
  if (report.kind !== 'login') throw new MalformedBody('the first frame is not a login')
  return {
    dialect: dialect.letter,
    boxId: report.boxId,
    vsn,
    ...(report.slots !== undefined && { slots: report.slots }),
    needsKey: isB,
    codec: ({ keys }) => codec(dialect, isB ? keyed(keys) : echoed()),
  }
}
