import { expect, test } from 'vitest'
import { loggedPath } from '../../api/logged-path.ts'

const code = 'CERT-77C27277B7B1F35D'
const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_'

test.each([
  [`/qrcodes/${code}.png`, '/qrcodes/…'],
  ['/qrcodes/VIP-5.png', '/qrcodes/…'],
  [`/QRCODES/${code}.png`, '/QRCODES/CERT-….png'],
  [`/api/certificates/${code}/cancel`, '/api/certificates/CERT-…/cancel'],
  [`/api/certificates/${code.toLowerCase()}`, '/api/certificates/cert-…'],
  [`/api/auth/refresh/${token}`, '/api/auth/refresh/…'],
  ['/api/getpro/payments/return/bbd885fd-6494-4d0f-868b-3cb327a912e7', '/api/getpro/payments/return/…'],
  ['/api/getpro/Payments/Return/bbd885fd', '/api/getpro/Payments/Return/…'],
  ['/api/getpro/payments/5/refunds', '/api/getpro/payments/5/refunds'],
  ['/api/certificates/create', '/api/certificates/create'],
  ['/api/certificates/5', '/api/certificates/5'],
  ['/api/integrations/1c/visit', '/api/integrations/1c/visit'],
])('%s is logged as %s', (path, logged) => {
  expect(loggedPath(path)).toBe(logged)
})
