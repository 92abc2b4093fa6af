/** How a provider's API misbehaves. All but `429` and `html` happen after it did what was asked, which nobody hears of. */
const apiFaults = ['timeout', 'reset', '429', '5xx', 'html', 'processing'] as const
/** How its notices do. */
const noticeFaults = ['duplicate', 'late', 'out-of-order'] as const

export type ApiFault = (typeof apiFaults)[number]
export type NoticeFault = (typeof noticeFaults)[number]
export type Fault = ApiFault | NoticeFault

export const faultNames: readonly Fault[] = [...apiFaults, ...noticeFaults]

/** What is misbehaved, and for how many calls or notices yet; Infinity: always. */
export type Faults = Map<Fault, number>

/** `429`, or `429:2` for the next two. @throws RangeError no fault */
export function faultOf(text: string): [Fault, number] {
  const [name, count = 'Infinity'] = text.split(':')
  const fault = faultNames.find((one) => one === name)
  if (!fault || !(Number(count) >= 1))
    throw new RangeError(`--fault ${text}: one of ${faultNames.join(', ')} is wanted, with :2 for the next two`)
  return [fault, Number(count)]
}

/** The first of these that is due; it is counted. */
function next<F extends Fault>(faults: Faults, among: readonly F[]): F | undefined {
  const due = among.find((fault) => (faults.get(fault) ?? 0) > 0)
  if (due !== undefined) faults.set(due, faults.get(due)! - 1)
  return due
}

export const nextApiFault = (faults: Faults): ApiFault | undefined => next(faults, apiFaults)
export const nextNoticeFault = (faults: Faults): NoticeFault | undefined => next(faults, noticeFaults)
