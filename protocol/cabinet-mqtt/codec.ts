import type { Codec } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import { decodeBody } from '../field.ts'
import type { Firmware } from './define.ts'
import { toTell, uplinkOf } from './dialect.ts'
import { open } from './frame.ts'
import { encodeCommand } from './json.ts'

/**
 * The server's half of a conversation over MQTT: payloads of the update and heart topics are heard, what is told goes to
 * the get topic. It knows no secret: the broker has seen to that. A wrong length or check byte does not keep a frame from
 * being heard (docs/protocol.md 5.3), see `warnings`; only an inventory that is shorter than it says is refused, for the
 * banks it leaves out are not gone.
 */
export function codec({ firmware = 'current' }: { firmware?: Firmware } = {}): Codec {
  return {
    decode(bytes) {
      const frame = open(bytes)
      const uplink = uplinkOf(frame.code)
      if (uplink.isWholeOnly && frame.lengthSaid > bytes.length) throw new MalformedBody('only a part of a list')
      return uplink.means(decodeBody(uplink.up, frame.data), firmware)
    },
    encode(command, when) {
      const request = toTell(command, firmware)
      return encodeCommand(request.cmd, request.members, request.from!(command, when))
    },
    // A heartbeat goes back as it came, on the topic it came on; nothing else is answered (5.6).
    answer(bytes, verdict) {
      return verdict.kind === 'accepted' && uplinkOf(open(bytes).code).kinds.includes('heartbeat') ? bytes : null
    },
  }
}

/**
 * What is wrong with a frame that was heard nevertheless: a stale length, a stale check byte.
 * @throws MalformedBody not a frame
 */
export const warnings = (bytes: Buffer): string[] => open(bytes).warnings
