import { seal } from '../../db/devices/keys.ts'
import type { Db } from '../../db/postgres/connect.ts'

/** Invented; every cabinet of the benchmark signs with it. */
export const stationKey = 'EXAMPLEKEY'

/** The box id of the nth cabinet, from 0 on. */
export const boxIdOf = (index: number) => `BENCH${String(index).padStart(11, '0')}`

/** Registers so many stations of 8 slots, each with its key, in one unit. Returns the unit and the first station's id; the others follow it. */
export async function register(
  db: Db,
  count: number,
  keysSecret: string,
): Promise<{ unitId: number; firstId: number }> {
  return await db.transaction(async (tx) => {
    const [unit] = await tx<{ id: number }[]>`
      insert into org_units (unit_type, name, default_powerbank_limit) values ('group', 'Bench', 100) returning id`
    const [{ firstId } = { firstId: 0 }] = await tx<{ firstId: number }[]>`
      with written as (
        insert into stations (org_unit_id, box_id, slots_declared, status, iccid, device_state)
        select ${unit!.id}, 'BENCH' || lpad(n::text, 11, '0'), 8, 'active', '8970199' || lpad(n::text, 13, '0'),
          jsonb_build_object('sim', jsonb_build_object('at', now()))
        from generate_series(0, ${count}::int - 1) n order by n returning id
      )
      select min(id) as first_id from written`
    await tx`
      insert into device_keys (device_id, key_ciphertext, key_hint)
      select id, ${seal(stationKey, keysSecret)}, 'EY' from stations where org_unit_id = ${unit!.id}`
    return { unitId: unit!.id, firstId }
  })
}

/** Resolves when no command waits and no inventory is due: what logins bring with them is over. */
export async function settled(db: Db): Promise<void> {
  for (;;) {
    const [left] = await db.sql<{ commands: number; looks: number }[]>`
      select (select count(*) from device_commands where status in ('queued', 'sent')) as commands,
        (select count(*) from stations where inventory_due_at < now() + interval '10 seconds') as looks`
    if (left!.commands + left!.looks === 0) return
    await new Promise((later) => setTimeout(later, 200))
  }
}
