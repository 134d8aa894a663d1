import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import { HUB, pagePolicy } from '../src/serve/page-policy.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What lies beside the page: the bundled model and the samples, folders of the package. */
const FOLDERS = ['models/small-clip', 'samples']
/** The licences of the packages in the page. */
const LICENCES = 'licences/packages.txt'

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

/** Packages of which the page or one of its workers has something. */
const bundled = new Set<string>()
const noteBundled = (): Plugin => ({
  name: 'note-bundled',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
    for (const id of modules) {
      const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id) ?? []
      if (name !== undefined) bundled.add(name)
    }
  },
})

/**
 * Throws where the licence of a package does not lie beside the page, or NOTICE does not name it. Vite lists those of
 * the page itself, not those of workers.
 */
async function checkLicences(out: string): Promise<void> {
  const list = await readFile(`${out}/${LICENCES}`, 'utf8')
  const listed = Array.from(list.matchAll(/^## (\S+) - .*\n\n(?!##)./gm), ([, name]) => name)
  const notice = await readFile(at('../NOTICE'), 'utf8')
  const named = Array.from(notice.matchAll(/^ {2}\((.*)\)$/gm), ([, names = '']) => names.split(', ')).flat()
  for (const name of bundled) {
    if (!listed.includes(name) && !existsSync(`${out}/licences/${name}.txt`))
      throw new Error(`the page has ${name} in it: its licence must lie in web/public/licences`)
    if (!named.includes(name)) throw new Error(`the page has ${name} in it, which NOTICE must name`)
  }
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
      const filter = (file: string) => !file.endsWith('SHA256SUMS') // a page does not need it
      for (const folder of FOLDERS) await cp(at(`../${folder}`), `${out}/${folder}`, { recursive: true, filter })
      await checkLicences(out)
      await writePages(out)
      await writeServiceWorker(out)
    },
  }
}

export default defineConfig({
  root: at('.'),
  base: './',
  plugins: [noteBundled(), playground()],
  resolve: {
    alias: [
      { find: /^coop-ts\/web$/, replacement: at('../src/public/web.ts') },
      { find: /^coop-ts$/, replacement: at('../src/public/index.ts') },
    ],
  },
  worker: { plugins: () => [noteBundled()] },
  // threads of WebAssembly want both
  server: { headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' } },
  build: {
    outDir: at('../dist/playground'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    license: { fileName: LICENCES },
  },
})
