import { z } from 'zod'
import { apiConfig, apiSettings } from '../../api/config.ts'
import { startApi } from '../../api/main.ts'
import { parseSettings } from '../../db/platform/config.ts'
import { jsonLog } from '../../db/platform/log.ts'
import { connect } from '../../db/postgres/connect.ts'
import { gatewayConfig, gatewaySettings } from '../../gateway/config.ts'
import { startGateway } from '../../gateway/main.ts'
import { serve, usage } from './child.ts'

/** Where a house of the benchmark stands. */
export interface ServerOptions {
  url: string
  keysSecret: string
  jwtSecret: string
  hasApi: boolean
  /** Settings beside those that every house of the benchmark has. */
  settings?: Record<string, string>
}

interface Ports {
  cabinetPort: number
  mqttPort: number
  terminalPort: number
  /** 0 without one. */
  apiPort: number
}

/** As in production, but on free ports of this machine, and without the bounds on what one link may say: one asks for more. */
const environment = {
  HOST: '127.0.0.1',
  CABINET_PORT: '0',
  METRICS_PORT: '0',
  MQTT_PORT: '0',
  MQTT_WS_PORT: '0',
  CABINET_HTTP_PORT: '0',
  TERMINAL_PORT: '0',
  API_PORT: '0',
  CABINET_FRAMES_PER_SECOND: '1000000',
  MQTT_PACKETS_PER_SECOND: '1000000',
  MQTT_BYTES_PER_SECOND: String(1 << 30),
}

const skills = {
  /** The gateway alone, or with the API in one process as `npm start` has it. */
  async open({ url, keysSecret, jwtSecret, hasApi, settings: given = {} }: ServerOptions): Promise<Ports> {
    const log = jsonLog({ level: 'error' })
    const db = connect(url)
    const settings = parseSettings(z.object(gatewaySettings), { ...environment, ...given })
    const gateway = await startGateway({
      config: gatewayConfig(settings, { keysSecret, cardKey: Buffer.alloc(32) }),
      db,
      log,
    })
    const { cabinet: cabinetPort, mqtt, terminal } = gateway.ports
    const ports = { cabinetPort, mqttPort: mqtt!, terminalPort: terminal!, apiPort: 0 }
    if (!hasApi) return ports
    const config = apiConfig(parseSettings(apiSettings, { ...environment, ...given }), {
      jwtSecret,
      keysSecret,
      cardKey: Buffer.alloc(32),
    })
    const { port: apiPort } = await startApi({ config, db, log, metrics: gateway.registry })
    return { ...ports, apiPort }
  },
  usage,
}

/** For `start`. */
export type HouseChild = typeof skills

serve(skills)
