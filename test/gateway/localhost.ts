/** A certificate for `localhost`, good for a hundred years and for nothing but these tests; its key is no secret. */
export const cert = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUMxQwLitBf69iTaUvUwZPA0SrET0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwMDUxNloYDzIxMjYxMDI4
MTAwNTE2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARd9bBkh/rFyAWpje7FGxSv/Bb1y7RaLat1od2XxM0XgVhFR2uJpSsv
y0LnqAy/C7yy9MX/1vU30TwDR6ymmET3o2kwZzAdBgNVHQ4EFgQUsjaBU4Qgz+Oo
qVoTm4tVuKkRjBkwHwYDVR0jBBgwFoAUsjaBU4Qgz+OoqVoTm4tVuKkRjBkwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhANmgw0hBTa6nttVFBlsPi1k1i1g4keEG+MNwAlxW0ibzAiBQ+9Ihk0gZ
UMxPoz+C3WocCZQioZI2kCZJOnyNE2dEyg==
-----END CERTIFICATE-----
`

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgts0o9zTFgwkVnHP2
Gsb8RcM7Ch2tOwUFTL5K/l3say+hRANCAARd9bBkh/rFyAWpje7FGxSv/Bb1y7Ra
Lat1od2XxM0XgVhFR2uJpSsvy0LnqAy/C7yy9MX/1vU30TwDR6ymmET3
-----END PRIVATE KEY-----
`
