import { defineCommand } from '../../cli/command.ts'
import { EVERY } from '../../cli/shared-options.ts'

export const makeKernels = defineCommand({
  name: 'kernels',
  summary: 'make WebAssembly of src/pictures/resize.wat again',
  operands: [],
  examples: ['npm run kernels'],
  options: EVERY,
  async run() {
    const { RESIZE_MODULE, resizeModule } = await import('../kernels.ts')
    const { writeFileAtomic } = await import('../../node/files.ts')
    const { fileURLToPath } = await import('node:url')
    await writeFileAtomic(fileURLToPath(RESIZE_MODULE), await resizeModule())
    return { json: { written: 'src/pictures/resize-wasm.ts' }, text: 'src/pictures/resize-wasm.ts is made anew' }
  },
})
