import { signal } from '@preact/signals'

/** Whether all of the page is kept, so that it opens without a network. */
export const offline = signal(false)

/** Keeps the page and what belongs to it. A browser that has no service workers here (no https) goes without. */
export async function keepForOffline(): Promise<void> {
  if (import.meta.hot || !('serviceWorker' in navigator)) return
  try {
    await navigator.serviceWorker.register('./sw.js')
    await navigator.serviceWorker.ready
    offline.value = true
  } catch {
    // it then needs the network each time
  }
}
