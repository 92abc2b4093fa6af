import { isIP } from 'node:net'
import type { Command } from '../../protocol/terminal.ts'
import type { Journal } from './terminal-journal.ts'

const volumeMax = 100
const portMax = 65_535
const formatError = '30'

/** Where a terminal dials. */
export interface HostAddress {
  host: string
  port: number
}

/** What a terminal is, apart from its money. */
export interface Device {
  terminalCode: string
  volume: number
  condition: 'working' | 'maintenance'
  software: string
  config: Record<string, unknown>
  host: HostAddress
  journal: Journal
}

/** What is answered to a command, and what happens once it is. */
export interface Result {
  code: string
  text?: string
  /** Power off and on. */
  restarts?: true
  /** Hang up, and dial the host that is known now. */
  redials?: true
}

const done: Result = { code: '00' }
const mistaken = (text: string): Result => ({ code: formatError, text })

/** Sets one thing. */
function set(device: Device, change: Partial<Device>): Result {
  Object.assign(device, change)
  return done
}

/** A name or an address, as it may be dialled. */
const isHost = (host: unknown): host is string =>
  typeof host === 'string' && (isIP(host) > 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(host))

const isWhole = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most

type Data = NonNullable<Command['data']>

/** One for each command there is (docs/protocol.md 7.5, 0600). */
const behaviours: Record<Command['kind'], (device: Device, data: Data) => Result> = {
  restart: () => ({ ...done, restarts: true }),
  update_config(device, data) {
    Object.assign(device.config, data)
    device.journal.add({ event: 'did', act: 'configured', text: Object.keys(data).join(', ') })
    return done
  },
  update_software(device, { version }) {
    if (typeof version !== 'string' || version === '') return mistaken('version')
    device.journal.add({ event: 'did', act: 'updated', text: version })
    return { ...set(device, { software: version }), restarts: true }
  },
  maintenance_on: (device) => set(device, { condition: 'maintenance' }),
  maintenance_off: (device) => set(device, { condition: 'working' }),
  ping: ({ volume, condition, software }) => ({ ...done, text: JSON.stringify({ volume, condition, software }) }),
  print_receipt(device, { text }) {
    device.journal.add({ event: 'did', act: 'printed', ...(typeof text === 'string' && { text }) })
    return done
  },
  set_volume: (device, { volume }) =>
    isWhole(volume, 0, volumeMax) ? set(device, { volume }) : mistaken(`volume: 0 to ${volumeMax}`),
  set_server_address(device, { host, port }) {
    if (!isHost(host) || !isWhole(port, 1, portMax)) return mistaken('host, port')
    device.journal.add({ event: 'did', act: 'moved', text: `${host}:${port}` })
    return { ...set(device, { host: { host, port } }), redials: true }
  },
  payment(device, data) {
    device.journal.add({ event: 'did', act: 'shown', text: JSON.stringify(data) })
    return done
  },
}

/** A well-behaved terminal: does what it is told and says so. */
export const obey = (device: Device, { kind, data = {} }: Command): Result => behaviours[kind](device, data)
