import { whole } from '../platform/config.ts'

/** What every process may be told to which terminals come, by whatever line. */
export const heartbeatSettings = {
  TERMINAL_HEARTBEAT_SECONDS: whole(5, 3_600)
    .default(60)
    .describe('how far apart terminals say their echo; two of them without a word and one is away'),
}
