import { open, seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { deviceCodec, greet, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import {
  definitions,
  greet as greetTerminal,
  deviceCodec as terminal,
  newFramer as terminalFramer,
} from '../../protocol/terminal-iso8583/index.ts'
import { signOn, terminalCode, key as terminalKey } from '../protocol/terminal-stage.ts'
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

const till = terminal({ terminalCode, key: terminalKey, tpdu: Buffer.of(0x60, 0, 1, 0, 2) })
const saysOf = (kind: string) =>
  definitions.flatMap(({ examples }) => examples.flatMap(({ says }) => (says.kind === kind ? [till.encode(says)] : [])))
/** A terminal's day: 1,440 heartbeats, and a sale every five minutes, one in twenty of them reversed. */
const terminalLists = {
  day: mixed([
    { frame: saysOf('heartbeat')[0]!, weight: 1_440 },
    { frame: saysOf('purchase')[0]!, weight: 288 },
    { frame: saysOf('reversal')[0]!, weight: 14 },
    { frame: saysOf('totals')[0]!, weight: 1 },
  ]),
  purchases: Array.from({ length: 2_000 }, () => saysOf('purchase')[0]!),
}

const lists = {
  /** All a TCP-B cabinet says, by how often it says it. */
  mix: mixed(captured),
  /** The same without heartbeats. */
  busy: mixed(captured.filter(({ frame }) => frame.length > 9)),
  inventories: Array.from({ length: 2_000 }, () => inventory),
}

/** How much a second of processor time gets done, the collector's threads included: what else runs on the machine does not count. */
function perSecond(ms: number, work: () => number): number {
  const from = process.cpuUsage()
  const spentMs = () => {
    const { user, system } = process.cpuUsage(from)
    return (user + system) / 1_000
  }
  let done = 0
  while (spentMs() < ms) done += work()
  return (done * 1_000) / spentMs()
}

const skills = {
  /** How many frames a second one core cuts, verifies and understands; `answering`: and acknowledges. */
  measure({ list, answering, ms }: { list: keyof typeof lists; answering: boolean; ms: number }): number {
    const bytes = Buffer.concat(lists[list])
    const codec = greet(login).codec({ keys: [key] })
    return perSecond(ms, () => {
      const framer = newFramer()
      let heard = 0
      for (let at = 0; at < bytes.length; at += chunkBytes)
        for (const frame of framer.push(bytes.subarray(at, at + chunkBytes))) {
          codec.decode(frame)
          if (answering) codec.answer(frame, { kind: 'accepted' }, entropy)
          heard++
        }
      return heard
    })
  },
  /** The same of a terminal's messages. Their bytes are copied first, within the time: what is read is overwritten. */
  measureTerminal({
    list,
    answering,
    ms,
  }: {
    list: keyof typeof terminalLists
    answering: boolean
    ms: number
  }): number {
    const bytes = Buffer.concat(terminalLists[list])
    const codec = greetTerminal(till.encode(signOn)).codec({ keys: [terminalKey], cardKey: terminalKey })
    const approved = { kind: 'answered', code: '00', rrn: '633320000002', approval: 'A1B2C3' } as const
    return perSecond(ms, () => {
      const framer = terminalFramer()
      let heard = 0
      for (let at = 0; at < bytes.length; at += chunkBytes)
        for (const frame of framer.push(Buffer.from(bytes.subarray(at, at + chunkBytes)))) {
          codec.decode(frame)
          if (answering) codec.answer(frame, approved, entropy)
          heard++
        }
      return heard
    })
  },
  /** The share of heartbeats in the mix. */
  heartbeats: () => lists.mix.filter((frame) => frame.length === 9).length / lists.mix.length,
}

/** For `start`. */
export type CodecChild = typeof skills

serve(skills)
