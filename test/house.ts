import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { bookFaults } from './books.ts'

/** A source file: its path from the root, with `/`, and its text. */
export interface Source {
  path: string
  text: string
}

type Rule = (source: Source) => string[]

const repository = join(import.meta.dirname, '..')
const rooms = ['protocol', 'db', 'gateway', 'api', 'simulators', 'test']
const surfaces = ['paygo', 'getpro', 'loyalty', 'powerbank', 'telecom']
const fileLinesMax = 300
/** A test's stage, which is set once for a whole file, may take more. */
const functionLinesMax = { source: 50, test: 70 }

/** Who may import whom. A test may import everything. */
const doors: Record<string, string[]> = {
  protocol: [],
  db: [],
  gateway: ['protocol', 'db'],
  api: ['db'],
  simulators: ['protocol'],
  'main.ts': ['gateway', 'api', 'db'],
}
/** Spellings of the wire that all rooms share, so that what is stored, typed and heard is the same text. */
const spellings = ['protocol/iccid.ts']
/** Who shows frames in words, and what it takes. */
const mayExplain = /^api\/(?:console\/|powerbank\/lending\/order-events\.ts$)/
const explanation = ['protocol/explain.ts', 'protocol/errors.ts']
/**
 * Who may import whom between the folders of `db/`: what is below serves whoever is above, a business knows no other.
 * Files right under `db/` belong to no folder and may import all of them.
 */
const arrows: Record<string, string[]> = {
  platform: [],
  postgres: ['platform'],
  messages: ['platform', 'postgres'],
  identity: ['platform', 'postgres', 'messages'],
  ledger: ['platform', 'postgres', 'messages'],
  devices: ['platform', 'postgres', 'messages', 'identity'],
  powerbank: ['platform', 'postgres', 'messages', 'identity', 'ledger', 'devices'],
  loyalty: ['platform', 'postgres', 'messages', 'identity', 'ledger', 'devices'],
  paygo: ['platform', 'postgres', 'messages', 'identity', 'ledger', 'devices'],
  getpro: ['platform', 'postgres', 'messages', 'identity', 'ledger'],
  telecom: ['platform', 'postgres', 'messages', 'identity', 'ledger', 'devices'],
  // Where two businesses meet: it knows both, and neither knows it.
  kiosk: ['platform', 'postgres', 'messages', 'identity', 'ledger', 'devices', 'powerbank', 'paygo'],
  // Why a station is off line: asks the rental and the CRM, and nobody imports it.
  diagnosis: ['platform', 'postgres', 'messages', 'devices', 'powerbank', 'telecom'],
}
/** The one file of a business that another may import, where two meet. */
const meetings: string[] = []
/** Statements that reach beyond the arrows: for whom a letter is, what a book is proven by, which order points are for. */
const lookouts = ['db/messages/outbox.ts', 'db/ledger/ledger-witnesses.ts', 'db/loyalty/rental-points.ts']
/** A foreign key points at people from wherever they are written to: a schema may import these. */
const foreignKeys = ['db/identity/schema.ts']
/** Where the rooms that are told so may reach beyond ours; the others use any of package.json's dependencies. */
const packages: Record<string, string[]> = {
  protocol: ['binary-parser', 'node:crypto'],
  db: ['postgres', 'drizzle-orm', 'zod', 'pino', 'citty', 'prom-client', 'node:'],
}
/** What speaks to the outside, and the files of `db/` that must: they start and dial PostgreSQL. */
const outside = /^node:(?:https?|http2|net|tls|dgram|child_process|cluster)$/
const mayReachOut = [
  'db/postgres/client.ts',
  'db/postgres/embedded-cluster.ts',
  'db/postgres/engine.ts',
  'db/postgres/embedded.ts',
]
const impure =
  /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\brandomBytes\b|\bset(?:Timeout|Interval|Immediate)\b/
/** What decisions may stand on beside words and each other; held to the same purity. */
const pure = ['db/platform/zones.ts']
const isConfig = (path: string) => /(?:^|\/)(?:config|[\w-]+\.config)\.ts$/.test(path)
const isData = (path: string) => /^db\/(?:\w+\/schema\.ts$|migrations\/)|^test\/vectors\/|\.d\.ts$/.test(path)

const roomOf = (path: string) => path.split('/')[0]!
const surfaceOf = (path: string) => surfaces.find((name) => path.startsWith(`api/${name}/`))

