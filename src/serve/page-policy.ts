/** Where models of the hub come from: its answers, and the stores that it sends on to. */
export const HUB = 'https://huggingface.co https://*.huggingface.co https://*.hf.co'

/**
 * What the playground may do: its own code, WebAssembly, workers, pictures of the user; and which places it may connect to.
 * `more` are directives beside these.
 */
export const pagePolicy = (connect: string, ...more: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "font-src 'self'",
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
    ...more,
  ].join('; ')
