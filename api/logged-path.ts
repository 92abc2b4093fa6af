/**
 * A request's path as the log may have it. The picture of a certificate is named after its code, and a code is worth
 * money to whoever reads it.
 */
export const loggedPath = (path: string) => path.replace(/^(\/qrcodes\/).+/s, '$1…')
