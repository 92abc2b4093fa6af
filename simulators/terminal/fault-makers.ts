import { durationOf, wholeOf } from '../options.ts'
import type { Fault, Maker, Speech } from './fault.ts'

const noPaper = { code: '96', text: 'нет бумаги' }
/** What a PIN block would be: eight bytes that mean nothing. */
const pinBlock = '0102030405060708'
const pinField = 52
const stormMax = 100
const otherTerminal = 'XXXXXXXX'
const tooMuchMinor = 100

const isSale = ({ kind }: Speech) => kind === 'purchase' || kind === 'authorisation'
const isMoney = ({ kind }: Speech) => isSale({ kind } as Speech) || kind === 'advice' || kind === 'reversal'

export const lostAnswer: Maker = (after = '5s') => ({
  answerMilliseconds: durationOf(after),
  hears: ({ mti }) => mti !== '0210' && mti !== '0110',
})

export const wrongMac: Maker = () => ({
  out(frame, report) {
    if (!isMoney(report)) return undefined
    const copy = Buffer.from(frame)
    copy[copy.length - 1]! ^= 0xff
    return [copy]
  },
})

export const storm: Maker = (times = '10') => {
  const count = wholeOf('fault reversal-storm', times, 2, stormMax)
  return {
    out(frame, report, { frameOf }) {
      if (report.kind !== 'reversal') return undefined
      const again = Array.from({ length: count - 1 }, () => frameOf({ ...report, isRepeat: true }))
      return [Buffer.from(frame), ...again]
    },
  }
}

export const storeAndForward: Maker = (time = '20s') => {
  const milliseconds = durationOf(time)
  return { begins: ({ away }) => away(milliseconds) }
}

export function halfFrame(): Fault {
  let half = false
  return {
    out(frame, report, { hush }) {
      if (!isSale(report)) return undefined
      half = !half
      if (!half) return undefined
      hush()
      return [frame.subarray(0, frame.length >> 1)]
    },
  }
}

export const late: Maker = (time = '15s') => {
  const milliseconds = durationOf(time)
  return {
    async obeys(_, usual, { wait }) {
      const result = await usual()
      await wait(milliseconds)
      return result
    },
  }
}

export const silent: Maker = () => ({ obeys: async () => undefined })

export const answerAgain: Maker = (time = '5s') => {
  const milliseconds = durationOf(time)
  return {
    out(frame, { kind }, { later, repeat }) {
      const copy = Buffer.from(frame)
      if (kind === 'result') later(milliseconds, () => repeat(copy))
      return undefined
    },
  }
}

export const paperless: Maker = () => ({
  obeys: async ({ kind }, usual) => (kind === 'print_receipt' ? noPaper : await usual()),
})

export const twice: Maker = () => ({
  out: (frame, report) => (isMoney(report) ? [frame, Buffer.from(frame)] : undefined),
})

export const glued: Maker = () => ({
  out: (frame, report, { echo }) => (isMoney(report) ? [Buffer.concat([frame, echo()])] : undefined),
})

export const crumbs: Maker = () => ({
  out: (frame) => Array.from(frame, (byte) => Buffer.of(byte)),
})

export const dropAfterSale: Maker = () => ({
  out(frame, report, { drop }) {
    if (!isSale(report)) return undefined
    // After the write: the frame itself is still sent.
    queueMicrotask(drop)
    return [frame]
  },
})

export const foreignCode: Maker = () => ({
  out: (_, report, { frameOf }) => (isSale(report) ? [frameOf(report, otherTerminal)] : undefined),
})

export const withPin: Maker = () => ({
  out: (frame, report, { withField }) => (isSale(report) ? [withField(frame, pinField, pinBlock)] : undefined),
})

export const clockOff: Maker = (by = '1h') => ({ clockMilliseconds: durationOf(by) })

export const wrongTotals: Maker = () => ({
  says(report) {
    if (report.kind !== 'totals') return report
    const { debits, debitsMinor } = report.totals
    return {
      ...report,
      totals: { ...report.totals, debits: debits + 1, debitsMinor: debitsMinor + tooMuchMinor },
    }
  },
})
