import { open, seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { deviceCodec, greet, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { frames, seen } from '../protocol/vectors.ts'
import { serve } from './child.ts'

const key = 'EXAMPLEKEY'
const mixFrames = 20_000
/** What one read from a socket may hold. */
const chunkBytes = 16_384
const entropy = { nonce: 1, unixSeconds: 1 }

const device = deviceCodec('B', { key })
const login = device.encode({ kind: 'login', boxId: 'DCHEY02504000018' })

/** A captured frame as a cabinet with an invented key would have signed it. */
function signed(hex: string): Buffer {
  const { code, vsn, payload } = open(Buffer.from(hex, 'hex'))
  return seal(code, vsn, tokenOf(payload, Buffer.from(key)), payload)
}

/** A weighted round robin: every frame as often as public logs show it, evenly spread. */
function mixed(weighted: readonly { frame: Buffer; weight: number }[]): Buffer[] {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0)
  const debts = weighted.map(() => 0)
  return Array.from({ length: mixFrames }, () => {
    let most = 0
    for (const [at, { weight }] of weighted.entries()) {
      debts[at]! += weight / total
      if (debts[at]! > debts[most]!) most = at
    }
    debts[most]! -= 1
    return weighted[most]!.frame
  })
}

const captured = frames
  .filter(({ dialect, direction }) => dialect === 'B' && direction === 'device->server')
  .map((vector) => ({ frame: signed(vector.hex), weight: seen(vector) }))
const slots = Array.from({ length: 8 }, (_, at) => ({ slot: at + 1, bankId: `444348415400000${at}`, levelPercent: 95 }))
const inventory = device.encode({ kind: 'inventory', slots: 8, banks: slots })

const lists = {
  /** All a TCP-B cabinet says, by how often it says it. */
  mix: mixed(captured),
  /** The same without heartbeats. */
  busy: mixed(captured.filter(({ frame }) => frame.length > 9)),
  inventories: Array.from({ length: 2_000 }, () => inventory),
}

const skills = {
  /**
   * How many frames a second one core cuts, verifies and understands; `answering`: and acknowledges. A second is one of
   * processor time, the collector's threads included: what else runs on the machine does not count.
   */
  measure({ list, answering, ms }: { list: keyof typeof lists; answering: boolean; ms: number }): number {
    const bytes = Buffer.concat(lists[list])
    const codec = greet(login).codec({ keys: [key] })
    const from = process.cpuUsage()
    const spentMs = () => {
      const { user, system } = process.cpuUsage(from)
      return (user + system) / 1_000
    }
    let heard = 0
    while (spentMs() < ms) {
      const framer = newFramer()
      for (let at = 0; at < bytes.length; at += chunkBytes)
        for (const frame of framer.push(bytes.subarray(at, at + chunkBytes))) {
          codec.decode(frame)
          if (answering) codec.answer(frame, { kind: 'accepted' }, entropy)
          heard++
        }
    }
    return (heard * 1_000) / spentMs()
  },
  /** The share of heartbeats in the mix. */
  heartbeats: () => lists.mix.filter((frame) => frame.length === 9).length / lists.mix.length,
}

/** For `start`. */
export type CodecChild = typeof skills

serve(skills)
