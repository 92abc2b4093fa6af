import type { CauseCode } from '../words.ts'

/** Somebody who dialled and was not let in. `host`: without the port. */
export interface Refusal {
  boxId: string
  dialect: string
  reason: string
  host: string | null
  attempts: number
  lastSeenAt: Date
}

/** Cabinets of one wire that were heard within a day before this one fell silent, this one left out. */
export interface Wire {
  known: number
  online: number
}

/** All that is known of a station when somebody asks why it is off line. */
export interface Facts {
  now: Date
  station: {
    boxId: string
    isOnline: boolean
    iccid: string | null
    /** Of its last connection; null: it never had one. */
    dialect: string | null
    host: string | null
    seenAt: Date | null
    /** How its last connection ended, in the gateway's word. */
    lostBy: string | null
    keys: number
  }
  /** The last refusal of this box id. */
  refused: Refusal | null
  /** Box ids nobody knows that dialled since this one was last heard. */
  strangers: readonly Refusal[]
  /** The card with its ICCID, as the telecom CRM knows it; null: it does not. */
  sim: {
    status: string
    contract: string | null
    suspensionReason: string | null
    balanceMinor: number | null
  } | null
  /** Others of its unit: how many are on line, how many fell silent within minutes of it. */
  site: { online: number; lostWithIt: number }
  tcp: Wire
  mqtt: Wire
  /** When its connections ended within the last fortnight, the latest first. */
  losses: readonly Date[]
}

/** One possible reason. `certainty`: 0 to 100, which is what they are ranked by; `evidence`: what speaks for it. */
export interface Cause {
  code: CauseCode
  certainty: number
  evidence: Record<string, string | number | null>
}

const dayMs = 86_400_000
const scheduleMs = 1_800_000
/** So many days at one hour are a habit. */
const habitDays = 3
const weakLosses = 10
const fleetMin = 2
const nearEdits = 2

/** How many letters must be changed, put in or left out to make one of the other (Levenshtein). */
export function edits(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1]
    for (const [j, theirs] of [...other].entries())
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === theirs ? 0 : 1)))
    row = next
  }
  return row[other.length]!
}

const about = ({ dialect, host, attempts, lastSeenAt, reason }: Refusal) => ({
  reason,
  dialect,
  host,
  attempts,
  at: lastSeenAt.toISOString(),
})

function turnedAwayAs(reason: string, speaksOtherwise: boolean): CauseCode {
  if (reason === 'sim_changed') return 'sim_changed'
  if (speaksOtherwise) return 'wrong_dialect'
  return reason === 'no_key' ? 'no_key' : 'wrong_key'
}

/** It dialled, and we turned it away: nothing speaks louder. A refusal before it was last heard is mended. */
function turnedAway({ station, refused }: Facts): Cause[] {
  if (!refused || (station.seenAt && refused.lastSeenAt <= station.seenAt)) return []
  const isOther = station.dialect !== null && refused.dialect !== station.dialect
  // TCP-A at a station that has a key: what could be sidestepped would protect nothing (docs/technician.md).
  const isUnsigned = refused.dialect === 'A' && station.keys > 0
  const code = turnedAwayAs(refused.reason, isOther || isUnsigned)
  const evidence = { ...about(refused), expected: station.dialect, keys: station.keys }
  return [{ code, certainty: 97, evidence }]
}

/** Its name is misspelt, here or in the cabinet: somebody of almost that name, or at its address, is not known. */
function misspelt({ station, strangers }: Facts): Cause[] {
  const own = station.boxId.toUpperCase()
  const named = strangers.map((stranger) => ({
    stranger,
    distance: edits(own, stranger.boxId.toUpperCase()),
    isThere: stranger.host !== null && stranger.host === station.host,
  }))
  const [best] = named
    .filter(({ distance, isThere }) => distance <= nearEdits || isThere)
    .sort((a, b) => a.distance - b.distance)
  if (!best) return []
  // Boxes are numbered one after the other: a name that is nearly the same may be the next box of the same series.
  const likeness = { 0: 95, 1: 75, 2: 55 }[best.distance] ?? 40
  const certainty = Math.min(95, likeness + (best.isThere && best.distance > 0 ? 18 : 0))
  const { host: _, ...evidence } = about(best.stranger)
  return [{ code: 'unknown_box_id', certainty, evidence: { box_id: best.stranger.boxId, ...evidence } }]
}

