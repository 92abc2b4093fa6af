import type { Queryable } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import type { Tariff } from './decide/price.ts'
import type { kioskTariffs } from './schema.ts'

/** The columns of a tariff that decide. */
export const PRICES = [
  'freeMinutes',
  'periodMinutes',
  'periodMinor',
  'dayMinor',
  'depositMinor',
  'lostMinor',
] as const satisfies (keyof Tariff & keyof typeof kioskTariffs.$inferSelect)[]

/** The tariff of a unit that is in force now, its own before that of the unit above it; null: there is none. */
export async function currentTariff(q: Queryable, orgUnitId: number | null): Promise<(Tariff & { id: number }) | null> {
  const [row] = await q<(Tariff & { id: number })[]>`
    select ${columnsOf(q, 't', ['id', ...PRICES])}
    from org_units u join kiosk_tariffs t on t.org_unit_id in (u.id, u.parent_id)
    where u.id = ${orgUnitId} and t.valid_from <= now()
    order by t.org_unit_id = u.id desc, t.valid_from desc limit 1`
  return row ?? null
}
