import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { UsageError } from '../base/errors.ts'
import { Refusal } from './refusal.ts'

// Who may ask: hosts, tokens, origins.

/** Whether an address is of this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * A page from elsewhere whose name is made to point here (DNS rebinding) sends that name: on loopback only the names of
 * this machine are answered.
 * @throws Refusal (403)
 */
export function checkHost(header: string | undefined, bound: string): void {
  if (!isLoopback(bound)) return
  const name = (header ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  if (isLoopback(name)) return
  throw new Refusal(
    403,
    'this server answers to localhost only',
    'ask it by http://localhost or http://127.0.0.1, or start it with the --host of the network that may ask',
  )
}

const hash = (text: string) => createHash('sha256').update(text).digest()

/** A check of the Authorization header, which takes as long for any token. Throws Refusal (401). */
export function tokenCheck(token: string): (header: string | undefined) => void {
  const wanted = hash(token)
  return (header) => {
    const [, given] = /^Bearer +(\S+) *$/i.exec(header ?? '') ?? []
    if (given !== undefined && timingSafeEqual(hash(given), wanted)) return
    const fault = given === undefined ? '' : ', error="invalid_token"'
    throw new Refusal(
      401,
      given === undefined ? 'a bearer token is needed' : 'the bearer token is not the right one',
      'send the header Authorization: Bearer TOKEN',
      { 'WWW-Authenticate': `Bearer realm="coop-ts"${fault}` },
    )
  }
}

/** A token that can be sent (RFC 6750), from a file or the environment. Throws UsageError. */
export function checkedToken(text: string, from: string): string {
  const token = text.trim()
  if (/^[\w.~+/-]+=*$/.test(token)) return token
  throw new UsageError(
    `${from} has no token: letters, digits and . _ ~ + / - are allowed, on one line`,
    'make one: openssl rand -hex 32',
  )
}

/** An origin as a browser sends it, or `*`. Throws UsageError. */
export function checkedOrigin(text: string): string {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text
  throw new UsageError(
    `${JSON.stringify(text)} is not an origin`,
    'give it as https://example.org, or * for all (--cors)',
  )
}
