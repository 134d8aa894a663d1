// Keeps the page, the model and the samples, so that they open without a network. The build fills in the three names.
const CACHE = `playground ${__VERSION__}`
/** Kept at once. */
const FILES = __FILES__
/** Kept when they are first used: what only a page with WebGPU takes. */
const LATER = __LATER__
const AT_ONCE = 16

self.addEventListener('install', (event) => event.waitUntil(keepAll()))
self.addEventListener('activate', (event) => event.waitUntil(takeOver()))
self.addEventListener('fetch', (event) => {
  const { request } = event
  if (request.method === 'GET' && request.url.startsWith(self.registration.scope)) event.respondWith(answer(request))
})

async function keepAll() {
  const cache = await caches.open(CACHE)
  const left = [...FILES]
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      await cache.add(new Request(file, { cache: 'no-cache' }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

async function takeOver() {
  // pages of an earlier version go on with it: this one waits until they are closed
  for (const name of await caches.keys())
    if (name.startsWith('playground ') && name !== CACHE) await caches.delete(name)
  await self.clients.claim()
}

async function answer(request) {
  const cache = await caches.open(CACHE)
  // what a server has changes
  if (request.url === new URL('server.json', self.registration.scope).href) {
    return fetch(request).catch(() => cache.match(request))
  }
  const kept = await cache.match(request, { ignoreSearch: request.mode === 'navigate' })
  if (kept) return kept
  const response = await fetch(request)
  if (response.ok && LATER.some((file) => request.url.endsWith(`/${file}`))) await cache.put(request, response.clone())
  return response
}
