import type { Runtime, RuntimeOptions } from '../runtime/types.ts'

export async function webRuntime(_options: RuntimeOptions = {}): Promise<Runtime> {
  throw new Error('not built yet')
}
