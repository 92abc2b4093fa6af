import type { Queryable } from '../../db/postgres/connect.ts'
import * as org from '../../db/powerbank/org-units.ts'
import { alternate, compared } from './pairs.ts'
import type { Bench } from './stage.ts'
import { type Row, thousands } from './table.ts'

const units = 2_000
const clients = 4
const ratioMin = 0.5
const chief = { userId: 1, roles: [{ role: 'service_admin', orgUnitId: null }] }

/** The list of org units as it was when its two statements were written by hand. */
async function byHand(q: Queryable, limit: number, offset: number) {
  const where = q`u.deleted_at is null and ${true} and u.unit_type = ${'subgroup'}`
  const [counted] = await q<{ total: number }[]>`select count(*) as total from org_units u where ${where}`
  const rows = await q<org.UnitRow[]>`
    select u.id, u.parent_id, u.unit_type, u.name, u.adress, u.logo_url, u.default_powerbank_limit, u.reminder_hours,
      u.write_off_hours, u.created_at, u.updated_at, u.deleted_at, p.name as parent_name
    from org_units u left join org_units p on p.id = u.parent_id
    where ${where} order by u.id limit ${limit} offset ${offset}`
  return { rows, total: counted!.total }
}

/** Pages of a list by `db/table.ts`, whose statements drizzle composes each time, and by the same two written by hand. */
export async function list({ quick, database, progress }: Bench): Promise<Row[]> {
  const each = quick ? 50 : 500
  const { db } = await database()
  await db.sql`insert into org_units (unit_type, name) values ('group', 'all')`
  await db.sql`
    insert into org_units (unit_type, name, parent_id) select 'subgroup', 'unit ' || n, 1 from generate_series(1, ${units}::int) n`
  await db.sql`vacuum analyze org_units`
  const rows: Row[] = []
  for (const limit of [10, 100]) {
    progress(`  pages of ${limit}`)
    /** Pages a second, each client reading one after the other. */
    const drive = async (page: (offset: number) => Promise<{ rows: unknown[] }>) => {
      const from = performance.now()
      const client = async () => {
        for (let n = 0; n < each; n++)
          if ((await page((n * limit) % units)).rows.length !== limit) throw new Error('a page is not full')
      }
      await Promise.all(Array.from({ length: clients }, client))
      return (clients * each * 1_000) / (performance.now() - from)
    }
    const filter = { unitType: 'subgroup' as const }
    const rounds = await alternate(quick ? 3 : 11, {
      table: () => drive((offset) => org.list(db.sql, chief, { filter, limit, offset })),
      hand: () => drive((offset) => byHand(db.sql, limit, offset)),
    })
    const { ours, baseline, ratio } = compared(rounds, (rate) => rate, ['table', 'hand'])
    rows.push({
      what: `list of ${units.toLocaleString('en')} org units, pages of ${limit}, ${clients} clients`,
      ours: `${thousands(ours)}/s`,
      baseline: `by hand ${thousands(baseline)}/s`,
      ratio,
      goal: `≥ ${ratioMin}×`,
      met: ratio.median >= ratioMin,
    })
  }
  return rows
}
