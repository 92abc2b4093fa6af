/**
 * How many frames a second one core cuts, verifies and understands: `node test/protocol/speed.ts`.
 * The mix weighs every captured frame of a TCP-B cabinet by how often public logs show it, signed with an invented key.
 */
import { open, seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { deviceCodec, greet, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { frames, seen } from './vectors.ts'

const key = 'EXAMPLEKEY'
const framesPerRun = 400_000
const runs = 5
/** What one read from a socket may hold. */
const chunkBytes = 16_384

const device = deviceCodec('B', { key })
const login = device.encode({ kind: 'login', boxId: 'DCHEY02504000018' })
const entropy = { nonce: 1, unixSeconds: 1 }

function sign(hex: string): Buffer {
  const { code, vsn, payload } = open(Buffer.from(hex, 'hex'))
  return seal(code, vsn, tokenOf(payload, Buffer.from(key)), payload)
}

// A weighted round robin: every frame appears as often as its share says, evenly spread.
function mixed(weighted: { frame: Buffer; weight: number }[]): Buffer[] {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0)
  const debts = weighted.map(() => 0)
  return Array.from({ length: 20_000 }, () => {
    let most = 0
    weighted.forEach(({ weight }, at) => {
      debts[at]! += weight / total
      if (debts[at]! > debts[most]!) most = at
    })
    debts[most]! -= 1
    return weighted[most]!.frame
  })
}

function measure(name: string, list: Buffer[], answering: boolean) {
  const bytes = Buffer.concat(list)
  const codec = greet(login).codec({ keys: [key] })
  const rates: number[] = []
  for (let run = 0; run < runs; run++) {
    const framer = newFramer()
    let heard = 0
    const start = process.hrtime.bigint()
    while (heard < framesPerRun)
      for (let at = 0; at < bytes.length; at += chunkBytes)
        for (const frame of framer.push(bytes.subarray(at, at + chunkBytes))) {
          codec.decode(frame)
          if (answering) codec.answer(frame, { kind: 'accepted' }, entropy)
          heard++
        }
    rates.push(heard / (Number(process.hrtime.bigint() - start) / 1e9))
  }
  const median = rates.toSorted((one, other) => one - other)[runs >> 1] ?? 0
  console.log(`${name.padEnd(44)} ${Math.round(median / 1000)} k frames/s (median of ${runs})`)
}

const captured = frames
  .filter(({ dialect, direction }) => dialect === 'B' && direction === 'device->server')
  .map((vector) => ({ frame: sign(vector.hex), weight: seen(vector) }))
const slots = Array.from({ length: 8 }, (_, at) => ({ slot: at + 1, bankId: `444348415400000${at}`, levelPercent: 95 }))
const inventory = device.encode({ kind: 'inventory', slots: 8, banks: slots })

const mix = mixed(captured)
const beats = mix.filter((frame) => frame.length === 9).length
console.log(`the mix: ${((beats / mix.length) * 100).toFixed(1)} % heartbeats`)
measure('captured mix: cut, verify, understand', mix, false)
measure('captured mix: and answer', mix, true)
measure(
  'inventories of 8 slots',
  Array.from({ length: 2000 }, () => inventory),
  false,
)
measure('everything but heartbeats, by weight', mixed(captured.filter(({ frame }) => frame.length > 9)), false)
