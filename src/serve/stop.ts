import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A client may have sent its next request on a connection that seems idle: it has so long to arrive. */
const LINGER_MS = 250
const LOOK_MS = 20

/**
 * Stops a server: no new connections, every request that has come is answered, then the connections end.
 * @param inFlight requests that are not answered yet
 * @returns how many requests were cut off when the grace was over
 */
export async function stopServer(server: Server, graceMs: number, inFlight: () => number): Promise<number> {
  // what the system has already accepted is taken first
  await new Promise((resolve) => setImmediate(resolve))
  // not http.Server's: that one also ends idle connections at once
  const ended = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
  const started = performance.now()
  const spent = () => performance.now() - started
  while (spent() < LINGER_MS || inFlight() > 0) {
    if (spent() >= graceMs) break
    await sleep(LOOK_MS)
  }
  const cut = inFlight()
  server.closeAllConnections()
  await ended
  return cut
}

/** Calls `stop` at the first signal that ends a process, and gives what it gives; the next one ends the process at once. */
export function stopSignals<T>(stop: (signal: string) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let stopping = false
    for (const [signal, number] of [
      ['SIGINT', 2],
      ['SIGTERM', 15],
    ] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(128 + number)
        stopping = true
        stop(signal).then(resolve, reject)
      })
    }
  })
}
