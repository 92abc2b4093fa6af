import type { When } from '../any-device.ts'
import type { Command, Report } from '../cabinet.ts'
import { encodeBody } from '../field.ts'
import type { AnyUplink, Make } from './define.ts'
import { requestOf, uplinks } from './dialect.ts'
import { seal } from './frame.ts'
import { decodeMembers, parseCommand } from './json.ts'
import { selfTest } from './returned.ts'

/** What a cabinet was told. */
export interface ReceivedCommand {
  cmd: string
  /** In our words, or null where there are none (`getWifi`). An eject by serial number says slot 0: look for the bank. */
  command: Command | null
  /** All of it, as decoded. */
  words: Record<string, unknown>
  /** When it was said and how long it holds, if it says so: obey or ignore it, as the firmware does (5.4). */
  when?: When
}

/** The device's half of a conversation over MQTT, for simulators and tests. */
export interface MqttDeviceCodec {
  /**
   * A report as a frame, for the update topic, a heartbeat for the heart topic. An inventory without `slots` lists only
   * the banks it names, as old firmware answers `check`.
   * @throws RangeError a report or a value this wire cannot carry
   */
  say(report: Report): Buffer
  /** A return as the self-test that follows it (0x28). @throws RangeError as `say` */
  sayTested(report: Report): Buffer
  /**
   * A publish of the get topic.
   * @throws MalformedBody not a command, or one nobody knows
   */
  listen(bytes: Buffer): ReceivedCommand
}

/**
 * The device side, of current firmware unless told otherwise.
 * @throws RangeError boards of fewer than two holes, whose numbers could not be told from those of the holes
 */
export function deviceCodec(settings: Partial<Make> = {}): MqttDeviceCodec {
  const make: Make = { firmware: 'current', holesPerBoard: 12, returnFrameBytes: 15, ...settings }
  if (make.holesPerBoard < 2) throw new RangeError('a board has two holes at least')
  const frame = (uplink: AnyUplink, report: Report) =>
    seal(uplink.code, encodeBody(uplink.up, uplink.says!(report, make)))
  return {
    say(report) {
      const uplink = uplinks.find(({ kinds }) => kinds.includes(report.kind))
      if (!uplink) throw new RangeError(`an MQTT cabinet says no ${report.kind}`)
      return frame(uplink, report)
    },
    sayTested(report) {
      if (!selfTest.kinds.some((kind) => kind === report.kind)) throw new RangeError(`no return: ${report.kind}`)
      return frame(selfTest, report)
    },
    listen(bytes) {
      const said = parseCommand(bytes)
      const { cmd, members, asks } = requestOf(said.get('cmd')!)
      // The definition that decoded the words understands them.
      const words: Record<string, unknown> & Partial<When> = decodeMembers(members, said)
      const { unixSeconds, ttlSeconds } = words
      const when = unixSeconds !== undefined && ttlSeconds !== undefined && { unixSeconds, ttlSeconds }
      return { cmd, command: asks?.(words) ?? null, words, ...(when && { when }) }
    },
  }
}
