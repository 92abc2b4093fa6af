import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Hono } from 'hono'
import type { Env } from '../context.ts'

const { resolve } = createRequire(import.meta.url)
const compress = promisify(gzip)

/** No CDN: the readers come out of node_modules, and the policy lets the pages load nothing from elsewhere. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  'worker-src blob:',
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const logo = 'https://cdn.redoc.ly/redoc/logo-mini.svg'
const javascript = 'text/javascript; charset=UTF-8'
const css = 'text/css; charset=UTF-8'

/** Served name → where it is, and its type. Nothing else is served. */
const files: Record<string, readonly [string, string]> = {
  'swagger-ui.css': [resolve('swagger-ui-dist/swagger-ui.css'), css],
  'swagger-ui-bundle.js': [resolve('swagger-ui-dist/swagger-ui-bundle.js'), javascript],
  'favicon-32x32.png': [resolve('swagger-ui-dist/favicon-32x32.png'), 'image/png'],
  'redoc.standalone.js': [resolve('redoc/bundles/redoc.standalone.js'), javascript],
}

/** The pages' own few lines; apart from the HTML because the policy forbids inline scripts. */
const texts: Record<string, readonly [string, string]> = {
  'swagger.js': [
    `SwaggerUIBundle({
  url: '/api/openapi.json',
  dom_id: '#page',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  filter: true,
  validatorUrl: null,
})
`,
    javascript,
  ],
  'redoc.js': [
    `Redoc.init('/api/openapi.json', { hideDownloadButtons: false, nativeScrollbars: true }, document.getElementById('page'))
`,
    javascript,
  ],
  // The logo of ReDoc's maker, of which `load` leaves an empty picture.
  'redoc.css': ['body { margin: 0 }\nimg[src="data:,"] { display: none }\n', css],
}

const page = (title: string, styles: string[], scripts: string[]) => `<!doctype html>
<html lang="ru">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" type="image/png" href="/api/docs/assets/favicon-32x32.png">
${styles.map((name) => `<link rel="stylesheet" href="/api/docs/assets/${name}">`).join('\n')}
</head>
<body>
<div id="page"></div>
<noscript>Страница показывает /api/openapi.json и без JavaScript не работает.</noscript>
${scripts.map((name) => `<script src="/api/docs/assets/${name}"></script>`).join('\n')}
</body>
</html>
`

interface Asset {
  type: string
  etag: string
  plain: Uint8Array<ArrayBuffer>
  gzipped: Uint8Array<ArrayBuffer>
}

/** ReDoc loads its maker's logo from a CDN, and no option says not to; the policy would only report that as an error. */
function withoutLogo(file: Buffer): Buffer {
  const at = file.indexOf(logo)
  return at < 0 ? file : Buffer.concat([file.subarray(0, at), Buffer.from('data:,'), file.subarray(at + logo.length)])
}

async function load(name: string): Promise<Asset | null> {
  const [text, file] = [texts[name], files[name]]
  const [, type] = text ?? file ?? []
  if (!type) return null
  const plain = text ? Buffer.from(text[0]) : withoutLogo(await readFile(file![0]))
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
  return { type, etag, plain: new Uint8Array(plain), gzipped: new Uint8Array(await compress(plain)) }
}

/** Swagger UI at /api/docs, ReDoc at /api/redoc, and what they load. */
export function pages() {
  const app = new Hono<Env>({ strict: false })
  // Read and compressed once a process, at the first request.
  const loaded = new Map<string, Promise<Asset | null>>()
  const html = {
    '/api/docs': page('Voltbay API: Swagger UI', ['swagger-ui.css'], ['swagger-ui-bundle.js', 'swagger.js']),
    '/api/redoc': page('Voltbay API: ReDoc', ['redoc.css'], ['redoc.standalone.js', 'redoc.js']),
  }
  for (const [path, body] of Object.entries(html))
    app.get(path, (c) =>
      c.html(body, 200, {
        'Content-Security-Policy': policy,
        'Referrer-Policy': 'no-referrer',
        'X-Content-Type-Options': 'nosniff',
        'Cache-Control': 'no-cache',
      }),
    )
  for (const name of [...Object.keys(files), ...Object.keys(texts)])
    app.get(`/api/docs/assets/${name}`, async (c) => {
      const asset = loaded.get(name) ?? load(name)
      loaded.set(name, asset)
      const found = await asset
      if (!found) return c.notFound()
      const headers = {
        'Content-Type': found.type,
        'Cache-Control': 'public, max-age=86400',
        'X-Content-Type-Options': 'nosniff',
        Vary: 'Accept-Encoding',
        ETag: found.etag,
      }
      if (c.req.header('if-none-match') === found.etag) return c.body(null, 304, headers)
      if (/\bgzip\b/.test(c.req.header('accept-encoding') ?? ''))
        return c.body(found.gzipped, 200, { ...headers, 'Content-Encoding': 'gzip' })
      return c.body(found.plain, 200, headers)
    })
  return app
}
