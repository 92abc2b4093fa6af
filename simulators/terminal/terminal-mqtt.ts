import type { Socket } from 'node:net'
import type { MqttClient } from 'mqtt'
import type { DeviceCodec } from '../../protocol/terminal.ts'
import { begin, hangUp, reasonOf } from '../line.ts'
import { clientOn, deafen, endAfterWrites } from '../mqtt-client.ts'
import { hear } from './hearing.ts'
import { type Machine, type MachineSettings, network, newMachine, say } from './machine.ts'
import { simulated, type Terminal } from './simulated-terminal.ts'
import type { Dial } from './terminal-tcp.ts'
import { spelling } from './terminal-wire.ts'

interface MqttMachine extends Machine {
  way: Dial
  codec: DeviceCodec
  /** On the stream of now. */
  client: MqttClient | undefined
}

/** docs/protocol.md 7.1. */
const topicsOf = (code: string) => ({ up: `terminals/${code}/up`, down: `terminals/${code}/down` })

/** True until it is forsaken or about to end: after that it hears nothing. */
const isOurs = ({ stream, farewell }: Machine, socket: Socket) => stream === socket && !farewell

function dial(machine: MqttMachine) {
  const { terminalCode, key } = machine.settings
  const socket = begin(machine, () => machine.way(machine.device.host))
  if (!socket) return
  const client = clientOn(socket, { clientId: terminalCode, username: terminalCode, password: key })
  machine.client = client
  socket.once('close', () => client.end(true))
  client.on('error', (error) => {
    if (machine.stream === socket) machine.farewell ??= { reason: reasonOf(error) }
    socket.destroy()
  })
  client.on('connect', () => subscribe(machine, client, socket))
  client.on('message', (_, payload) => {
    if (isOurs(machine, socket)) hear(machine, machine.codec, payload)
  })
}

function subscribe(machine: MqttMachine, client: MqttClient, socket: Socket) {
  machine.journal.add({ event: 'connected' })
  client.subscribe(topicsOf(machine.settings.terminalCode).down, { qos: 0 }, (error, granted = []) => {
    if (!isOurs(machine, socket)) return
    if (error || granted.some(({ qos }) => qos > 2)) return hangUp(machine, 'the subscription was refused')
    say(machine, network(machine, 'login'))
  })
}

/**
 * A terminal at a broker, dialled at once and well-behaved unless told otherwise.
 * @throws RangeError a key that is none, or a fault that it cannot have
 */
export function mqttTerminal(way: Dial, settings: MachineSettings): Terminal {
  const { codec, ...spelt } = spelling({ ...settings, carrier: 'mqtt' })
  const { up } = topicsOf(settings.terminalCode)
  const machine: MqttMachine = {
    ...newMachine(settings, 'mqtt', true),
    ...{ way, codec, client: undefined },
    wire: {
      ...spelt,
      dial: () => dial(machine),
      // Every stream of this wire is a socket.
      hangUp: (stream) => endAfterWrites(stream as Socket),
      deafen: () => deafen(machine.client, machine.stream),
      canSay: () => machine.client?.connected === true && machine.stream !== undefined && !machine.farewell,
      write: (bytes) => void machine.client?.publish(up, bytes, { qos: 1, retain: machine.faults.has('retained') }),
    },
  }
  return simulated(machine)
}
