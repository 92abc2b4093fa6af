/** ISO 8583:1987 as payment terminals speak it: the same messages in frames over TCP and as payloads over MQTT. */
export { codec, greet } from './codec.ts'
export { deviceCodec } from './device.ts'
export { definitions } from './dialect.ts'
export { carrierOf, explainMessage, isMessage } from './explain.ts'
export type { Carrier } from './frame.ts'
export { newFramer } from './frame.ts'
