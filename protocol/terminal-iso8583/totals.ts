import type { Totals } from '../terminal.ts'
import { calendar, outcome, request, spoken } from './define.ts'
import { de, may, whole } from './layout.ts'

/** What a batch comes to. */
export const figures = {
  credits: whole(74),
  creditsReversed: whole(75),
  debits: whole(76),
  debitsReversed: whole(77),
  creditsMinor: whole(86),
  creditsReversedMinor: whole(87),
  debitsMinor: whole(88),
  debitsReversedMinor: whole(89),
} satisfies Record<keyof Totals, unknown>

const ours = {
  credits: may(figures.credits),
  creditsReversed: may(figures.creditsReversed),
  debits: may(figures.debits),
  debitsReversed: may(figures.debitsReversed),
  creditsMinor: may(figures.creditsMinor),
  creditsReversedMinor: may(figures.creditsReversedMinor),
  debitsMinor: may(figures.debitsMinor),
  debitsReversedMinor: may(figures.debitsReversedMinor),
} satisfies Record<keyof Totals, unknown>

/** Figures of an example: one debit of 500.00 is reversed. */
const counted = (debits: number, debitsMinor: number): Totals => ({
  ...{ credits: 0, creditsReversed: 0, debits, debitsReversed: 1 },
  ...{ creditsMinor: 0, creditsReversedMinor: 0, debitsMinor, debitsReversedMinor: 50_000 },
})

/** docs/protocol.md 7.5, 0500. */
export const totals = request({
  mti: 0x0500,
  name: 'Reconciliation',
  doc:
    'The terminal’s figures since both last agreed; a reversed purchase counts in 76 and 88 and again in 77 and 89. 66 = 1: they are ' +
    'ours too, and the batch is closed; 66 = 2 with 95 in 39: they are not, ours are in the answer, and it stays open.',
  kinds: ['totals'],
  up: { ...spoken, localDate: calendar(13), ...figures },
  down: { ...outcome, settlement: may(de(66)), ...ours },
  echo: [7, 11, 13, 41],
  means: ({ sentAt, stan, terminalCode, localDate, ...totals }) => ({
    ...{ kind: 'totals', sentAt, stan, localDate, totals },
  }),
  says: ({ sentAt, stan, localDate, totals }, terminalCode) => ({ sentAt, stan, terminalCode, localDate, ...totals }),
  examples: [
    {
      says: {
        kind: 'totals',
        stan: '000008',
        sentAt: '1128205900',
        localDate: '1128',
        totals: counted(2, 65_000),
      },
      up: '05008228000000800000007807800000000111282059000000081128543030303030303100000000000000000000000000000200000000010000000000000000000000000000000000000000000650000000000000050000E1F28FC8EE82351D',
      verdict: { kind: 'answered', code: '00' },
      down: '051082280000028000004000000000000001112820590000000811283030543030303030303101BCA8398BF17ECE5B',
    },
    {
      says: {
        kind: 'totals',
        stan: '000008',
        sentAt: '1128205900',
        localDate: '1128',
        totals: counted(3, 80_000),
      },
      up: '0500822800000080000000780780000000011128205900000008112854303030303030310000000000000000000000000000030000000001000000000000000000000000000000000000000000080000000000000005000075600AE60A98FC79',
      verdict: {
        kind: 'answered',
        code: '95',
        totals: counted(2, 65_000),
      },
      down: '05108228000002800000407807800000000111282059000000081128393554303030303030310200000000000000000000000000000200000000010000000000000000000000000000000000000000000650000000000000050000B9BACF78D78A0BBD',
    },
  ],
})
