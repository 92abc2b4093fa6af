/** A terminal's messages on either wire, and what no honest terminal would say. */
import type { DeviceCodec } from '../../protocol/terminal.ts'
import { fieldAt } from '../../protocol/terminal-iso8583/fields.ts'
import { type Carrier, headOf, open, sealed } from '../../protocol/terminal-iso8583/frame.ts'
import { deviceCodec } from '../../protocol/terminal-iso8583/index.ts'
import { ringOf } from '../../protocol/terminal-iso8583/mac.ts'
import { join, type Part, partOf, present, split } from '../../protocol/terminal-iso8583/message.ts'
import { bytesOf } from '../../protocol/terminal-iso8583/values.ts'
import type { Wire } from './machine.ts'

const macFields = [64, 128]

/** How a terminal is made. */
interface Make {
  terminalCode: string
  key: string
  /** Five bytes in front of each message, of those that are routed. */
  tpdu?: Buffer | undefined
  carrier: Carrier
}

/** @throws RangeError a key that is none */
export function spelling({ terminalCode, key, tpdu, carrier }: Make): Pick<Wire, 'frameOf' | 'withField'> & {
  codec: DeviceCodec
} {
  const codecOf = (code: string) => deviceCodec({ terminalCode: code, key, carrier, ...(tpdu && { tpdu }) })
  const codec = codecOf(terminalCode)
  const ring = ringOf([key])
  return {
    codec,
    frameOf: (report, code) => (code === undefined ? codec : codecOf(code)).encode(report),
    withField(frame, number, hex) {
      const { tpdu, message: bytes } = open(frame, carrier)
      const message = split(bytes)
      // It is there: it was just found.
      const parts: Part[] = present(message)
        .filter((field) => !macFields.includes(field.number))
        .map((field) => partOf(message, field)!)
      const more = bytesOf(fieldAt(number)!, hex)
      const all = [...parts, { number, bytes: more, start: 0, end: more.length }]
      return sealed(join(message.mti, all, headOf(tpdu, carrier), ring.sign), carrier)
    },
  }
}
