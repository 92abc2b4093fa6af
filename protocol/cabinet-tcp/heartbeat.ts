import { report } from '../define.ts'

/** docs/protocol.md 3, 0x61. */
export const heartbeat = report({
  code: 0x61,
  name: 'heartbeat',
  kind: 'heartbeat',
  doc:
    'Every 30 seconds unless 0x63 said otherwise; the answer is the same bytes. The server may send it as a probe: ' +
    'the cabinet answers, and any heartbeat counts as that answer.',
  up: {},
  means: () => ({ kind: 'heartbeat' }),
  says: () => ({}),
  down: {},
  ack: (_, verdict) => (verdict.kind === 'accepted' ? {} : null),
  heard: () => ({ kind: 'acknowledged', report: 'heartbeat' }),
  examples: [
    { up: '', body: {} },
    { down: '', body: {} },
  ],
})
