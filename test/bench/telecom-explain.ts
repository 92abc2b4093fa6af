import { parseArgs } from 'node:util'
import type { Db } from '../../db/postgres/connect.ts'
import type { Asked } from '../../db/table.ts'
import * as customers from '../../db/telecom/customers.ts'
import type { customers as customersTable } from '../../db/telecom/schema.ts'
import { newGround } from './stage.ts'

/**
 * `node test/bench/telecom-explain.ts`: a million customers, and how long the database takes for a page of them and for the
 * exact count, by every order and for words that many, few and none have. By hand, some minutes.
 */
const manual = `node test/bench/telecom-explain.ts [--customers 1000000]
`
const minutesMax = 12
const rowsOfPage = 100
const pages = [1, 10, 100]
const deepPage = 10_000
const times = 3

type Row = typeof customersTable.$inferSelect
type Part = Partial<Asked<Row>>
const actor = { userId: 1, roles: [] }

/** A million people of a few hundred names; every row of it is invented by counting. */
async function fill({ sql }: Db, count: number): Promise<void> {
  await sql`
    insert into customers (first_name, last_name, middle_name, phone, email, document_type, document_number, status, created_at)
    select (array['Иван','Пётр','Анна','Мария','Айгуль','Нурлан','Елена','Бакыт','Ольга','Тимур'])[n % 10 + 1],
      'Фамилия' || n % 997, (array['Иванович','Петровна','Асанович'])[n % 3 + 1], '+996' || lpad(n::text, 9, '0'),
      'p' || n || '@example.com', (array['passport','foreign_passport','driver_license'])[n % 3 + 1], 'ID' || n,
      (array['active','active','active','suspended','blocked','archived'])[n % 6 + 1], now() - n * interval '1 minute'
    from generate_series(1, ${count}::int) n`
  await sql`vacuum analyze customers`
}

const orders = [
  ...(['id', 'createdAt', 'updatedAt', 'lastName', 'firstName', 'middleName'] as const),
  ...(['phone', 'email', 'status', 'documentType', 'documentNumber'] as const),
]
const searches = ['Иван', 'Фамилия77', 'фамилия77 анна', '+996000077', 'p777777@example.com', 'никого']
const cases: [what: string, asked: Part][] = [
  ...searches.map((words): [string, Part] => [`search=${words}`, { search: { words, in: ['searchText'] } }]),
  ['status=blocked', { filter: { status: 'blocked' } }],
  ['document_type=passport', { filter: { documentType: 'passport' } }],
  ...orders.flatMap((by): [string, Part][] => [
    [`by ${by}`, { order: [{ by, isDescending: false }] }],
    [`by -${by}`, { order: [{ by, isDescending: true }] }],
  ]),
]

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!

/** What was asked of the database, as its own clock and plan tell it. */
interface Told {
  ms: number[]
  plan: string
}

/** Milliseconds of the rows, or of the exact count. */
async function explained({ sql }: Db, asked: Asked<Row>, what: 'rows' | 'count', often = times) {
  const told: Told = { ms: [], plan: '' }
  const unsafe = async (text: string, params: any[]) => {
    const isCount = text.includes('count(*)')
    if (isCount === (what === 'count')) {
      const [row] = await sql.unsafe(`explain (analyze, timing off, format json) ${text}`, params)
      const said = row!['QUERY PLAN']
      const [{ 'Execution Time': ms, Plan: root }] = typeof said === 'string' ? JSON.parse(said) : said
      told.ms.push(ms)
      told.plan = nodesOf(root)
    }
    return isCount ? [{ total: 0 }] : []
  }
  for (let n = 0; n < often; n++) await customers.list({ unsafe } as never, actor, asked)
  return { ms: median(told.ms).toFixed(1), plan: told.plan }
}

/** `Limit > Index Scan customers_by_phone`. */
const nodesOf = (node: any): string =>
  [[node['Node Type'], node['Index Name']].filter(Boolean).join(' '), ...(node.Plans ?? []).map(nodesOf)].join(' > ')

async function main() {
  const { values } = parseArgs({ options: { customers: { type: 'string' }, help: { type: 'boolean' } } })
  if (values.help) return void process.stdout.write(manual)
  const stage = newGround({ quick: true })
  const watchdog = setTimeout(() => void stage.close().finally(() => process.exit(1)), minutesMax * 60_000)
  try {
    const { db } = await stage.database()
    const began = performance.now()
    await fill(db, Number(values.customers ?? 1_000_000))
    process.stdout.write(`filled in ${Math.round((performance.now() - began) / 1_000)} s\n`)
    for (const [what, part] of cases) {
      const at = (page: number) => ({ ...part, limit: rowsOfPage, offset: (page - 1) * rowsOfPage })
      const cells: string[] = []
      let plan = ''
      for (const page of pages) {
        const found = await explained(db, at(page), 'rows')
        plan = found.plan
        cells.push(`${page}: ${found.ms}`)
      }
      const deep = await explained(db, at(deepPage), 'rows', 1)
      const count = await explained(db, at(1), 'count')
      process.stdout.write(
        `${what}\n  rows ms ${cells.join(', ')}, ${deepPage}: ${deep.ms}; ${plan}\n  count ms ${count.ms}; ${count.plan}\n`,
      )
    }
  } finally {
    clearTimeout(watchdog)
    await stage.close()
  }
}

await main()
