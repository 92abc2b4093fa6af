import { connect } from '../../../db/postgres/connect.ts'
import { bringsBack, deposit, letsOut, newCard, says, work } from './stand.ts'

// A process of its own, to be killed: a terminal that takes deposits, its cabinet, and a worker of rentals. A dot for each thing
// that is done.

const [url = '', first = '0', till = '', station = ''] = process.argv.slice(2)
const db = connect(url)
const dot = () => void process.stdout.write('.')

for (let n = Number(first); ; n++) {
  const card = { ...newCard(), fingerprint: String(n).padStart(64, 'a') }
  await says(db, Number(till), deposit(String(n).padStart(6, '0'), undefined, card))
  dot()
  await work(db, dot)
  await letsOut(db, Number(station))
  dot()
  await work(db, dot)
  await bringsBack(db, Number(station))
  dot()
  await work(db, dot)
}
