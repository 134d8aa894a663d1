import { readFileSync } from 'node:fs'
import wabt from 'wabt'

const SOURCE = new URL('../pictures/resize.wat', import.meta.url)
export const RESIZE_MODULE = new URL('../pictures/resize-wasm.ts', import.meta.url)

/** What resize.wat makes, in base64. */
export async function resizeWasm(): Promise<string> {
  const { parseWat } = await wabt()
  const module = parseWat('resize.wat', readFileSync(SOURCE, 'utf8'), { simd: true })
  try {
    return Buffer.from(module.toBinary({}).buffer).toString('base64')
  } finally {
    module.destroy()
  }
}

/** The text of resize-wasm.ts. */
export async function resizeModule(): Promise<string> {
  const lines = (await resizeWasm()).match(/.{1,110}/g) ?? []
  const parts = lines.map((line) => `  '${line}'`).join(' +\n')
  return `/** What resize.wat makes, in base64: npm run kernels. */\nexport const RESIZE_WASM =\n${parts}\n`
}