/** What its SIM and the contract behind it say. */
function cut({ station, sim }: Facts): Cause[] {
  if (!sim || sim.status === 'active') return []
  const { status, contract, suspensionReason, balanceMinor } = sim
  const evidence = { iccid: station.iccid, status, contract, reason: suspensionReason, balance_minor: balanceMinor }
  if (suspensionReason === 'balance') return [{ code: 'contract_in_debt', certainty: 88, evidence }]
  if (status === 'blocked') return [{ code: 'sim_blocked', certainty: 87, evidence }]
  return [{ code: 'sim_not_active', certainty: 80, evidence }]
}

/** Whether it is us: nobody of a whole wire is heard any more. */
function ourSide({ station, tcp, mqtt }: Facts): Cause[] {
  const known = tcp.known + mqtt.known
  const online = tcp.online + mqtt.online
  if (known >= fleetMin && online === 0) return [{ code: 'gateway_down', certainty: 96, evidence: { known, online } }]
  const own = station.dialect === 'mqtt' ? mqtt : tcp
  if (station.dialect === null || own.known < fleetMin || own.online > 0 || online === 0) return []
  const code = station.dialect === 'mqtt' ? 'broker_down' : 'gateway_down'
  return [{ code, certainty: 92, evidence: { ...own, others_online: online } }]
}

/** Its neighbours fell silent with it: power or network of the place. One that is heard speaks against that. */
function place({ station, site }: Facts): Cause[] {
  if (!station.seenAt || site.lostWithIt === 0) return []
  const evidence = { lost_with_it: site.lostWithIt, online: site.online, since: station.seenAt.toISOString() }
  if (site.online === 0) return [{ code: 'site_down', certainty: 82, evidence }]
  return site.lostWithIt > 1 ? [{ code: 'site_down', certainty: 50, evidence }] : []
}

/** It goes off at the same hour day by day: somebody switches it off; or it comes and goes all the time: a weak link. */
function habits({ now, station, losses }: Facts): Cause[] {
  if (!station.seenAt) return []
  const since = station.seenAt.getTime()
  const atThisHour = losses.filter((loss) => {
    const apart = (((since - loss.getTime()) % dayMs) + dayMs) % dayMs
    return Math.abs(since - loss.getTime()) > dayMs / 2 && Math.min(apart, dayMs - apart) <= scheduleMs
  })
  const days = new Set(atThisHour.map((loss) => Math.round((since - loss.getTime()) / dayMs))).size
  const lately = losses.filter((loss) => now.getTime() - loss.getTime() < dayMs).length
  const found: Cause[] = []
  if (days >= habitDays)
    found.push({ code: 'power_schedule', certainty: 70, evidence: { days, at: station.seenAt.toISOString() } })
  if (lately >= weakLosses) found.push({ code: 'weak_link', certainty: 55, evidence: { losses_in_a_day: lately } })
  return found
}

/** Who dials and is turned away has the right address, APN and SIM: it is not told to look at them. */
const unexplained = (facts: Facts): Cause[] => {
  const { seenAt, lostBy, keys } = facts.station
  if (seenAt) return [{ code: 'silent', certainty: 10, evidence: { since: seenAt.toISOString(), lost_by: lostBy } }]
  return facts.refused ? [] : [{ code: 'never_connected', certainty: 60, evidence: { keys } }]
}

/** Why a station is off line, the likeliest first; of one that is on line nothing. */
export function diagnose(facts: Facts): Cause[] {
  if (facts.station.isOnline) return []
  const rules = [ourSide, turnedAway, misspelt, cut, place, habits, unexplained]
  return rules.flatMap((rule) => rule(facts)).sort((a, b) => b.certainty - a.certainty)
}
