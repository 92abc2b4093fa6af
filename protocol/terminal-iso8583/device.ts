import { MalformedBody } from '../errors.ts'
import type { DeviceCodec, Heard, Presented, Saying } from '../terminal.ts'
import { outcome } from './define.ts'
import { answerTo, definitionOf, isAnswer, isRepeat, mtiText, told, toSay } from './dialect.ts'
import { type Carrier, headOf, open, sealed } from './frame.ts'
import { type Body, de, decodeBody, encodeBody, type Layout, may } from './layout.ts'
import { ringOf } from './mac.ts'
import { join, split } from './message.ts'
import type { figures } from './totals.ts'

/** What a terminal is made with. `key` is 64 hex digits; a `tpdu` of five bytes goes in front of each frame. */
export interface DeviceSettings {
  terminalCode: string
  key: string
  tpdu?: Buffer
  carrier?: Carrier
}

const stan = may(de(11))

/** The terminal's side of the wire, for simulators and tests. @throws RangeError a key that is none */
export function deviceCodec({ terminalCode, key, tpdu, carrier = 'tcp' }: DeviceSettings): DeviceCodec {
  const ring = ringOf([key])
  const head = () => headOf(tpdu ?? null, carrier)

  function heard(bytes: Buffer, isSigned: boolean): Heard {
    const message = split(bytes)
    const asked = definitionOf(message.mti)
    const layout: Layout = { ...(asked?.initiator === 'terminal' ? asked.down : outcome), stan }
    // What is left are the figures of an answer to totals, all of them or none.
    const { code, settlement, rrn, approval, stan: number, ...totals } = decodeBody(layout, message)
    return {
      ...{ kind: 'answer', mti: mtiText(message.mti), code, isSigned },
      ...(number !== undefined && { stan: number }),
      ...(rrn !== undefined && { rrn }),
      ...(approval !== undefined && { approval }),
      ...(settlement !== undefined && { isInBalance: settlement === '1' }),
      ...(totals.debits !== undefined && { totals: totals as Body<typeof figures> }),
    }
  }

  return {
    encode(report: Saying<Presented>) {
      const definition = toSay(report)
      const repeat = 'isRepeat' in report ? 1 : 0
      const mti = (definition.initiator === 'host' ? answerTo(definition.mti) : definition.mti) + repeat
      // `any` meets `any`: the kind chose the definition, so the report is one that it says.
      const parts = encodeBody(definition.up as Layout, definition.says(report as never, terminalCode))
      return sealed(join(mti, parts, head(), ring.sign), carrier)
    },
    decode(frame) {
      const bytes = open(frame, carrier).message
      const message = split(bytes)
      const isSigned = message.hasMac && ring.accepts(bytes)
      if (isAnswer(message.mti)) {
        const answer = heard(bytes, isSigned)
        if (!isSigned && answer.code !== 'A0') throw new MalformedBody('bad MAC')
        return answer
      }
      if (!isSigned || message.fault) throw new MalformedBody(message.fault ?? 'bad MAC')
      if (definitionOf(message.mti) !== told) throw new MalformedBody('nothing that a host says')
      const command = told.asks(decodeBody(told.down, message))
      return isRepeat(message.mti) ? { ...command, isRepeat: true } : command
    },
  }
}
