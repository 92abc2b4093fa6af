import { addDays, addMonths } from './calendar.ts'

/** How long somebody has access: until so many calendar months after the first day. */
export interface Term {
  anchorAt: Date
  anchorMonths: number
  endsAt: Date
}

/** A term that became longer, and the stretch by which. */
export interface Extended extends Term {
  startsAt: Date
}

/** How much longer. */
export interface By {
  months: number
  days: number
}

/**
 * A term made longer from its end, or from now where it is over. Months go on from the first day of those before them; days
 * move that day.
 */
export function extend(term: Term | null, { months, days }: By, now: Date, timeZone: string): Extended {
  const isLive = term !== null && term.endsAt > now
  const startsAt = isLive ? term.endsAt : now
  const anchorAt = isLive ? term.anchorAt : now
  const anchorMonths = (isLive ? term.anchorMonths : 0) + months
  const end = months > 0 ? addMonths(anchorAt, anchorMonths, timeZone) : startsAt
  if (days === 0) return { anchorAt, anchorMonths, startsAt, endsAt: end }
  const endsAt = addDays(end, days, timeZone)
  return { anchorAt: endsAt, anchorMonths: 0, startsAt, endsAt }
}

/** A term whose provider says when it ends; it never becomes shorter by that. Null: it says nothing new. */
export function extendUntil(term: Term | null, endsAt: Date, now: Date): Extended | null {
  if (term && endsAt <= term.endsAt) return null
  return { anchorAt: endsAt, anchorMonths: 0, startsAt: term && term.endsAt > now ? term.endsAt : now, endsAt }
}

/** A term without a stretch that was paid back; what of it is over stays as it was. */
export function withdraw(term: Term, stretch: Extended & By, now: Date, timeZone: string): Term {
  const isSameCount = term.anchorAt.getTime() === stretch.anchorAt.getTime() && stretch.days === 0
  const anchorMonths = term.anchorMonths - stretch.months
  const lengthMs = stretch.endsAt.getTime() - stretch.startsAt.getTime()
  const counted = isSameCount && anchorMonths >= 0
  const endsAt = counted ? addMonths(term.anchorAt, anchorMonths, timeZone) : new Date(term.endsAt.getTime() - lengthMs)
  const earliest = term.endsAt < now ? term.endsAt : now
  if (endsAt < earliest) return { anchorAt: earliest, anchorMonths: 0, endsAt: earliest }
  return counted ? { anchorAt: term.anchorAt, anchorMonths, endsAt } : { anchorAt: endsAt, anchorMonths: 0, endsAt }
}

/** What inviting and being invited is worth, by the months that were paid first (docs/contracts.md 2). */
const rewards = [
  { months: 12, inviterDays: 30, inviteeDays: 15 },
  { months: 6, inviterDays: 15, inviteeDays: 7 },
  { months: 3, inviterDays: 7, inviteeDays: 3 },
  { months: 1, inviterDays: 3, inviteeDays: 1 },
]

/** The days both get for a first payment of so many months. */
export const rewardFor = (months: number) =>
  rewards.find((reward) => months >= reward.months) ?? { months, inviterDays: 0, inviteeDays: 0 }
