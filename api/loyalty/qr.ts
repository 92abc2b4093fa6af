import { createRoute, z } from '@hono/zod-openapi'
import { toBuffer } from 'qrcode'
import * as certificates from '../../db/loyalty/certificates.ts'
import { Refused } from '../../db/loyalty/refused.ts'
import { perMinute, slowDown } from '../limit.ts'
import { no, router } from './surface.ts'

/** The picture of a code never changes. */
const caching = 'public, max-age=86400, immutable'
/** Pixels a module, and modules around: what scanners of a cash desk read from a telephone's screen. */
const picture = { type: 'png', errorCorrectionLevel: 'M', scale: 8, margin: 4 } as const

const route = createRoute({
  method: 'get',
  path: '/qrcodes/{file}',
  tags: ['Лояльность: сертификаты'],
  summary: 'QR-код сертификата',
  description: 'Картинка PNG; в ней сам код.',
  security: [],
  request: { params: z.object({ file: z.string().openapi({ example: 'CERT-A1B2C3D4E5F60718.png' }) }) },
  responses: {
    200: {
      description: 'Картинка',
      content: { 'image/png': { schema: z.string().openapi({ type: 'string', format: 'binary' }) } },
    },
    ...no(404),
  },
})

/**
 * The pictures that `qr_code_url` names, drawn when asked for. Each holds the code itself and no address: a cash desk's
 * scanner types what it reads into the field that `verify` and `redeem` take, and no address moves away from under it.
 * Who asks for too many that do not exist has to wait.
 */
export function qr({ verificationsPerMinute }: { verificationsPerMinute: number }) {
  const misses = perMinute(verificationsPerMinute)
  const app = router()
  app.openapi(route, async (c) => {
    slowDown(c, misses.wait(c.env.address))
    const [, code] = /^(.*)\.png$/i.exec(c.req.valid('param').file) ?? []
    const found = code && (await certificates.look(c.var.db.sql, code))
    if (!found) {
      misses.take(c.env.address)
      throw new Refused('not_found')
    }
    const bytes = await toBuffer(found.code, picture)
    return c.body(new Uint8Array(bytes), 200, { 'Content-Type': 'image/png', 'Cache-Control': caching })
  })
  return app
}
