import type { BankId } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'
import { iccidOf } from '../iccid.ts'
import { bankIdOf, snMax } from './bank.ts'
import { isUuid } from './topics.ts'

/** Where cabinets ask for the broker, newer firmware first (docs/protocol.md 5.1). */
export const connectPaths = ['/api/rentbox/client/connect', '/api/iot/client/con'] as const
/** Where older firmware asks for the settings of its motors (5.1). */
export const configPath = '/api/rentbox/config/data'
/** Where they put their 0x10 frame (5.7). */
export const uploadPaths = ['/api/rentbox/client/upload', '/api/rentbox/upload/data'] as const
/** Where they say a successful return once more (5.5). */
export const returnPaths = ['/api/rentbox/client/return', '/api/rentbox/order/return'] as const

const productKey = 'powerbank'
const descriptionCharsMax = 512

/** Who asks for the broker. `iccid` (in the one spelling of protocol/iccid.ts) and `mobile` may be empty. */
export interface Connect {
  /** The IMEI. */
  uuid: string
  deviceId: string
  iccid: string
  mobile: string
}

function member(query: URLSearchParams, key: string, shape: RegExp, absent?: string): string {
  const values = query.getAll(key)
  const value = values.length === 0 ? absent : values[0]
  if (values.length > 1 || value === undefined || !shape.test(value))
    throw new MalformedBody(`${key} is not as it should be`)
  return value
}

function uuidOf(query: URLSearchParams, key: string): string {
  const uuid = member(query, key, /^\d+$/)
  if (!isUuid(uuid)) throw new MalformedBody(`${key} is not fifteen digits`)
  return uuid
}

/** The SIM a device names, as its modem printed it; empty: none, or one that could not be read. */
function simOf(query: URLSearchParams): string {
  const printed = member(query, 'simUUID', /^[\s0-9A-Za-z+:"'=-]{0,64}$/, '')
  const iccid = iccidOf(printed)
  if (iccid === null && /[1-9]/.test(printed)) throw new MalformedBody('simUUID is no SIM')
  return iccid ?? ''
}

/** The query of a connect. @throws MalformedBody no IMEI, no device id, or a value that can be none */
export const readConnect = (query: URLSearchParams): Connect => ({
  uuid: uuidOf(query, 'uuid'),
  deviceId: member(query, 'deviceId', /^\d{1,10}$/),
  iccid: simOf(query),
  mobile: member(query, 'simMobile', /^\+?\d{0,20}$/, ''),
})

/** The body of a connect, `hardware=V6086&software=20240904-…`; what is missing or not printable is absent. */
export function readVersions(body: string): { hardware?: string; software?: string } {
  const said = new URLSearchParams(body.slice(0, descriptionCharsMax))
  const version = (key: string) => {
    const value = said.get(key)
    return value !== null && /^[\x21-\x7e]{1,64}$/.test(value) ? { [key]: value } : {}
  }
  return { ...version('hardware'), ...version('software') }
}

/** The query of an upload; the frame is its body. @throws MalformedBody no IMEI */
export const readUpload = (query: URLSearchParams): { uuid: string; signal: string } => ({
  uuid: uuidOf(query, 'rentboxSN'),
  signal: member(query, 'signal', /^[\x20-\x7e]{0,32}$/, ''),
})

/** The query of a return. @throws MalformedBody no IMEI, no serial number or no hole */
export function readReturn(query: URLSearchParams): { uuid: string; bankId: BankId; slot: number } {
  const sn = Number(member(query, 'singleSN', /^\d{1,10}$/))
  const slot = Number(member(query, 'hole', /^\d{1,3}$/))
  if (sn < 1 || sn > snMax || slot < 1 || slot > 255) throw new MalformedBody('no such bank or hole')
  return { uuid: uuidOf(query, 'rentboxSN'), bankId: bankIdOf(sn), slot }
}

/** Where the broker is and what lets a cabinet in. */
export interface BrokerLogin {
  clientId: string
  host: string
  port: number
  username: string
  password: string
}

/** An answer in the envelope of this family; 200 is success, anything else is not. @param unixMilliseconds now */
export const answer = (code: number, msg: string, unixMilliseconds: number, data?: string): string =>
  JSON.stringify({ code, type: 0, ...(data !== undefined && { data }), msg, time: unixMilliseconds })

/**
 * The answer to a connect (5.1).
 * @throws RangeError a value that would break the list of values it stands in
 */
export function connectAnswer(login: BrokerLogin, unixMilliseconds: number): string {
  const { clientId, host, port, username, password } = login
  const values = [clientId, productKey, host, String(port), username, password, String(unixMilliseconds)]
  if (values.some((value) => !/^[\x21-\x2b\x2d-\x7e]+$/.test(value)))
    throw new RangeError('a value with a comma or none')
  return answer(200, 'OK', unixMilliseconds, values.join(','))
}

/**
 * The cabinet's half: where to dial, from the answer to a connect.
 * @throws MalformedBody a refusal, or not such an answer
 */
export function readConnectAnswer(text: string): BrokerLogin {
  let said: { code?: unknown; data?: unknown; msg?: unknown } | null
  try {
    said = JSON.parse(text)
  } catch (cause) {
    throw new MalformedBody('not JSON', { cause })
  }
  if (said?.code !== 200 || typeof said.data !== 'string')
    throw new MalformedBody(`refused: ${said?.code} ${said?.msg}`)
  const [clientId, , host, port, username, password, time] = said.data.split(',')
  if (!clientId || !host || !username || !password || !time || !/^\d{1,5}$/.test(port ?? ''))
    throw new MalformedBody('not the list of a broker')
  return { clientId, host, port: Number(port), username, password }
}
