import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** Builds the page of a folder with Vite as it comes, without settings of its own. */
export async function buildPage(folder: URL, out: string): Promise<void> {
  await build({
    root: fileURLToPath(folder),
    configFile: false,
    logLevel: 'error',
    build: { outDir: out, emptyOutDir: true },
  })
}
