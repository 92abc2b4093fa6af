import { z } from 'zod'
import { databaseSettings, readSettings, startOrExit } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import { open } from '../postgres/open.ts'
import { type Counts, verify } from './ledger-verify.ts'

const usage = `npm run ledger -- verify

Proves the books, also beside a running server: in every book the chain of hashes and numbers, its head, each posting's
balance, every account's balance and floor, the holds; over all books the totals; and what people are shown of points,
cashback and certificates. Progress goes to stderr, the verdict to stdout. Ends with 0 when the books are whole, with 1
at the first break, which it names, with 2 when asked wrongly.
`

const progressMs = 2_000
const kilobytesInMegabyte = 1_024
const counted = ({ books, postings, entries }: Counts) =>
  `${books.toLocaleString('en')} books, ${postings.toLocaleString('en')} postings, ${entries.toLocaleString('en')} entries`

/** `npm run ledger`. */
async function main() {
  const [command, ...rest] = process.argv.slice(2)
  const isHelp = command === '--help' || rest.includes('--help')
  if (isHelp || command !== 'verify' || rest.length > 0) {
    const out = isHelp ? process.stdout : process.stderr
    out.write(
      isHelp || command === undefined ? usage : `there is no such command: ${[command, ...rest].join(' ')}\n${usage}`,
    )
    process.exitCode = isHelp ? 0 : 2
    return
  }
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(z.object(databaseSettings))
  const { db, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  try {
    const began = performance.now()
    const seconds = () => `${((performance.now() - began) / 1_000).toFixed(1)} s`
    let toldMs = began
    const progress = (done: Counts, of: number) => {
      if (performance.now() - toldMs < progressMs) return
      toldMs = performance.now()
      process.stderr.write(`${counted(done)}, of ${of.toLocaleString('en')} postings, ${seconds()}\n`)
    }
    const { broken, ...counts } = await verify(db, { progress })
    const megabytes = Math.round(process.resourceUsage().maxRSS / kilobytesInMegabyte)
    const spent = `${seconds()}, ${megabytes} MB`
    process.stdout.write(
      broken === null
        ? `the books are whole: ${counted(counts)}, ${spent}\n`
        : `BROKEN: ${broken}\nfound after ${counted(counts)}, ${spent}\n`,
    )
    if (broken !== null) process.exitCode = 1
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
