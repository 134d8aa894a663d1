// npm runs this before the install script of onnxruntime-node. On linux/x64 that script fetches CUDA libraries from nuget.org,
// unasked, if one of these files is missing, and fails on a closed network; it does nothing else. Empty files leave it nothing
// to do. Asked for CUDA (ONNXRUNTIME_NODE_INSTALL=true), it overwrites them.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const asked = Object.entries(process.env).some(([name, value]) => value && /onnxruntime_node_install/i.test(name))
if (process.platform === 'linux' && process.arch === 'x64' && !asked) {
  try {
    const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
    for (const provider of ['cuda', 'shared', 'tensorrt']) {
      const file = join(runtime, 'bin/napi-v6/linux/x64', `libonnxruntime_providers_${provider}.so`)
      writeFileSync(file, '', { flag: 'a' }) // a file that is there stays as it is
    }
  } catch {
    // the package is not here yet, or its folder cannot be written to: an install never fails because of this
  }
}
