import type { DeviceCodec } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import { decodeBody, encodeBody } from '../field.ts'
import { A, B } from './dialect.ts'
import { checksumOf, open, seal } from './frame.ts'
import { keyed, tokenDefaultA } from './frame-token.ts'

/** What a cabinet is made with. `key` is TCP-B's secret; `token` is TCP-A's constant in hex; `vsn` is 1 in A and 2 in B. */
export interface DeviceSettings {
  key?: string | undefined
  vsn?: number
  token?: string
}

/**
 * The device side of a dialect, for simulators and tests. Like real ones, a TCP-A cabinet checks neither checksum nor
 * token of what it hears (docs/protocol.md 2.3, 2.4); a TCP-B cabinet checks both.
 * @throws RangeError TCP-B without a key, or a token that is not hex of four bytes
 */
export function deviceCodec(letter: 'A' | 'B', settings: DeviceSettings = {}): DeviceCodec {
  const dialect = letter === 'A' ? A : B
  const { key, vsn = letter === 'A' ? 1 : 2, token } = settings
  if (letter === 'B' && !key) throw new RangeError('a TCP-B cabinet needs its key')
  if (token !== undefined && !/^[0-9a-f]{8}$/i.test(token)) throw new RangeError('a token is eight hex digits')
  const constant = token === undefined ? tokenDefaultA : Number.parseInt(token, 16)
  const tokens = letter === 'A' ? { accepts: () => true, sign: () => constant } : keyed([key ?? ''])
  return {
    encode(report, login = {}) {
      const definition = dialect.toSay(report.kind)
      // `any` meets `any`: the kind chose the definition, so the report is the one it says.
      const payload = Buffer.from(encodeBody(definition.up, definition.says(report as never, login)))
      return seal(definition.code, vsn, tokens.sign(payload), payload)
    },
    decode(bytes) {
      const frame = open(bytes)
      if (letter === 'B' && checksumOf(frame.payload) !== frame.checksum) throw new MalformedBody('bad checksum')
      if (!tokens.accepts(frame)) throw new MalformedBody('bad token')
      const definition = dialect.byCode(frame.code)
      const body = decodeBody(definition.down, frame.payload)
      return definition.initiator === 'server' ? definition.asks(body) : definition.heard(body)
    },
  }
}
