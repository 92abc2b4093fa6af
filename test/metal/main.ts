import { parseArgs } from 'node:util'
import { live, liveMany, STEPS } from './run.ts'

const help = `Lives of a street in virtual time: cabinets as they really are against the rules (db/powerbank/decide/).

  npm run metal -- [--seeds N] [--from SEED] [--steps N]   so many lives; ends with 1 and the seed where the house is wrong
  npm run metal -- --seed SEED                             one life, line by line, until the house is wrong
`
const seedsDefault = '10000'

function tell(seed: number, steps: number): void {
  const { lines, fault } = live(seed, { steps, isLogged: true })
  process.stdout.write(`${lines.join('\n')}\n${fault ?? 'nothing is wrong'}\n`)
  process.exitCode = fault ? 1 : 0
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: seedsDefault },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: String(STEPS) },
    help: { type: 'boolean', default: false },
  },
})
const numbers = [values.seed ?? '1', values.seeds, values.from, values.steps].map(Number)
if (values.help) process.stdout.write(help)
else if (numbers.some((number) => !Number.isSafeInteger(number) || number < 1)) {
  process.stderr.write(`All of these are whole numbers from 1 on.\n\n${help}`)
  process.exitCode = 2
} else if (values.seed) tell(numbers[0]!, numbers[3]!)
else process.exitCode = liveMany(numbers[2]!, numbers[1]!, numbers[3]!) > 0 ? 1 : 0
