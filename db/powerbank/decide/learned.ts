import type { Change } from './changes.ts'
import type { AnsweredCommand, CabinetAnswer, Snapshot } from './snapshot.ts'

type Lesson = (
  about: { stationId: number; at: Date },
  said: CabinetAnswer,
  command: AnsweredCommand,
) => (Change | false)[]

/** The loudest that the vendor's document knows (docs/protocol.md 0x70). */
const VOLUME_LEVEL_MAX = 15

/** What an answer teaches about the cabinet itself, by kind; kinds that teach nothing are absent. */
const lessons: Record<string, Lesson> = {
  iccid: ({ stationId }, { iccid }) => [{ kind: 'iccid', stationId, iccid: iccid as string }],
  volume: ({ stationId, at }, { level }) => [
    {
      kind: 'state',
      stationId,
      state: {
        volume: { level, at },
        // Once is enough: a quiet word later does not take it back (docs/protocol.md 0x77).
        ...(Number(level) > VOLUME_LEVEL_MAX && { countsVolumeInPercent: true }),
      },
    },
  ],
  set_volume: ({ stationId, at }, _said, { args }) => [
    { kind: 'state', stationId, state: { volume: { level: args.level, at } } },
  ],
  server_address: ({ stationId, at }, { host, port, heartbeatSeconds }) => [
    { kind: 'state', stationId, state: { serverAddress: { host, port, heartbeatSeconds, at } } },
    Number(heartbeatSeconds) > 0 && {
      kind: 'heartbeat',
      stationId,
      seconds: Number(heartbeatSeconds),
      atLeast: false,
    },
  ],
  // Holds from the restart on (0x63), and a restart may be missed: the slower pace of both is expected.
  set_server_address: ({ stationId, at }, _said, { args: { host, port, heartbeatSeconds } }) => [
    { kind: 'state', stationId, state: { serverAddress: { host, port, heartbeatSeconds, at } } },
    { kind: 'heartbeat', stationId, seconds: Number(heartbeatSeconds), atLeast: true },
  ],
  apn: ({ stationId, at }, { index, valid, operator, apn }) => [
    { kind: 'state', stationId, state: { apn: { index, valid, operator, apn, at } } },
  ],
  software_version: ({ stationId, at }, { version }) => [
    { kind: 'state', stationId, state: { softwareVersion: { version, at } } },
  ],
}

/** What a cabinet's answer teaches about itself. */
export const learned = ({ now: at, station }: Snapshot, said: CabinetAnswer, command: AnsweredCommand): Change[] =>
  (lessons[said.kind]?.({ stationId: station.id, at }, said, command) ?? []).filter((change) => change !== false)
