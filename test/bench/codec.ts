import type { CodecChild } from './codec-child.ts'
import { spread } from './pairs.ts'
import type { Bench } from './stage.ts'
import { type Row, thousands } from './table.ts'

const runs = 5
const mixPerSecondMin = 500_000
const inventoriesPerSecondMin = 200_000
const terminalPerSecondMin = 200_000

/** How many frames a second one core reads: the captured mix, and 8-slot inventories alone. */
export async function codec({ quick, start, note }: Bench): Promise<Row[]> {
  const child = start<CodecChild>('codec-child.ts')
  const ms = quick ? 300 : 1_500
  async function repeated(run: () => Promise<number>) {
    const rates: number[] = []
    // The first is thrown away: the compiler is still at work.
    for (let n = 0; n <= runs; n++) rates.push(await run())
    return spread(rates.slice(1))
  }
  const measured = (list: 'mix' | 'busy' | 'inventories', answering = false) =>
    repeated(() => child.ask('measure', { list, answering, ms }))
  const ofTerminal = (list: 'day' | 'purchases', answering = false) =>
    repeated(() => child.ask('measureTerminal', { list, answering, ms }))
  const row = (what: string, { median, min, max }: Awaited<ReturnType<typeof measured>>, least: number): Row => ({
    what,
    ours: `${thousands(median)}/s (${thousands(min)}–${thousands(max)})`,
    goal: `≥ ${thousands(least)}/s`,
    met: median >= least,
  })
  const rows = [
    row('codec: captured mix, cut, verified, understood', await measured('mix'), mixPerSecondMin),
    row('codec: 8-slot inventories', await measured('inventories'), inventoriesPerSecondMin),
    row("codec: a terminal's day, cut, verified, understood", await ofTerminal('day'), terminalPerSecondMin),
  ]
  const share = Math.round((await child.ask('heartbeats', undefined)) * 100)
  const answered = thousands((await measured('mix', true)).median)
  const busy = thousands((await measured('busy')).median)
  note(
    `codec: the mix is ${share} % heartbeats; with acknowledgements ${answered}/s; the mix without heartbeats ${busy}/s.`,
  )
  const [purchases, answeredDay] = [await ofTerminal('purchases'), await ofTerminal('day', true)]
  note(
    `codec: terminals: purchases alone ${thousands(purchases.median)}/s; the day with answers ${thousands(answeredDay.median)}/s.`,
  )
  await child.end()
  return rows
}
