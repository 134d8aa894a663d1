// @ts-check
// Preloaded into a process (--import) and its threads: writes a line to the file NETWORK_NOTES for each name that JavaScript
// looks up and each connection that it makes.
import dns from 'node:dns'
import { appendFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { inspect } from 'node:util'

/** @param {string} what @param {unknown} asked */
const note = (what, asked) =>
  appendFileSync(process.env.NETWORK_NOTES ?? '', `${what} ${inspect(asked, { breakLength: Infinity })}\n`)

/** @param {string} what @param {object} on @param {string} name */
function watch(what, on, name) {
  const original = Reflect.get(on, name)
  Reflect.set(
    on,
    name,
    /** @this {unknown} @param {unknown[]} args */ function (...args) {
      if (net.isIP(String(args[0])) === 0) note(what, args[0]) // an address is no name to look up
      return Reflect.apply(original, this, args)
    },
  )
}

for (const on of [dns, dns.promises])
  for (const name of ['lookup', 'resolve', 'resolve4', 'resolve6']) watch('name', on, name)
watch('connection', net.Socket.prototype, 'connect')
syncBuiltinESMExports()
