import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import { HUB, pagePolicy } from '../src/serve/page-policy.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What lies beside the page: the bundled model and the samples, folders of the package. */
const FOLDERS = ['models/small-clip', 'samples']

/** Two pages of one: `index.html` may connect to its own server only, `hub.html` also to the hub. */
async function writePages(out: string): Promise<void> {
  const page = await readFile(`${out}/index.html`, 'utf8')
  const meta = (connect: string) =>
    `<meta charset="utf-8" />\n    <meta http-equiv="Content-Security-Policy" content="${pagePolicy(connect)}" />`
  const withPolicy = (connect: string) => page.replace('<meta charset="utf-8" />', meta(connect))
  await writeFile(`${out}/index.html`, withPolicy("'self'"))
  await writeFile(`${out}/hub.html`, withPolicy(`'self' ${HUB}`).replace('<html', '<html data-hub="yes"'))
}

/** The service worker, with the names of all files and a version that changes with any of them. */
async function writeServiceWorker(out: string): Promise<void> {
  const all = (await filesBelow(out)).filter((file) => file !== 'sw.js').sort()
  const hash = createHash('sha256')
  for (const file of all) hash.update(file).update(await readFile(`${out}/${file}`))
  const isLater = (file: string) => /\.wasm$/.test(file) && /jsep|jspi|asyncify/.test(file)
  const text = (await readFile(at('sw.js'), 'utf8'))
    .replace('__VERSION__', JSON.stringify(hash.digest('hex').slice(0, 16)))
    .replace('__FILES__', JSON.stringify(['./', ...all.filter((file) => !isLater(file))]))
    .replace('__LATER__', JSON.stringify(all.filter(isLater)))
  await writeFile(`${out}/sw.js`, text)
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
}

function playground(): Plugin {
  let out = ''
  return {
    name: 'playground',
    configResolved({ build }) {
      out = build.outDir
    },
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '').slice(1)
        const file = at(`../${path}`)
        if (FOLDERS.some((folder) => path.startsWith(`${folder}/`)) && existsSync(file))
          createReadStream(file).pipe(response)
        else next()
      })
    },
    async closeBundle() {
      for (const folder of FOLDERS) await cp(at(`../${folder}`), `${out}/${folder}`, { recursive: true })
      await writePages(out)
      await writeServiceWorker(out)
    },
  }
}

export default defineConfig({
  root: at('.'),
  base: './',
  plugins: [playground()],
  resolve: {
    alias: [
      { find: /^coop-ts\/web$/, replacement: at('../src/public/web.ts') },
      { find: /^coop-ts$/, replacement: at('../src/public/index.ts') },
    ],
  },
  // threads of WebAssembly want both
  server: { headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' } },
  build: { outDir: at('../dist/playground'), emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false } },
})
