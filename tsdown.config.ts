import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: ['src/public/index.ts', 'src/public/node.ts', 'src/graph/index.ts', 'src/cli/main.ts', 'src/node/worker.js'],
  root: 'src',
  platform: 'node',
  target: 'node20.19',
  fixedExtension: false,
  // a file for each module: the worker stays beside the code that starts it, and a stack names the source
  unbundle: true,
  dts: true,
  inputOptions: { checks: { pluginTimings: false } },
})
