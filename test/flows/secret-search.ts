import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Db } from '../../db/postgres/connect.ts'

/** What nobody may find, and every spelling in which it could lie somewhere. */
export interface Secret {
  name: string
  forms: Buffer[]
}

/** As bytes, as hex in both cases, and as a list of numbers, which is how JSON spells a buffer. */
function spellings(bytes: Buffer): Buffer[] {
  const hex = bytes.toString('hex')
  return [bytes, ...[hex, hex.toUpperCase(), bytes.join(',')].map((text) => Buffer.from(text))]
}

/** A text. */
export const text = (name: string, value: string): Secret => ({ name, forms: spellings(Buffer.from(value)) })

/** Digits or hex, which a wire packs two to a byte: as a text, and as those bytes. */
export function packed(name: string, digits: string): Secret {
  const both = [digits.toLowerCase(), digits.toUpperCase()].flatMap((said) => spellings(Buffer.from(said)))
  return { name, forms: [...both, ...spellings(Buffer.from(digits, 'hex'))] }
}

/** A token: its last part too, which alone nobody could guess. */
export const token = (name: string, value: string): Secret => ({
  name,
  forms: [value, value.split('.').at(-1)!].flatMap((said) => spellings(Buffer.from(said))),
})

/** Which of them are in it, each with the place. */
export const found = (place: string, within: Buffer, secrets: Secret[]): string[] =>
  secrets.filter(({ forms }) => forms.some((form) => within.includes(form))).map(({ name }) => `${place}: ${name}`)

/** Which of them stand in a row of any table. */
export async function inRows(db: Db, secrets: Secret[]): Promise<string[]> {
  const tables = await db.sql<{ schema: string; name: string }[]>`
    select table_schema as schema, table_name as name from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`
  const all = tables.map(async ({ schema, name }) => {
    const rows = await db.sql<{ row: string }[]>`
      select row_to_json(one)::text as row from ${db.sql(schema)}.${db.sql(name)} one`
    return found(name, Buffer.from(rows.map(({ row }) => row).join('\n')), secrets)
  })
  return (await Promise.all(all)).flat()
}

/** Which of them lie in a file that has been written since; `own` are the names of files that are secrets themselves. */
export function inFiles(dir: string, secrets: Secret[], { since, own }: { since: number; own: string[] }): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).flatMap((path) => {
    const file = join(dir, path)
    // A socket is no file, and a temporary one may be gone by now.
    const about = statSync(file, { throwIfNoEntry: false })
    if (!about?.isFile() || about.mtimeMs < since || own.includes(path)) return []
    return found(path, readFileSync(file), secrets)
  })
}
