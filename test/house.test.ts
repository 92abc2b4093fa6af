import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { dependencies, faults, importsOf, readHouse } from './house.ts'

test('every file of the house keeps its rules', () => {
  expect(faults(readHouse(), dependencies())).toEqual([])
})

/** The fault that a file of one text has. */
const fault = (path: string, text: string) => faults([{ path, text }], ['hono'])

test.for([
  ['protocol/a.ts', 'protocol imports db', "import { b } from '../db/b.ts'"],
  ['protocol/a.ts', 'protocol uses node:net', "import { createServer } from 'node:net'"],
  ['protocol/a.ts', 'not pure: Date.now', 'const now = Date.now()'],
  ['db/powerbank/decide/a.ts', 'not pure: Date.now', 'const now = Date.now()'],
  ['db/powerbank/decide/a.ts', 'not pure: ../orders.ts', "import { move } from '../orders.ts'"],
  ['db/platform/zones.ts', 'not pure: Date.now', 'const now = Date.now()'],
  ['db/a.ts', 'db imports protocol', "import type { Report } from '../protocol/cabinet.ts'"],
  ['db/ledger/a.ts', 'no arrow db/ledger -> db/loyalty (../loyalty/b.ts)', "import { b } from '../loyalty/b.ts'"],
  [
    'db/loyalty/a.ts',
    'no arrow db/loyalty -> db/powerbank (../powerbank/b.ts)',
    "import { b } from '../powerbank/b.ts'",
  ],
  [
    'db/messages/a.ts',
    'no arrow db/messages -> db/identity (../identity/schema.ts)',
    "export { b } from '../identity/schema.ts'",
  ],
  ['db/messages/a.ts', 'db/messages imports db/demo.ts', "import { demo } from '../demo.ts'"],
  ['db/a.ts', 'db reaches out with node:http', "import { request } from 'node:http'"],
  ['gateway/a.ts', 'gateway imports api', "import {\n  app,\n} from '../api/app.ts'"],
  ['api/a.ts', 'api imports gateway', "const { seen } = await import('../gateway/seen.ts')"],
  ['api/paygo/a.ts', 'paygo imports the surface loyalty', "import { page } from '../loyalty/surface.ts'"],
  ['simulators/a.ts', 'simulators imports db', "import { connect } from '../db/postgres/connect.ts'"],
  ['main.ts', 'main.ts imports protocol', "import { A } from './protocol/cabinet-tcp/index.ts'"],
  ['api/a.ts', 'vitest is not in dependencies', "import { test } from 'vitest'"],
  ['api/a.ts', './b has no ending', "import { b } from './b'"],
  ['api/a.ts', 'reads process.env', 'const port = process.env.PORT'],
  ['api/a.ts', 'speaks SQL', 'await tx`update users set name = 1`'],
  ['test/db/a.ts', 'loads drizzle, not db/postgres/drizzle.ts', "import { eq } from 'drizzle-orm'"],
  ['api/a.ts', 'default export', 'export default {}'],
  ['api/a.ts', 'class Orders is not an error', 'export class Orders {}'],
  ['api/a.ts', 'enum', 'export const enum Kind {}'],
  ['api/utils/a.ts', 'named for nothing', ''],
  ['api/a.ts', '301 lines', '\n'.repeat(300).concat('x')],
  ['api/a.ts', 'long has 72 lines', `export function long() {\n${'  x()\n'.repeat(70)}}`],
  ['test/a.test.ts', 'test put aside', "test.skip('later', () => {})"],
] as const)('refused: %s: %s', ([path, expected, text]) => {
  expect(fault(path, text)).toEqual([`${path}: ${expected}`])
})

test.for([
  ['api/console/a.ts', 'the console explains frames', "import { explain } from '../../protocol/explain.ts'"],
  [
    'gateway/a.ts',
    'a gateway translates',
    "import { A } from '../protocol/cabinet-tcp/index.ts'\nimport { connect } from '../db/postgres/connect.ts'",
  ],
  [
    'db/powerbank/decide/a.ts',
    'a decision knows rows by their types',
    "import type { orders } from '../schema.ts'\nimport { orderStatuses } from '../words.ts'\nimport { b } from './b.ts'",
  ],
  ['db/getpro/decide/a.ts', 'a decision reads a zone’s clocks', "import { aheadMs } from '../../platform/zones.ts'"],
  ['db/devices/a.ts', 'a SIM has one spelling', "import { iccidOf } from '../../protocol/iccid.ts'"],
  ['db/messages/schema.ts', 'a foreign key points at people', "import { users } from '../identity/schema.ts'"],
  ['test/db/a.ts', 'rows have types', "import type { SQL } from 'drizzle-orm'"],
  ['db/loyalty/a.ts', 'a plain table', "import { tableOf } from '../table.ts'"],
  ['api/config.ts', 'a config reads the environment', 'const port = process.env.PORT'],
  [
    'db/platform/refused.ts',
    'words are no deeds',
    "export class Refused extends Error {}\nconst said = 'class Orders {} and process.env'",
  ],
  ['protocol/a.ts', 'comments are no deeds', '// Date.now() is not for us\n/* nor process.env */'],
  [
    'test/db/a.test.ts',
    'a test reaches everything',
    "import { open } from '../../db/open.ts'\nimport { test } from 'vitest'",
  ],
] as const)('allowed: %s: %s', ([path, , text]) => {
  expect(fault(path, text)).toEqual([])
})

test('imports are found in every way of writing them', () => {
  const text = `import a from 'a'\nimport 'b'\nimport {\n  c,\n} from 'c'\nexport { d } from 'd'\nconst e = import('e')`
  expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a gateway loads no query builder: it knows rows by their types', () => {
  const texts = new Map(readHouse().map(({ path, text }) => [path, text]))
  const loaded = new Set<string>()
  const load = (path: string) => {
    if (loaded.has(path) || !texts.has(path)) return
    loaded.add(path)
    const text = texts.get(path)!.replace(/^import type\b[^'`;]*from '[^']+'/gm, '')
    for (const name of importsOf(text)) load(posix.join(posix.dirname(path), name))
  }
  load('gateway/main.ts')
  expect(loaded).toContain('db/postgres/connect.ts')
  expect([...loaded].filter((path) => /drizzle|schema\.ts$/.test(path))).toEqual([])
})

test('a folder’s statements name no table of a business that it may not import', () => {
  const schema = { path: 'db/powerbank/schema.ts', text: "export const stations = pgTable(\n  'stations',\n  {})" }
  const devices = { path: 'db/devices/a.ts', text: 'await tx`select s.id from stations s`' }
  expect(faults([schema, devices], [])).toEqual(['db/devices/a.ts: no arrow db/devices -> db/powerbank (stations)'])
  expect(faults([schema, { ...devices, path: 'db/powerbank/a.ts' }], [])).toEqual([])
})
