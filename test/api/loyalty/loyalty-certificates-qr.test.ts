import jsqr from 'jsqr'
import { PNG } from 'pngjs'
import { expect, test } from 'vitest'
import * as identity from '../../../db/identity/identity.ts'
import { config, startApiServer } from '../server.ts'

const { db, call, request, person } = await startApiServer()
const cashier = await person()
await db.transaction((tx) => identity.grant(tx, cashier.id, { surface: 'loyalty', role: 'cashier' }))
const sold = async () =>
  (await call('POST', '/api/certificates/create', { token: cashier.token, body: { initial_amount: 100 } })).body

/** What a scanner reads from a picture. */
async function scan(response: Response) {
  const { data, width, height } = PNG.sync.read(Buffer.from(await response.arrayBuffer()))
  // The package says `export default` in its types and is a function in fact.
  return (jsqr as unknown as typeof jsqr.default)(new Uint8ClampedArray(data), width, height)?.data
}

test('the picture at qr_code_url holds the code, which verify takes as it is', async () => {
  const { code, qr_code_url } = await sold()
  const response = await request(new URL(qr_code_url).pathname)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('image/png')
  expect(response.headers.get('cache-control')).toMatch(/public.*max-age=\d{4,}/)
  const scanned = await scan(response)
  expect(scanned).toBe(code)
  const verified = await call('POST', '/api/certificates/verify', { body: { code: scanned } })
  expect(verified.body.valid).toBe(true)
})

test('a code of another alphabet has its picture too, under the address it is given', async () => {
  const { id } = await sold()
  await db.sql`update certificates set code = 'ПОДАРОК 100% /?#' where id = ${id}`
  const { body } = await call('GET', `/api/certificates/${id}`, { token: cashier.token })
  const response = await request(new URL(body.qr_code_url).pathname)
  expect([response.status, await scan(response)]).toEqual([200, 'ПОДАРОК 100% /?#'])
})

test('without PUBLIC_URL the address is where the client found us', async () => {
  const { code, qr_code_url } = await sold()
  expect(qr_code_url).toBe(`http://localhost/qrcodes/${code}.png`)
})

test('there are pictures of certificates only, and all others are missed alike', async () => {
  const { code } = await sold()
  const paths = [
    'CERT-0000000000000000.png',
    code,
    `${code}.jpg`,
    '.png',
    '%00.png',
    '..%2f..%2fetc%2fpasswd',
    `${code}.png.png`,
  ]
  for (const file of paths) {
    const { status, body, headers } = await call('GET', `/qrcodes/${file}`)
    expect({ status, body }, file).toEqual({ status: 404, body: { detail: 'Не найдено' } })
    expect(headers.get('cache-control')).toBe('no-store')
  }
})

test('who asks for too many has to wait, but not whoever asks for what there is', async () => {
  const strict = await startApiServer({ loyalty: { ...config.loyalty, verificationsPerMinute: 3 } })
  const seller = await strict.person()
  await strict.db.transaction((tx) => identity.grant(tx, seller.id, { surface: 'loyalty', role: 'cashier' }))
  const made = await strict.call('POST', '/api/certificates/create', {
    token: seller.token,
    body: { initial_amount: 100 },
  })
  const { code } = made.body
  const picture = (name: string) => strict.call('GET', `/qrcodes/${name}.png`)
  const verify = () => strict.call('POST', '/api/certificates/verify', { body: { code } })
  for (let n = 0; n < 6; n++) expect((await picture(code)).status).toBe(200)
  for (let n = 0; n < 3; n++) expect((await picture(`CERT-${n}`)).status).toBe(404)
  const [missed, asked] = [await picture('CERT-4'), [await verify(), await verify(), await verify(), await verify()]]
  expect(missed).toMatchObject({ status: 429, body: { detail: expect.any(String) } })
  expect(Number(missed.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(asked.map(({ status }) => status)).toEqual([200, 200, 200, 429])
  expect(Number(asked[3]!.headers.get('retry-after'))).toBeGreaterThan(0)
  const redeemed = await strict.call('POST', '/api/certificates/redeem', {
    token: seller.token,
    body: { code, amount: 1 },
  })
  expect(redeemed.status).toBe(200)
})
