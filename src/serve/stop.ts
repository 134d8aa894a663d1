import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A client may have sent its next request on a connection that seems idle: it has so long to arrive. */
const LINGER_MS = 250
const LOOK_MS = 20

/** Turns of the event loop that a quiet one is waited for, and how long that lasts. */
const [TURNS, QUIET_MS] = [50, 1]

/**
 * Connections that the system has accepted, and this process has not seen, are lost where it stops listening: it sees them
 * in each turn of its loop, so the end of a short turn is a moment without any.
 */
async function quietMoment(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) {
    const start = performance.now()
    await new Promise((resolve) => setImmediate(resolve))
    if (performance.now() - start < QUIET_MS) return
  }
}

/**
 * Stops a server: no new connections, every request that has come is answered, then the connections end.
 * @param inFlight requests that are not answered yet
 * @param onDeaf called when nobody can connect any more: answers end their connections from now on, and not before, as
 *   clients would connect again
 * @returns how many requests were cut off when the grace was over
 */
export async function stopServer(
  server: Server,
  graceMs: number,
  inFlight: () => number,
  onDeaf: () => void,
): Promise<number> {
  await quietMoment()
  // not http.Server's: that one also ends idle connections at once
  const ended = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
  onDeaf()
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
