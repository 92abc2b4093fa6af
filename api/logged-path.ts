/**
 * A request's path as the log may have it. The picture of a certificate is named after its code, and a code is worth
 * money to whoever reads it; so is a token, and both are put where they do not belong. Our name for a payment is told to its
 * payer alone.
 */
export const loggedPath = (path: string) =>
  path
    .replace(/^(\/qrcodes\/).+/s, '$1…')
    .replace(/(\/payments\/return\/).+/is, '$1…')
    .replaceAll(/(cert-)[0-9a-z]+/gi, '$1…')
    .replaceAll(/eyJ[\w-]+\.[\w.-]+/g, '…')
