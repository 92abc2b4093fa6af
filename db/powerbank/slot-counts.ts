import type { Queryable } from '../postgres/connect.ts'

/** SQL: how many slots of the station `s` are occupied: by a bank, or by something that nobody could read. */
export const occupied = (q: Queryable) => q`(select count(*) from (
  select sp.slot_number from station_powerbanks sp where sp.station_id = s.id union select unnest(s.unreadable_slots)) o)`

/**
 * SQL: has the station `s` this slot? The declared number is a hint, corrected by each whole list; what a cabinet lists
 * exists, also where it counts from 0.
 */
export const hasSlot = (q: Queryable, slot: number) => q`
  (${slot}::int between 1 and s.slots_declared or ${slot}::int = any(s.unreadable_slots)
    or exists (select 1 from station_powerbanks sp where sp.station_id = s.id and sp.slot_number = ${slot}::int))`
