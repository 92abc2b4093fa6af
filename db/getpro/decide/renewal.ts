const hourMs = 3_600_000
/** What is overdue longer than this, after the last attempt, is not charged any more: nobody expects it. */
const lateMs = 72 * hourMs

/** Which attempt to renew is due. */
export type Due = { step: number; isLast: boolean } | 'too late' | null

/**
 * Which attempt to renew a period is due now; null: none yet. Of attempts that were missed, because nobody was there to make them,
 * only the latest is made.
 * @param stepHours hours before the end at which an attempt is made, falling; less than 0: after it
 */
export function dueStep(stepHours: readonly number[], endsAt: Date, now: Date): Due {
  const isDue = (hours: number) => endsAt.getTime() - hours * hourMs <= now.getTime()
  const step = stepHours.filter(isDue).length - 1
  if (step < 0) return null
  const isLast = step === stepHours.length - 1
  const lastAt = endsAt.getTime() - stepHours.at(-1)! * hourMs
  return now.getTime() > lastAt + lateMs ? 'too late' : { step, isLast }
}
