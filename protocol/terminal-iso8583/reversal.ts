import { outcome, request, spoken } from './define.ts'
import { de, may, whole } from './layout.ts'
import { original } from './original.ts'

const echo = [4, 7, 11, 41]

/** docs/protocol.md 7.5, 0400. */
export const reversal = request({
  mti: 0x0400,
  name: 'Reversal',
  doc:
    'What 90 names shall not have happened: its answer did not come, or the customer went away. Has a STAN of its own. Answered 00 ' +
    'also when it is said again and when the original is unknown, which is then refused with 21 should it still come.',
  kinds: ['reversal'],
  up: { ...spoken, amountMinor: whole(4), reason: may(de(39)), original },
  down: outcome,
  echo,
  means: ({ terminalCode, ...said }) => (said.amountMinor === 0 ? '13' : { kind: 'reversal', ...said }),
  says: ({ sentAt, stan, amountMinor, reason, original }, terminalCode) => ({
    ...{ sentAt, stan, terminalCode, amountMinor, original },
    ...(reason !== undefined && { reason }),
  }),
  examples: [
    {
      says: {
        kind: 'reversal',
        stan: '000006',
        sentAt: '1128203140',
        amountMinor: 15000,
        reason: '68',
        original: { mti: '0200', stan: '000002', sentAt: '1128203107' },
      },
      up: '04009220000002800000000000400000000100000001500011282031400000063638543030303030303102000000021128203107000000000000000000000046FCDBF228FFD55F',
      verdict: { kind: 'accepted' },
      down: '041012200000028000010000000150001128203140000006303054303030303030315AF529A56A1F905A',
    },
  ],
})

/** docs/protocol.md 7.5, 0420. */
export const reversalAdvice = request({
  ...reversal,
  mti: 0x0420,
  name: 'Reversal advice',
  doc: 'The same, from terminals that store and forward.',
  means: ({ terminalCode, ...said }) =>
    said.amountMinor === 0 ? '13' : { kind: 'reversal', ...said, isAdvice: true as const },
  examples: [
    {
      says: {
        kind: 'reversal',
        stan: '000007',
        sentAt: '1128203141',
        amountMinor: 50000,
        reason: '17',
        original: { mti: '0100', stan: '000004', sentAt: '1128203107' },
        isAdvice: true,
        isRepeat: true,
      },
      up: '042192200000028000000000004000000001000000050000112820314100000731375430303030303031010000000411282031070000000000000000000000D20DEB02F5E5B2A2',
      verdict: { kind: 'accepted' },
      down: '043012200000028000010000000500001128203141000007303054303030303030316D1BAAEE3C72B347',
    },
  ],
})