/** Every module a file names, be it for types only or on demand. */
export const importsOf = (text: string): string[] =>
  [...text.matchAll(/^(?:import|export)\b[^'"`;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)].map(
    (match) => (match[1] ?? match[2] ?? match[3])!,
  )

/** Imports go through the doors only, and name files as they are. */
const direction: Rule = ({ path, text }) => {
  const room = roomOf(path)
  return importsOf(text).flatMap((name) => {
    if (!name.startsWith('.')) return []
    const target = posix.join(posix.dirname(path), name)
    const to = roomOf(target)
    if (!/\.(?:ts|js|json)$/.test(name)) return [`${name} has no ending`]
    if (room === 'test' || to === room) {
      const [mine, theirs] = [surfaceOf(path), surfaceOf(target)]
      return mine && theirs && mine !== theirs ? [`${mine} imports the surface ${theirs}`] : []
    }
    if (spellings.includes(target)) return []
    if (mayExplain.test(path) && explanation.includes(target)) return []
    return doors[room]?.includes(to) ? [] : [`${room} imports ${to}`]
  })
}

/** Between the folders of `db/` imports follow the arrows. */
const arrow: Rule = ({ path, text }) => {
  const folderOf = (file: string) => /^db\/(\w+)\//.exec(file)?.[1]
  const from = folderOf(path)
  if (!from) return []
  return importsOf(text).flatMap((name) => {
    if (!name.startsWith('.')) return []
    const target = posix.join(posix.dirname(path), name)
    const to = folderOf(target)
    if (spellings.includes(target)) return []
    if (to === undefined) return target === 'db/table.ts' ? [] : [`db/${from} imports ${target}`]
    const mayPoint = path.endsWith('/schema.ts') && foreignKeys.includes(target)
    if (to === from || mayPoint || meetings.includes(target)) return []
    return arrows[from]?.includes(to) ? [] : [`no arrow db/${from} -> db/${to} (${name})`]
  })
}

/** So do statements: a folder's SQL names its own tables, and those of the folders that it may import. */
const tables = (sources: Source[]): Rule => {
  const owners = new Map(
    sources.flatMap(({ path, text }) => {
      const owner = /^db\/(\w+)\/schema\.ts$/.exec(path)?.[1]
      return owner ? [...text.matchAll(/pgTable\(\s*'(\w+)'/g)].map((match) => [match[1]!, owner] as const) : []
    }),
  )
  return ({ path, text }) => {
    const from = /^db\/(\w+)\//.exec(path)?.[1]
    if (!from || lookouts.includes(path)) return []
    const named = [...text.matchAll(/\b(?:from|join|into|update) (\w+)/g)].map((match) => match[1]!)
    return [...new Set(named)].flatMap((table) => {
      const to = owners.get(table)
      return !to || to === from || arrows[from]?.includes(to) ? [] : [`no arrow db/${from} -> db/${to} (${table})`]
    })
  }
}

/** Packages: what a room is told it may use, and nothing that only development installs. */
const reach =
  (dependencies: string[]): Rule =>
  ({ path, text }) => {
    const room = roomOf(path)
    if (room === 'test' || isConfig(path)) return []
    return importsOf(text).flatMap((name) => {
      if (name.startsWith('.')) return []
      const isOf = (allowed: string) =>
        name === allowed || name.startsWith(allowed.endsWith(':') ? allowed : `${allowed}/`)
      if (packages[room] && !packages[room].some(isOf)) return [`${room} uses ${name}`]
      if (room === 'db' && outside.test(name) && !mayReachOut.includes(path)) return [`db reaches out with ${name}`]
      return name.startsWith('node:') || dependencies.some(isOf) ? [] : [`${name} is not in dependencies`]
    })
  }

/** Text without comments and quoted text, so that words in them break no rule. */
const bare = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/gm, '')

/** What a report means is decided without a database, a clock or dice. */
const isDecision = (path: string) => /^db\/\w+\/decide\//.test(path) || pure.includes(path)

const mayDecide = (path: string, name: string) =>
  /^\.\/|\/words\.ts$/.test(name) || pure.includes(posix.join(posix.dirname(path), name))

const purity: Rule = ({ path, text }) => {
  if (roomOf(path) !== 'protocol' && !isDecision(path)) return []
  const found = impure.exec(bare(text))
  const code = text.replace(/^import type [^;]*? from '.*'$/gm, '')
  const reached = isDecision(path) ? importsOf(code).filter((name) => !mayDecide(path, name)) : []
  return [...(found ? [found[0]] : []), ...reached].map((what) => `not pure: ${what}`)
}

const environment: Rule = ({ path, text }) =>
  roomOf(path) === 'test' || isConfig(path) || !/\bprocess\.env\b/.test(bare(text)) ? [] : ['reads process.env']

/** As ES modules drizzle costs every process that loads it a second (docs/decisions.md). */
const builder: Rule = ({ text }) =>
  /^import (?!type\b)[^'`;]*from 'drizzle-orm/m.test(text) ? ['loads drizzle, not db/postgres/drizzle.ts'] : []

/** Only `db/` holds a pen, and only it speaks SQL. */
const pen: Rule = ({ path, text }) =>
  /^(?:api|gateway|main)/.test(path) && /\b(?:sql|tx)(?:<[^`\n]*>)?`/.test(bare(text)) ? ['speaks SQL'] : []

const errors = /(?:Error|Failed|Refused|Body|Stream|Forged)$/

const shape: Rule = ({ path, text }) => {
  if (path.endsWith('.d.ts')) return []
  const code = bare(text)
  const faults = []
  if (/^export default\b/m.test(code) && !isConfig(path)) faults.push('default export')
  if (/^\s*(?:export )?(?:const |declare )*enum /m.test(code)) faults.push('enum')
  for (const [, name, parent = ''] of code.matchAll(/^\s*(?:export )?(?:abstract )?class (\w+)(?: extends (\w+))?/gm))
    if (!errors.test(parent)) faults.push(`class ${name} is not an error`)
  if (/^\s*@\w+\(?.*$/m.test(code)) faults.push('decorator')
  if (/^export \* from/m.test(text) && !path.endsWith('/index.ts')) faults.push('barrel')
  if (/(?:^|\/)(?:utils?|common|lib|types|services|helpers)(?:\/|\.ts$)/.test(path) && !isData(path))
    faults.push('named for nothing')
  if (/\b(?:test|it|describe)(?:\.\w+)*\.(?:skip|only|todo)\b/.test(code)) faults.push('test put aside')
  return faults
}

const size: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n')
  const faults = lines.length > fileLinesMax && !isData(path) ? [`${lines.length} lines`] : []
  const most = roomOf(path) === 'test' ? functionLinesMax.test : functionLinesMax.source
  return [...faults, ...longFunctions(lines, most).map(({ name, length }) => `${name} has ${length} lines`)]
}

/** Functions at the margin: each goes on until the next line that starts there and opens nothing. */
function longFunctions(lines: string[], most: number) {
  const opened = lines.flatMap((line, at) => {
    const name = /^(?:export )?(?:async )?(?:function\*? |const )(\w+)/.exec(line)?.[1]
    return name && /function|=> ?[{(]{0,2}$|= (?:async )?(?:<.*>)?\($/.test(line) ? [{ name, at }] : []
  })
  const endOf = (at: number) => lines.findIndex((line, n) => n > at && /^(?:[}\])]+[,;]?$|[^\s}\])])/.test(line))
  return opened.map(({ name, at }) => ({ name, length: endOf(at) - at + 1 })).filter(({ length }) => length > most)
}

/** All that is wrong with these files, as `path: fault`. */
export function faults(sources: Source[], dependencies: string[]): string[] {
  const rules = [direction, arrow, tables(sources), reach(dependencies), purity, environment, pen, shape, size, builder]
  return sources.flatMap((source) => rules.flatMap((rule) => rule(source).map((fault) => `${source.path}: ${fault}`)))
}

/** Every TypeScript file of the house. */
export function readHouse(): Source[] {
  const files = rooms.flatMap((room) =>
    readdirSync(join(repository, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(repository, join(entry.parentPath, entry.name))),
  )
  const top = readdirSync(repository).filter((name) => name.endsWith('.ts'))
  return [...top, ...files].map((path) => ({
    path: path.replaceAll('\\', '/'),
    text: readFileSync(join(repository, path), 'utf8'),
  }))
}

/** What the house is made of at run time. */
export const dependencies = () =>
  Object.keys(
    (JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { dependencies: object }).dependencies,
  )

/** The house in numbers: `148 files, 11204 lines, median 61, longest 298 (db/x.ts)` for the source and for the tests. */
export function numbers(sources: Source[]): string {
  const sizes = sources
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .sort((a, b) => a.lines - b.lines)
  const total = sizes.reduce((sum, { lines }) => sum + lines, 0)
  const last = sizes.at(-1)
  const median = sizes[Math.floor(sizes.length / 2)]?.lines
  return `${sizes.length} files, ${total} lines, median ${median}, longest ${last?.lines} (${last?.path})`
}

/** `npm run check`: the rules without a test runner. */
if (import.meta.main) {
  const sources = readHouse()
  const wrong = [...faults(sources, dependencies()), ...bookFaults(sources)]
  for (const fault of wrong) console.error(fault)
  console.log(`source: ${numbers(sources.filter(({ path }) => roomOf(path) !== 'test'))}`)
  console.log(`tests:  ${numbers(sources.filter(({ path }) => roomOf(path) === 'test'))}`)
  process.exitCode = wrong.length > 0 ? 1 : 0
}
