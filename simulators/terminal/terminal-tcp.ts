import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Framer } from '../../protocol/any-device.ts'
import { BrokenStream } from '../../protocol/errors.ts'
import type { DeviceCodec } from '../../protocol/terminal.ts'
import { newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { begin, hangUp } from '../line.ts'
import type { HostAddress } from './behaviours.ts'
import { hear } from './hearing.ts'
import { type Machine, type MachineSettings, network, newMachine, say } from './machine.ts'
import { simulated, type Terminal } from './simulated-terminal.ts'
import { spelling } from './terminal-wire.ts'

export interface TerminalSettings extends MachineSettings {
  /** Five bytes in front of each message, of terminals behind a concentrator. */
  tpdu?: Buffer | undefined
}

/** A way to dial a host, in the clear or over TLS. */
export type Dial = (host: HostAddress) => Socket

function dial(machine: Machine, way: Dial, codec: DeviceCodec) {
  const stream = begin(machine, () => way(machine.device.host))
  if (!stream) return
  const framer = newFramer()
  stream.on('data', (chunk: Buffer) => received(machine, { stream, framer, codec }, chunk))
  stream.once('end', () => stream.destroySoon())
  stream.once(stream instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
    machine.journal.add({ event: 'connected' })
    say(machine, network(machine, 'login'))
  })
}

function received(
  machine: Machine,
  { stream, framer, codec }: { stream: Socket; framer: Framer; codec: DeviceCodec },
  chunk: Buffer,
) {
  // A forsaken line hears nothing.
  if (stream !== machine.stream) return
  try {
    for (const frame of framer.push(chunk)) hear(machine, codec, frame)
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error
    hangUp(machine, error.message)
  }
}

/**
 * A terminal over TCP, dialled at once and well-behaved unless told otherwise.
 * @throws RangeError a key that is none, or a fault that it cannot have
 */
export function terminal(way: Dial, settings: TerminalSettings): Terminal {
  const { codec, ...spelt } = spelling({ ...settings, carrier: 'tcp' })
  const machine: Machine = {
    ...newMachine(settings, 'tcp', true),
    wire: {
      ...spelt,
      dial: () => dial(machine, way, codec),
      // Every stream of this wire is a socket: what was written before is still sent.
      hangUp: (stream) => (stream as Socket).destroySoon(),
      canSay: () => machine.stream !== undefined && !machine.farewell,
      write: (bytes) => void machine.stream?.write(bytes),
    },
  }
  return simulated(machine)
}
