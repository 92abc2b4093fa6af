import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Db } from '../../db/postgres/connect.ts'
import { scratchPrefix } from '../server.ts'
import { firstOf, slotsEach } from './borrow-cases.ts'
import type { Statement } from './statements.ts'

interface Script {
  text: string
  /** Variables that are the same in every transaction. */
  constants: string[]
}

/**
 * The statements as pgbench runs them. It binds variables only, so what never changes becomes a variable too; a null,
 * which it cannot bind, stands in the text.
 */
export function scriptOf(statements: readonly Statement[], each: number): Script {
  const constants: string[] = []
  const named = ({ text, parameters, yields }: Statement) => {
    const names = parameters.map((one) => {
      if ('of' in one) return one.of === 'commandId' || one.of === 'orderId' ? `:${one.of}_id` : `:${one.of}`
      if (one.value === null) return 'null'
      constants.push(`v${constants.length}=${one.value}`)
      return `:v${constants.length - 1}`
    })
    const filled = text.replace(/\$(\d+)/g, (_, number) => names[Number(number) - 1]!)
    return yields ? `${filled}\n\\gset ${yields}_` : `${filled};`
  }
  const head = [
    // The nth transaction of all: pgbench keeps `n` from one transaction of a client to its next.
    `\\set k :client_id * ${each} + :n`,
    '\\set n :n + 1',
    `\\set stationId ${firstOf.stationId} + :k / ${slotsEach}`,
    `\\set userId ${firstOf.userId} + :k`,
    `\\set powerbankId ${firstOf.powerbankId} + :k`,
    `\\set slot :k % ${slotsEach} + 1`,
  ]
  const body = statements.map(named)
  return { text: [...head, 'begin;', ...body, 'commit;', ''].join('\n'), constants }
}

export interface Pgbench {
  /** Transactions a second, connecting left out. */
  run(options: { url: string; clients: number; each: number }): Promise<number>
  end(): void
}

/** pgbench with a script of these statements; null where it is not installed. */
export async function pgbench(statements: readonly Statement[], each: number): Promise<Pgbench | null> {
  const { text, constants } = scriptOf(statements, each)
  return await running(text, ['n=0', ...constants])
}

/** pgbench with the least that can be committed durably, a row of one column; null where it is not installed. */
export async function oneRowCommits(db: Db): Promise<Pgbench | null> {
  await db.sql`create table bench_rows (id bigint generated always as identity primary key, a int)`
  return await running('insert into bench_rows (a) values (1);\n', [])
}

async function running(text: string, given: readonly string[]): Promise<Pgbench | null> {
  if ((await tool(['--version'])) === null) return null
  const folder = mkdtempSync(join(tmpdir(), `${scratchPrefix}pgbench-`))
  const file = join(folder, 'script.sql')
  writeFileSync(file, text)
  const variables = given.flatMap((one) => ['-D', one])
  return {
    async run({ url, clients, each }) {
      const { hostname, port, username, password, pathname } = new URL(url)
      const where = {
        PGHOST: hostname,
        PGPORT: port,
        PGUSER: username,
        PGPASSWORD: password,
        PGDATABASE: pathname.slice(1),
      }
      const args = ['-n', '-M', 'prepared', '-c', `${clients}`, '-j', '1', '-t', `${each}`, '-f', file, ...variables]
      const said = (await tool(args, where)) ?? ''
      const perSecond = Number(/^tps = ([\d.]+)/m.exec(said)?.[1])
      const done = Number(/actually processed: (\d+)/.exec(said)?.[1])
      if (done !== clients * each || !perSecond) throw new Error(`pgbench: ${said}`)
      return perSecond
    },
    end: () => rmSync(folder, { recursive: true }),
  }
}

/** What pgbench says; null when there is none. */
function tool(args: readonly string[], environment: Record<string, string> = {}): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn('pgbench', args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
    let said = ''
    child.stdout.on('data', (chunk) => (said += chunk))
    child.stderr.on('data', (chunk) => (said += chunk))
    child.once('error', () => resolve(null))
    child.once('close', () => resolve(said))
  })
}
