import type { ResponseCode } from '../terminal.ts'
import { outcome, request, spoken } from './define.ts'
import { de } from './layout.ts'

const kinds = { '001': 'login', '002': 'sign_off', '301': 'heartbeat' } as const
const codes = { login: '001', sign_off: '002', heartbeat: '301' } as const
/** A change of keys, which is done at the host (docs/protocol.md 7.4). */
const unsupported = ['101', '161']

/** docs/protocol.md 7.5, 0800. */
export const network = request({
  mti: 0x0800,
  name: 'Network management',
  doc: 'Field 70: 001 sign-on, the first message of every connection; 002 sign-off; 301 echo, the heartbeat.',
  kinds: ['login', 'sign_off', 'heartbeat'],
  up: { ...spoken, networkCode: de(70) },
  down: outcome,
  echo: [7, 11, 41, 70],
  means({ networkCode, terminalCode, ...said }) {
    if (unsupported.includes(networkCode)) return '40'
    // Of another code there is no word.
    const kind = kinds[networkCode as keyof typeof kinds]
    if (kind === undefined) return '12' satisfies ResponseCode
    return kind === 'login' ? { kind, terminalCode, ...said } : { kind, ...said }
  },
  says: ({ kind, sentAt, stan }, terminalCode) => ({ sentAt, stan, terminalCode, networkCode: codes[kind] }),
  examples: [
    {
      says: { kind: 'login', terminalCode: 'T0000001', stan: '000001', sentAt: '1128203059' },
      up: '0800822000000080000004000000000000011128203059000001543030303030303100018A9887E3FD3E2275',
      verdict: { kind: 'accepted' },
      down: '0810822000000280000004000000000000011128203059000001303054303030303030310001D31BA052F8A6A020',
    },
    {
      says: { kind: 'heartbeat', stan: '000009', sentAt: '1128203159' },
      up: '0800822000000080000004000000000000011128203159000009543030303030303103012D30EFAD79D00DD5',
      verdict: { kind: 'accepted' },
      down: '08108220000002800000040000000000000111282031590000093030543030303030303103017FEB85D66A0EEADE',
    },
    {
      says: { kind: 'sign_off', stan: '000010', sentAt: '1128210000' },
      up: '0800822000000080000004000000000000011128210000000010543030303030303100022FFB8CAAFB093248',
      verdict: { kind: 'accepted' },
      down: '081082200000028000000400000000000001112821000000001030305430303030303031000293D162D0C18E69AF',
    },
  ],
})
