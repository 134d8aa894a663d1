import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { HttpBindings } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import type { Hono, MiddlewareHandler } from 'hono'
import { html } from 'hono/html'
import { packageFolder } from '../node/package.ts'
import type { PageRuns } from './answers.ts'
import { HUB, pagePolicy } from './page-policy.ts'
import { quoted, Refusal } from './refusal.ts'
import type { ServedRun } from './served-runs.ts'

// What a browser gets: the playground, the files of the runs that it opens with, or a page in its place.

/** A header has two directives that the page itself, which is served from anywhere, has not. */
const policy = (connect: string) => pagePolicy(connect, "manifest-src 'self'", "frame-ancestors 'none'")

/** Headers of the page: with them it is cross-origin isolated, so that WebAssembly may have threads. */
const PAGE_HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-cache',
} as const

type App = Hono<{ Bindings: HttpBindings }>

/** The runs as the page wants them; addresses are relative to it. */
export const pageRuns = (runs: readonly ServedRun[]): PageRuns => ({
  runs: runs.map(({ name, open, model }) => ({
    name,
    classes: [...open.classNames],
    learned: `v1/runs/${name}/learned.safetensors`,
    model: model === undefined ? null : `v1/runs/${name}/model/`,
  })),
})

/** Addresses of a run's files: what it learned, and the files of its model, and nothing beside them. */
export function addRunFiles(app: App, runs: readonly ServedRun[]): void {
  for (const { name, learned, model } of runs) {
    app.get(`/v1/runs/${name}/learned.safetensors`, (c) =>
      c.body(learned, 200, { 'Content-Type': 'application/octet-stream' }),
    )
    if (model === undefined) continue
    const prefix = `/v1/runs/${name}/model`
    const onlyParts: MiddlewareHandler = async (c, next) => {
      const file = c.req.path.slice(prefix.length + 1)
      if (!model.parts.includes(file)) throw new Refusal(404, `the model has no file ${quoted(file)}`)
      await next()
    }
    app.get(
      `${prefix}/:file`,
      onlyParts,
      serveStatic({ root: model.folder, rewriteRequestPath: (path) => path.slice(prefix.length) }),
    )
  }
}

/** The playground from its folder, where it was built; else a page that says how to ask. */
export function addSite(app: App, folder: string, runs: readonly ServedRun[]): void {
  const withHeaders: MiddlewareHandler = async (c, next) => {
    await next()
    if (c.res.status >= 400) return
    // the page itself connects to its server alone; the one for models of the hub, and its workers, to the hub as well
    const connect = ['/', '/index.html'].includes(c.req.path) ? "'self'" : `'self' ${HUB}`
    const headers = { ...PAGE_HEADERS, 'Content-Security-Policy': policy(connect) }
    for (const [key, value] of Object.entries(headers)) c.res.headers.set(key, value)
  }
  app.use(withHeaders)
  if (existsSync(join(folder, 'index.html'))) {
    const files = serveStatic({ root: folder })
    app.get('/', files)
    app.use(files)
    // the package has model and samples once, beside the page's folder
    for (const part of ['models', 'samples']) app.use(`/${part}/*`, serveStatic({ root: packageFolder() }))
  } else app.get('/', (c) => c.html(usage(new URL(c.req.url).origin, runs)))
}

function usage(origin: string, runs: readonly ServedRun[]) {
  const [first] = runs
  const query = runs.length > 1 ? `?run=${first?.name}` : ''
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>coop-ts serve</title>
<h1>coop-ts serve</h1>
${runs.length === 0 ? html`<p>No run is served: start it with <code>coop-ts serve --run RUN</code>.` : ''}
<ul>
${runs.map(({ name, open }) => html`<li><b>${name}</b>: ${open.classNames.join(', ')}</li>\n`)}</ul>
<p>To classify a picture:
<pre>curl -F image=@picture.jpg "${origin}/v1/classify${query}"</pre>
<p><a href="openapi.json">openapi.json</a> describes all of it; there are also
<a href="v1/runs">v1/runs</a>, <a href="healthz">healthz</a> and <a href="metrics">metrics</a>.
<p>The playground is not in this installation: <code>npm run build</code> makes it in a clone.
</html>`
}
