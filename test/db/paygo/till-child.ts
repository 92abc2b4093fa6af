import { settle } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import { connect } from '../../../db/postgres/connect.ts'
import { advice, hold, purchase, reversal, says, sentAt } from './till.ts'

// A process of its own, to be killed: the terminals it is told do business until then. A dot for each message that is settled.

const [url = '', first = '0', ...ids] = process.argv.slice(2)
const db = connect(url)
const acquirer = simulatedAcquirer(db)

async function trade(till: number): Promise<never> {
  for (let n = Number(first); ; n += 4) {
    const [a, b, c, d] = [n, n + 1, n + 2, n + 3].map((stan) => String(stan).padStart(6, '0'))
    const messages = [
      purchase(a!),
      n % 8 === 0 ? reversal(b!, { stan: a! }) : purchase(b!, 20_000),
      hold(c!),
      n % 8 === 0
        ? advice(d!, 12_000, { original: { mti: '0100', stan: c!, sentAt } })
        : reversal(d!, { mti: '0100', stan: c! }, 50_000),
    ]
    for (const message of messages) {
      const { told } = await says(db, till, message)
      await settle(db, acquirer, told)
      process.stdout.write('.')
    }
  }
}

await Promise.all(ids.map((id) => trade(Number(id))))
